//! One file over HTTP: resumed when cut, begun anew when it changed, checked when complete.
//!
//! The bytes go to a hidden file beside the target, with the validator they belong to beside that;
//! an attempt that finds both asks for the rest only (`Range` with `If-Range`), so that a pull can
//! be interrupted at any moment and repeated. Redirects are followed here and not by the HTTP
//! library, because the token must go to the hub alone, and because the hub's first answer says
//! what the file's hash is.

mod proxy;
mod rules;
mod saved;

use crate::cache::{beside, look_at, remove};
use crate::caller::Caller;
use crate::content;
use crate::error::{HubError, Result};
use crate::partial::{Expected, Partial};
use pacemark_files::bounded;
use rules::{NEXT_STEP, check_status, origin, redirected, unreachable_host};
use saved::Saved;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Attempts without any progress before giving up.
const ATTEMPTS: u32 = 5;
const MAX_REDIRECTS: usize = 10;

/// An HTTP client.
pub(crate) struct Client<'a> {
    agent: Agent,
    caller: &'a dyn Caller,
    /// The pause before the second attempt; doubled before each later one.
    pub(super) pause: Duration,
}

/// What to get and where to put it.
pub(crate) struct Fetch<'a> {
    /// The address at the hub.
    pub url: &'a str,
    /// Shown to the hub, never to the hosts it redirects to.
    pub token: Option<&'a str>,
    /// The file's final place. A copy that is there is replaced when the server has another one.
    pub target: &'a Path,
}

impl Fetch<'_> {
    /// What the file is called.
    fn name(&self) -> String {
        self.target.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// How a fetch ended well.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The file was transferred.
    Saved,
    /// The file that is there is the server's current one.
    Unchanged,
}

/// Why an attempt failed, and whether another may help.
enum Failure {
    Final(HubError),
    /// With the pause that the server asks for.
    Transient(HubError, Option<Duration>),
}

impl Failure {
    /// One that no other attempt would mend.
    fn lasting(what: impl Into<String>) -> Failure {
        Failure::Final(HubError::Refused(what.into()))
    }
}

/// What the server said of the file, over all redirects.
struct Answer {
    response: Response<Body>,
    /// Of the response that carries the body: what `If-Range` must repeat.
    validator: Option<String>,
    /// What tells this version of the file from others: the hub's own tag, else the validator.
    identity: Option<String>,
    expected: Expected,
}

impl<'a> Client<'a> {
    pub(crate) fn new(caller: &'a dyn Caller) -> Client<'a> {
        let config = Agent::config_builder()
            .user_agent(concat!("pacemark/", env!("CARGO_PKG_VERSION")))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None) // chosen for each host
            .tls_config(TlsConfig::builder().root_certs(authorities(caller)).build())
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .build();
        Client { agent: config.into(), caller, pause: Duration::from_secs(1) }
    }

    /// Gets the file, in several attempts if need be.
    pub(crate) fn fetch(&self, fetch: &Fetch<'_>) -> Result<Outcome> {
        let (mut failures, mut pause) = (0, self.pause);
        loop {
            let before = part_length(fetch.target);
            let (error, asked) = match self.attempt(fetch) {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Transient(error, asked)) => (error, asked),
            };
            if part_length(fetch.target) > before {
                (failures, pause) = (0, self.pause); // slow is no reason to give up
            }
            failures += 1;
            if failures == ATTEMPTS {
                let kept = "what has come so far is kept";
                return Err(
                    error.during(format!("gave up after {ATTEMPTS} attempts: {NEXT_STEP}; {kept}"))
                );
            }
            let wait = asked.unwrap_or(pause).min(Duration::from_secs(60));
            let (what, seconds) = (error.in_full(), wait.as_secs_f64().ceil());
            self.caller.tell(&format!("{}; trying again in {seconds:.0} s", bounded(&what)));
            std::thread::sleep(wait);
            pause *= 2;
        }
    }

    fn attempt(&self, fetch: &Fetch<'_>) -> Result<Outcome, Failure> {
        let (part, state) = (beside(fetch.target, "part"), beside(fetch.target, "part-etag"));
        let known = Saved::read(&state);
        // Without a validator nothing says what the bytes so far are of.
        let from = if known.validator.is_some() { part_length(fetch.target) } else { 0 };
        let answer = self.open(fetch, from, known.validator.as_deref())?;
        refuse_page(&answer.response, fetch)?;
        let is_there = look_at(fetch.target)?.is_some_and(|about| about.is_file());
        if is_there
            && answer.identity.is_some()
            && answer.identity == Saved::of(fetch.target).identity
        {
            return Ok(Outcome::Unchanged);
        }
        let status = answer.response.status();
        let resumed = status == StatusCode::PARTIAL_CONTENT;
        let fits = answer.identity == known.identity && range_start(&answer.response) == Some(from);
        if status == StatusCode::RANGE_NOT_SATISFIABLE || (resumed && !fits) {
            remove(&part)?;
            return Err(Failure::Transient(
                HubError::Refused("the file has changed at the server".into()),
                Some(Duration::ZERO),
            ));
        }
        let mut partial = if resumed { Partial::resume(&part)? } else { Partial::create(&part)? };
        let now = Saved { validator: answer.validator.clone(), identity: answer.identity.clone() };
        now.write(&state)?;
        let expected = self.transfer(answer, &mut partial)?;
        if let Some(what) = content::wrong(&part, &fetch.name())? {
            remove(&part)?;
            remove(&state)?;
            return Err(refused(fetch, &what));
        }
        let finished = partial.finish(fetch.target, &expected);
        remove(&state)?;
        finished?;
        now.write(&beside(fetch.target, "etag"))?;
        Ok(Outcome::Saved)
    }

    /// Asks for the file from byte `from` on, and follows redirects to who has it.
    fn open(
        &self,
        fetch: &Fetch<'_>,
        from: u64,
        validator: Option<&str>,
    ) -> Result<Answer, Failure> {
        let hub = origin(fetch.url)?;
        let mut url = fetch.url.to_owned();
        let (mut tag, mut size) = (None, None);
        for _ in 0..=MAX_REDIRECTS {
            let here = origin(&url)?;
            let between = proxy::between(&here, |name| {
                Some(std::env::var_os(name)?.to_string_lossy().into_owned())
            })?;
            let (proxy, variable) = between.unzip();
            let request = self.agent.get(&url).config().proxy(proxy).build();
            let mut request = request.header("Accept-Encoding", "identity");
            if let Some(token) = fetch.token.filter(|_| here == hub) {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            if let Some(validator) = validator.filter(|_| from > 0) {
                request =
                    request.header("Range", format!("bytes={from}-")).header("If-Range", validator);
            }
            let response = request.call().map_err(|e| unreachable_host(&here, variable, e))?;
            if here == hub {
                tag = tag.or_else(|| header(&response, "x-linked-etag").map(unquoted));
                size = size.or_else(|| header(&response, "x-linked-size")?.parse().ok());
            }
            if response.status().is_redirection() {
                url = redirected(&here, &response)?;
                continue;
            }
            check_status(&response, &here, fetch.token.is_some())?;
            // A weak validator does not promise the same bytes, so it cannot be used to resume.
            let etag = header(&response, "etag");
            let validator = etag.filter(|etag| etag.starts_with('"')).map(str::to_owned);
            let identity = tag.clone().or_else(|| etag.map(unquoted));
            let sha256 =
                tag.filter(|tag| tag.len() == 64 && tag.bytes().all(|c| c.is_ascii_hexdigit()));
            let expected = Expected { bytes: size, sha256: sha256.map(|tag| tag.to_lowercase()) };
            return Ok(Answer { response, validator, identity, expected });
        }
        Err(Failure::lasting(format!("more than {MAX_REDIRECTS} redirects from {}", hub.name())))
    }

    /// Moves the body to `partial`; gives what is now known of the whole file.
    fn transfer(&self, answer: Answer, partial: &mut Partial) -> Result<Expected, Failure> {
        let mut expected = answer.expected;
        let rest: Option<u64> =
            header(&answer.response, "content-length").and_then(|length| length.parse().ok());
        let total = expected.bytes.or_else(|| partial.written().checked_add(rest?));
        expected.bytes = total;
        let progress = self.caller.transfer(total);
        let mut body = answer.response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            progress.set(partial.written());
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => partial.write(&buffer[..count])?,
                Err(error) => {
                    let cut = format!("the connection broke after {} bytes", partial.written());
                    return Err(Failure::Transient(
                        HubError::Refused(error.to_string()).during(cut),
                        None,
                    ));
                }
            }
            if total.is_some_and(|total| partial.written() > total) {
                break; // `finish` will refuse it
            }
        }
        match total {
            Some(total) if partial.written() < total => {
                let cut =
                    format!("the connection ended after {} of {total} bytes", partial.written());
                Err(Failure::Transient(HubError::Refused(cut), None))
            }
            _ => Ok(expected),
        }
    }
}

/// Those that the caller trusts, else Mozilla's.
fn authorities(caller: &dyn Caller) -> RootCerts {
    let found = caller.authorities();
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    RootCerts::from(found.iter().map(|der| Certificate::from_der(der).to_owned()))
}

/// A page where no page was asked for; before it takes the place of what has come of the file.
fn refuse_page(response: &Response<Body>, fetch: &Fetch<'_>) -> Result<(), Failure> {
    let is_page = header(response, "content-type")
        .is_some_and(|kind| kind.to_lowercase().starts_with("text/html"));
    let name = fetch.name().to_lowercase();
    match is_page && !name.ends_with(".html") && !name.ends_with(".htm") {
        true => Err(refused(fetch, "an HTML page in place of the model")),
        false => Ok(()),
    }
}

fn refused(fetch: &Fetch<'_>, what: &str) -> Failure {
    match origin(fetch.url) {
        Ok(hub) => {
            Failure::lasting(format!("{} sends {what}, which is not kept: {NEXT_STEP}", hub.name()))
        }
        Err(failure) => failure,
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// An entity tag without the mark of weakness and the quotes.
fn unquoted(tag: &str) -> String {
    tag.trim_start_matches("W/").trim_matches('"').to_owned()
}

/// N of `Content-Range: bytes N-M/TOTAL`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    header(response, "content-range")?.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

fn part_length(target: &Path) -> u64 {
    fs::metadata(beside(target, "part")).map_or(0, |about| about.len())
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Failure {
        Failure::Final(error)
    }
}

#[cfg(test)]
mod tests;
