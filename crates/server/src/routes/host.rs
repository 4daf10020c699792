//! Whom a request means: a web page can have its own name lead to this machine, and is then of the same
//! origin as what answers there. Such a name is none of the server's.

use crate::error::{ApiError, Result};
use crate::options::Options;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use std::net::IpAddr;

/// Refuses a request to a host by a name that is not this server's, where it knows its names.
pub(super) fn check(options: &Options, headers: &HeaderMap) -> Result<()> {
    let (Some(known), Some(host)) = (&options.known_hosts, headers.get(header::HOST)) else {
        return Ok(());
    };
    let host = String::from_utf8_lossy(host.as_bytes());
    let name = name(&host);
    if is_here(name) || known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let found = pacemark_files::quoted(name);
    let why = format!(
        "Host: expected an address, localhost or a name of --allow-host, found {found}: without --api-key a web page could \
         have its name lead here"
    );
    Err(ApiError::with_status(StatusCode::FORBIDDEN, why).coded("unknown_host"))
}

/// Whether a request comes from a web page of elsewhere.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = text(headers, header::ORIGIN) else {
        return headers.contains_key(header::ORIGIN);
    };
    let of = origin.split_once("://").map(|(_, authority)| authority);
    of.is_none() || of != text(headers, header::HOST)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A host without its port: `[::1]:8080` is `::1` (RFC 3986, 3.2.2).
fn name(host: &str) -> &str {
    let host = host.trim();
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.split(':').next().unwrap_or(host).trim_end_matches('.')
}

/// Addresses are no names, and `localhost` is never looked up elsewhere (RFC 6761, 6.3).
fn is_here(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(all: &[(HeaderName, &'static str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn names_that_were_made_to_lead_here_are_refused() {
        let options = |known: Option<&[&str]>| Options {
            known_hosts: known.map(|all| all.iter().map(|name| (*name).to_owned()).collect()),
            ..Options::default()
        };
        for (host, is_known) in [
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("localhost", true),
            ("LOCALHOST.:8080", true),
            ("a.localhost:80", true),
            ("192.168.1.7", true),
            ("box.lan:8080", true),
            ("evil.example:8080", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("", false),
        ] {
            let given = headers(&[(header::HOST, host)]);
            let checked = check(&options(Some(&["Box.lan"])), &given);
            assert_eq!(checked.is_ok(), is_known, "{host}: {checked:?}");
            assert!(check(&options(None), &given).is_ok());
        }
        assert!(check(&options(Some(&[])), &HeaderMap::new()).is_ok(), "no browser sends none");
        let foreign = HeaderValue::from_bytes(b"evil\xff.example").unwrap();
        let given = HeaderMap::from_iter([(header::HOST, foreign)]);
        assert!(check(&options(Some(&[])), &given).is_err());
    }

    #[test]
    fn pages_of_elsewhere_are_known_by_their_origin() {
        for (origin, is_foreign_one) in [
            ("http://localhost:8080", false),
            ("https://localhost:8080", false),
            ("http://localhost:3000", true),
            ("http://evil.example", true),
            ("null", true),
        ] {
            let given = headers(&[(header::HOST, "localhost:8080"), (header::ORIGIN, origin)]);
            assert_eq!(is_foreign(&given), is_foreign_one, "{origin}");
        }
        assert!(!is_foreign(&headers(&[(header::HOST, "localhost:8080")])));
    }
}
