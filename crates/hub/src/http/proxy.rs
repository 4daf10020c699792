//! Which proxy is between us and a host, by the environment as curl reads it (curl(1),
//! "Environment"; libcurl's `noproxy.c`).
//!
//! The HTTP library would read the environment itself, but passes over what it does not understand.
//! A proxy that is named and cannot be used is an error here: what was to be hidden or let through
//! by it would go another way.

use super::Failure;
use super::rules::{Origin, has_odd_port};
use std::net::IpAddr;
use ureq::Proxy;
use ureq::http::Uri;

/// The variables of each scheme, the first that is set counts; in curl's order, and with the
/// upper-case form of every name.
const HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
const HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const EXCEPT: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// A proxy, and the variable that names it.
pub(super) type Chosen = Option<(Proxy, &'static str)>;

/// The proxy between us and `host`. `get` reads the environment.
pub(super) fn between(
    host: &Origin,
    get: impl Fn(&str) -> Option<String>,
) -> Result<Chosen, Failure> {
    let set =
        |name: &&'static str| Some((get(name).filter(|value| !value.trim().is_empty())?, *name));
    let names = if host.is_encrypted() { HTTPS } else { HTTP };
    let Some((value, name)) = names.iter().find_map(set) else { return Ok(None) };
    if EXCEPT.iter().find_map(set).is_some_and(|(list, _)| is_except(&list, host)) {
        return Ok(None);
    }
    match proxy(value.trim()) {
        Ok(proxy) => Ok(Some((proxy, name))),
        // Not the value: there may be a password in it.
        Err(found) => Err(Failure::lasting(format!(
            "{name}: expected a proxy as http://HOST[:PORT], found {found}; unset it, or have no_proxy name {}",
            host.name()
        ))),
    }
}

fn proxy(value: &str) -> Result<Proxy, String> {
    let malformed = || "something that is no address".to_owned();
    let scheme = value.split_once("://").map_or("http", |(scheme, _)| scheme).to_lowercase();
    match &*scheme {
        "http" | "https" => {}
        socks if socks.starts_with("socks") => {
            return Err("a SOCKS proxy, which cannot be used here".into());
        }
        _ => return Err("a proxy of another kind".into()),
    }
    let address = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let uri: Uri = address.parse().map_err(|_| malformed())?;
    let authority = uri.authority().ok_or_else(malformed)?;
    if has_odd_port(authority) || authority.host().is_empty() {
        return Err(malformed());
    }
    Proxy::new(&address).map_err(|_| malformed())
}

/// Whether `list` names the host: `*`, names that it is or ends in, addresses, networks as
/// 10.0.0.0/8, each also with a port.
fn is_except(list: &str, host: &Origin) -> bool {
    let name = plain(host.host());
    let entries = list.split([',', ' ', '\t']).map(str::trim).filter(|entry| !entry.is_empty());
    entries.into_iter().any(|entry| {
        let (entry, port) = split_port(entry);
        if port.is_some_and(|port| port != host.port_number()) {
            return false;
        }
        match name.parse::<IpAddr>() {
            Ok(address) => entry == "*" || is_within(address, entry),
            Err(_) => {
                let suffix = plain(entry.trim_start_matches('*').trim_start_matches('.'));
                entry == "*"
                    || (!suffix.is_empty()
                        && (name == suffix || name.ends_with(&format!(".{suffix}"))))
            }
        }
    })
}

/// Without brackets and the dot of a full name.
fn plain(name: &str) -> String {
    name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_lowercase()
}

/// An entry and its port. The colons of a bare IPv6 address are none.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

/// Whether `entry` is the address, or a network that it is in.
fn is_within(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (entry, Some(128)),
    };
    let (Ok(network), Some(bits)) = (plain(network).parse::<IpAddr>(), bits) else { return false };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => alike(a.to_bits().into(), b.to_bits().into(), 32, bits),
        (IpAddr::V6(a), IpAddr::V6(b)) => alike(a.to_bits(), b.to_bits(), 128, bits),
        _ => false,
    }
}

/// Whether the first `bits` of two numbers of `width` bits are the same.
fn alike(a: u128, b: u128, width: u32, bits: u32) -> bool {
    let rest = width.saturating_sub(bits);
    (a ^ b).checked_shr(rest).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::super::rules::origin;
    use super::*;

    /// The variable that names the proxy, or the error.
    fn chosen(
        url: &str,
        environment: &[(&str, &str)],
    ) -> Result<Option<(&'static str, u16)>, String> {
        let Ok(host) = origin(url) else { panic!("{url}") };
        let get = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
        };
        match between(&host, get) {
            Ok(found) => Ok(found.map(|(proxy, name)| (name, proxy.port()))),
            Err(Failure::Final(error)) => Err(error.to_string()),
            Err(Failure::Transient(..)) => panic!("no attempt will help"),
        }
    }

    #[test]
    fn the_scheme_s_own_then_all() {
        let all = [
            ("ALL_PROXY", "h:1"),
            ("all_proxy", "h:2"),
            ("HTTPS_PROXY", "h:3"),
            ("https_proxy", "h:4"),
        ];
        assert_eq!(chosen("https://x", &all), Ok(Some(("https_proxy", 4))));
        assert_eq!(chosen("https://x", &all[..3]), Ok(Some(("HTTPS_PROXY", 3))));
        assert_eq!(chosen("http://x", &all), Ok(Some(("all_proxy", 2))));
        assert_eq!(chosen("http://x", &[("https_proxy", "h:4")]), Ok(None));
        assert_eq!(
            chosen("http://x", &[("http_proxy", " "), ("ALL_PROXY", "https://u:p@h")]),
            Ok(Some(("ALL_PROXY", 443)))
        );
        assert_eq!(
            chosen("http://x", &[("HTTP_PROXY", "http://[::1]:8/")]),
            Ok(Some(("HTTP_PROXY", 8)))
        );
    }

    #[test]
    fn what_cannot_be_used_is_said_and_no_password() {
        let values = [
            "socks5://u:secret@h:1",
            "SOCKS4A://h",
            "socks5h://h",
            "ftp://h",
            "http://bad url",
            "http://",
            "h:99999",
            "h:0",
            "h:x",
            "h:",
            "://",
        ];
        for value in values {
            let error = chosen("https://x", &[("ALL_PROXY", value)]).expect_err(value);
            assert!(
                error.starts_with("ALL_PROXY: expected a proxy") && !error.contains("secret"),
                "{error}"
            );
            assert_eq!(
                error.contains("SOCKS"),
                value.to_lowercase().starts_with("socks"),
                "{error}"
            );
            // What goes around it is not held up by it.
            assert_eq!(chosen("https://x", &[("ALL_PROXY", value), ("NO_PROXY", "x")]), Ok(None));
        }
    }

    /// As libcurl's own tests of `noproxy.c` have it (tests/unit/unit1614.c), with ports.
    #[test]
    fn exceptions() {
        for (host, list, direct) in [
            ("www.example.com", "localhost,.example.com,.example.de", true),
            ("www.example.com.", "localhost .example.com", true),
            ("example.com", "localhost\t.example.com", true),
            ("www.EXAMPLE.com", "example.COM.", true),
            ("wwwexample.com", "example.com", false),
            ("example.com", "example", false),
            ("example.com", "*", true),
            ("www.example.com", "*.example.com", true),
            ("example.com", "", false),
            ("example.com:81", "example.com:81", true),
            ("example.com:81", "example.com:82", false),
            ("192.168.1.1", "192.168.0.0/16", true),
            ("192.168.1.1", "192.168.1.2", false),
            ("192.168.1.1", "192.168.1.1:80", true),
            ("192.169.1.1", "192.168.0.0/16", false),
            ("192.160.0.1", "10.0.0.0/0", true),
            ("192.160.0.1", "192.160.0.1/33", true),
            ("192.160.0.1", "168.1.1", false),
            ("[::1]", "::1", true),
            ("[fe80::1]", "[fe80::]/10", true),
            ("[fe80::1]", "fc00::/7", false),
            ("[::1]:8", "[::1]:8", true),
        ] {
            let found =
                chosen(&format!("http://{host}"), &[("http_proxy", "p:1"), ("no_proxy", list)]);
            assert_eq!(found.unwrap().is_none(), direct, "{host} {list}");
        }
    }
}
