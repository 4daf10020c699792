//! What a server's answers mean: which host is spoken to, which statuses are errors, where
//! redirects may lead.

use super::{Failure, header};
use crate::error::HubError;
use std::time::Duration;
use ureq::Body;
use ureq::http::uri::Authority;
use ureq::http::{Response, Uri};

/// What to do when a hub does not answer.
pub(super) const NEXT_STEP: &str =
    "check the network, HF_ENDPOINT and the proxy settings, then try again";

/// Refuses every status but those that carry the file or say that the range is past its end.
pub(super) fn check_status(
    response: &Response<Body>,
    host: &Origin,
    has_token: bool,
) -> Result<(), Failure> {
    let (status, host) = (response.status(), host.name());
    let next = match status.as_u16() {
        200 | 206 | 416 => return Ok(()),
        401 if has_token => {
            "the token in HF_TOKEN is not accepted: check that it is valid and may read this repository"
        }
        401 => {
            "the repository does not exist, or asks for a token: set HF_TOKEN to one that may read it"
        }
        403 => "accept the model's terms on its page, and set HF_TOKEN to a token that may read it",
        404 => "no such file: check ORG, REPO, FILE and REV",
        408 | 425 | 429 | 500..=599 => {
            let asked = header(response, "retry-after")
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs);
            return Err(Failure::Transient(
                HubError::Refused(format!("{host} answers {status}")),
                asked,
            ));
        }
        _ => "this is not what a hub answers: check HF_ENDPOINT and the proxy settings",
    };
    Err(Failure::lasting(format!("{host} answers {status}: {next}")))
}

/// Where a redirect leads. Never from an encrypted connection to a plain one.
pub(super) fn redirected(from: &Origin, response: &Response<Body>) -> Result<String, Failure> {
    let bad = |why: &str| Failure::lasting(format!("{} redirects {why}", from.name()));
    let location = header(response, "location").ok_or_else(|| bad("nowhere"))?;
    let url = match location {
        relative if relative.starts_with("//") => format!("{}:{relative}", from.scheme),
        relative if relative.starts_with('/') => {
            format!("{}://{}{relative}", from.scheme, from.name())
        }
        absolute => absolute.to_owned(),
    };
    // The address itself may hold a signature and is not shown.
    let to = origin(&url).map_err(|_| bad("to something that is no address"))?;
    if from.scheme == "https" && to.scheme != "https" {
        return Err(bad("to an unencrypted address"));
    }
    Ok(url)
}

/// `proxy` is the variable that names the one between.
pub(super) fn unreachable_host(host: &Origin, proxy: Option<&str>, error: ureq::Error) -> Failure {
    let lasting =
        matches!(error, ureq::Error::HostNotFound | ureq::Error::BadUri(_) | ureq::Error::Tls(_));
    // As text: a broken pipe of the network must not be taken for one of our own output, which ends
    // a program quietly.
    let through = proxy.map_or(String::new(), |name| format!(" through the proxy of {name}"));
    let error = HubError::Refused(error.to_string())
        .during(format!("cannot reach {}{through}", host.name()));
    if lasting { Failure::Final(error.during(NEXT_STEP)) } else { Failure::Transient(error, None) }
}

/// Scheme, host and port of an address: who it is that is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    pub(super) fn name(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.scheme == "https"
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port_number(&self) -> u16 {
        self.port.unwrap_or(if self.is_encrypted() { 443 } else { 80 })
    }
}

/// Whether there is something for a port that is none: the library would take the scheme's own
/// instead.
pub(super) fn has_odd_port(authority: &Authority) -> bool {
    let text = authority.as_str();
    let address = text.rsplit_once('@').map_or(text, |(_, address)| address);
    let rest = address.strip_prefix(authority.host()).unwrap_or(address);
    !rest.is_empty()
        && rest
            .strip_prefix(':')
            .and_then(|port| port.parse().ok())
            .is_none_or(|port: u16| port == 0)
}

pub(super) fn origin(url: &str) -> Result<Origin, Failure> {
    let wrong = || {
        Failure::lasting("the hub's address must be http://HOST or https://HOST: check HF_ENDPOINT")
    };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let scheme = uri
        .scheme_str()
        .filter(|scheme| ["http", "https"].contains(scheme))
        .ok_or_else(wrong)?
        .to_owned();
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_lowercase();
    if uri.authority().is_some_and(has_odd_port) {
        return Err(wrong());
    }
    let default = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().filter(|&port| port != default);
    Ok(Origin { scheme, host, port })
}
