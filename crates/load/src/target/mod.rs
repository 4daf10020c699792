//! Where requests go: the address of an OpenAI-compatible server, as users write it. What it cannot
//! mean is refused by name; nothing that was written is dropped or replaced. Which path the API has
//! is decided in `root`.

mod root;

use crate::Endpoint;
use hyper::http::uri::PathAndQuery;
use pacemark_files::excerpt;
use root::Root;
use std::net::Ipv6Addr;

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Over TLS: `https`.
    pub tls: bool,
    /// Name or address, without brackets; an IPv6 address with its zone.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The endpoint whose whole path was given.
    pub endpoint: Option<Endpoint>,
    root: Root,
    /// From `?` on, of every request.
    query: String,
}

/// An address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not an address.
    #[error("expected http[s]://HOST[:PORT][/PATH]")]
    Malformed,
    /// Without `http://` or with another.
    #[error("expected an address that begins with http:// or https://")]
    Scheme,
    /// No port at all.
    #[error("port '{0}': expected 1 to 65535")]
    Port(String),
    /// A name and password, which are not repeated.
    #[error("a user in an address is not sent: give --api-key KEY or --header 'Authorization: …'")]
    User,
    /// From `#` on.
    #[error("'#{0}': a fragment is never sent to a server; leave it out")]
    Fragment(String),
    /// Another endpoint, whole.
    #[error(
        "'{0}': that endpoint is not measured; give the server's address, or the one of its …/chat/completions or …/completions"
    )]
    Endpoint(String),
}

impl Target {
    /// From `http[s]://HOST[:PORT]` with the API's path, without it, or with the path of a whole
    /// endpoint.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        let text = text.trim();
        let scheme = |name: &str| {
            let head = text.get(..name.len())?;
            head.eq_ignore_ascii_case(name).then(|| &text[name.len()..])
        };
        let (tls, rest) = match (scheme("https://"), scheme("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(TargetError::Scheme),
        };
        if let Some((_, fragment)) = rest.split_once('#') {
            return Err(TargetError::Fragment(excerpt(fragment).into()));
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(TargetError::User);
        }
        let (host, port) = host_and_port(authority).ok_or(TargetError::Malformed)?;
        let port = match port {
            None => {
                if tls {
                    443
                } else {
                    80
                }
            }
            Some(port) => {
                self::port(port).ok_or_else(|| TargetError::Port(excerpt(port).into()))?
            }
        };
        let (path, query) = tail.split_at(tail.find('?').unwrap_or(tail.len()));
        // What HTTP does not let into a request's first line.
        if !tail.is_empty() && PathAndQuery::try_from(tail).is_err() {
            return Err(TargetError::Malformed);
        }
        let (root, endpoint) =
            Root::parse(path).map_err(|path| TargetError::Endpoint(excerpt(path).into()))?;
        let query = if query == "?" { "" } else { query };
        Ok(Target { tls, host, port, endpoint, root, query: query.to_owned() })
    }

    /// Path and query of what lies under the API's root: `/chat/completions`.
    pub fn of_api(&self, path: &str) -> String {
        format!("{}{path}{}", self.root.api, self.query)
    }

    /// Path and query of what servers have beside the API: `/tokenize`.
    pub fn beside_api(&self, path: &str) -> String {
        format!("{}{path}{}", self.root.server, self.query)
    }

    /// The API's root, as a record names it: what a query says may be a key.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let query = if self.query.is_empty() { "" } else { "?…" };
        format!("{scheme}://{}{}{query}", self.authority(), self.root.api)
    }

    /// For the `Host` header (RFC 9110, section 7.2): without the port that the scheme means. A
    /// zone is of this machine alone and not sent (RFC 6874, section 4).
    pub fn authority(&self) -> String {
        let name = self.name();
        let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { name } else { format!("{name}:{}", self.port) }
    }

    /// The host without a zone: what a certificate names.
    pub fn name(&self) -> &str {
        self.host.split('%').next().unwrap_or_default()
    }
}

/// Digits alone: a sign or a blank is not a port, though numbers are read with them.
fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// The host, checked, and what is said of a port.
fn host_and_port(authority: &str) -> Option<(String, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        // The separator of a zone is written %25 in an address (RFC 6874), and by many as it is.
        let (ip, zone) =
            address.split_once('%').map_or((address, None), |(ip, zone)| (ip, Some(zone)));
        let zone = zone.map(|zone| zone.strip_prefix("25").unwrap_or(zone));
        ip.parse::<Ipv6Addr>().ok()?;
        if zone.is_some_and(|zone| {
            zone.is_empty()
                || !zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        }) {
            return None;
        }
        let host = zone.map_or(ip.to_owned(), |zone| format!("{ip}%{zone}"));
        return match rest.strip_prefix(':') {
            None => rest.is_empty().then_some((host, None)),
            Some(port) => Some((host, Some(port))),
        };
    }
    let (host, port) =
        authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    // More colons: an IPv6 address without brackets, of which nobody knows where the port begins.
    if port.is_some_and(|port| port.contains(':')) {
        return None;
    }
    let named =
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    named.then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests;
