//! The way to one server: questions that are answered whole, and patience with one that says it has
//! too much to do.

use super::OpenAiError;
use super::words;
use pacemark_backend::BackendError;
use pacemark_load::{Client, Endpoint, Settings, Target, Timeouts, Trust, Whole};
use pacemark_setup::{Secret, Server};
use serde_json::Value;
use std::time::Duration;

/// Requests that are sent to who answers 429, and how long is waited for them in all.
pub(super) const MAX_TRIES: u32 = 6;
pub(super) const MAX_WAIT: Duration = Duration::from_secs(60);

/// A server that is spoken to.
pub(super) struct Link {
    pub client: Client,
    pub target: Target,
    key: Option<Secret>,
}

impl Link {
    pub(super) fn new(server: &Server) -> Result<Link, OpenAiError> {
        let target = Target::parse(&server.url)
            .map_err(|error| OpenAiError::Url { url: shown(&server.url), error })?;
        let mut settings = Settings::new(target.clone(), Endpoint::Completions, String::new());
        settings.trust = match &server.cacert {
            Some(path) => Trust::File(path.clone()),
            None if server.insecure => Trust::Anybody,
            None => Trust::System,
        };
        settings.api_key = server.api_key.as_ref().map(|key| key.reveal().to_owned());
        settings.headers.clone_from(&server.headers);
        let waits = |of: Duration| of.min(server.patience);
        settings.timeouts = Timeouts {
            connect: waits(Duration::from_secs(10)),
            first_byte: server.patience,
            stall: server.patience,
            // A long answer of a slow server; each piece of it has come in time.
            total: Duration::from_secs(24 * 3600),
        };
        let client = Client::new(&settings)
            .map_err(|error| OpenAiError::Server(format!("{}: {error}", target.url())))?;
        Ok(Link { client, target, key: server.api_key.clone() })
    }

    /// The key that is sent, for taking it out of what a server repeats.
    fn key(&self) -> Option<&str> {
        self.key.as_ref().map(Secret::reveal)
    }

    /// What a path is called in errors: a query may be a key.
    pub(super) fn url(&self, path: &str) -> String {
        let path = path.split('?').next().unwrap_or_default();
        let scheme = if self.target.tls { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.target.authority())
    }

    /// Where completions are asked for.
    pub(super) fn completions(&self) -> String {
        self.target.of_api("/completions")
    }

    /// Why an answer is none.
    pub(super) fn refusal(&self, path: &str, whole: &Whole) -> BackendError {
        words::refusal(&self.url(path), whole, self.key())
    }

    /// A GET, or a POST of a body that is not empty; who answers 429 is asked again after a while.
    pub(super) fn ask(&self, path: &str, body: &str) -> Result<Whole, BackendError> {
        let mut patience = Patience::default();
        loop {
            let whole = self.client.ask(path, body.to_owned()).map_err(|failure| {
                BackendError::Engine(words::failure(&self.url(path), &failure))
            })?;
            if whole.status != 429 {
                return Ok(whole);
            }
            match patience.wait(&whole) {
                Ok(wait) => std::thread::sleep(wait),
                Err(spent) => return Err(self.too_many(path, &whole, &spent)),
            }
        }
    }

    /// That it was asked often enough.
    pub(super) fn too_many(&self, path: &str, whole: &Whole, spent: &str) -> BackendError {
        BackendError::Full(format!("{} ({spent})", self.refusal(path, whole)))
    }

    /// JSON of a path, where it is there.
    pub(super) fn json(&self, path: &str) -> Option<Value> {
        let whole = self.ask(path, "").ok().filter(|whole| whole.status == 200)?;
        serde_json::from_slice(&whole.bytes).ok()
    }
}

/// An address without what may be a password or key in it.
fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => url.to_owned(),
    }
}

/// How long and how often somebody was waited for.
#[derive(Debug, Default)]
pub(super) struct Patience {
    tries: u32,
    waited: Duration,
}

impl Patience {
    /// How long to wait before the next request, by `Retry-After` (seconds, RFC 9110, 10.2.3) or
    /// twice as long each time; or how often it was tried, where that is enough.
    pub(super) fn wait(&mut self, whole: &Whole) -> Result<Duration, String> {
        self.tries += 1;
        let asked = whole.headers.iter().find(|(name, _)| name == "retry-after");
        let asked = asked.and_then(|(_, value)| value.trim().parse::<u32>().ok());
        let wait = match asked {
            Some(seconds) => Duration::from_secs(seconds.into()),
            None => Duration::from_millis(250) * (1 << (self.tries - 1).min(8)),
        };
        if self.tries >= MAX_TRIES || self.waited + wait > MAX_WAIT {
            let (tries, waited) = (self.tries, self.waited);
            let next = asked.map_or(String::new(), |s| format!(", it asks for {s} s more"));
            return Err(format!("tried {tries} times, waited {waited:?}{next}"));
        }
        self.waited += wait;
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_has_an_end_in_tries_and_in_time() {
        let after = |seconds: &str| Whole {
            headers: vec![("retry-after".into(), seconds.into())],
            ..Whole::default()
        };
        let mut patience = Patience::default();
        assert_eq!(patience.wait(&after("2")), Ok(Duration::from_secs(2)));
        assert_eq!(patience.wait(&after("no number")), Ok(Duration::from_millis(500)));
        let spent = patience.wait(&after("60")).unwrap_err();
        assert_eq!(spent, "tried 3 times, waited 2.5s, it asks for 60 s more");
        let mut patience = Patience::default();
        let waits = (0..10).take_while(|_| patience.wait(&after("0")).is_ok()).count();
        assert_eq!(waits as u32, MAX_TRIES - 1);
    }

    #[test]
    fn addresses_are_shown_without_secrets() {
        assert_eq!(shown("http://me:pw@host/v1?key=1"), "…@host/v1");
        assert_eq!(shown("http://host#a"), "http://host");
    }
}
