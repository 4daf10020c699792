//! Where a worker is: a host and a port, as people write them. Also which addresses are within a
//! house, for the protocol has no password. Connecting is `socket`'s.

use crate::RpcError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A worker's address as it was given: a name or a number, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why a text is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// There is no `:port`.
    #[error("{0:?} has no port; expected HOST:PORT, as in 192.168.1.7:50052")]
    NoPort(String),
    /// Nothing stands before the port.
    #[error("{0:?} has no host; expected HOST:PORT, as in 192.168.1.7:50052")]
    NoHost(String),
    /// The port is not a number from 1 to 65535.
    #[error("{text:?}: the port is {found:?}; expected a number from 1 to 65535")]
    Port {
        /// All of the text.
        text: String,
        /// What stands for the port.
        found: String,
    },
    /// An IPv6 address has colons itself.
    #[error("{0:?} has several colons; an IPv6 address stands in brackets, as in [::1]:50052")]
    Brackets(String),
    /// A host with characters that no host has.
    #[error("{text:?}: {found:?} is no name of a host and no address")]
    Host {
        /// All of the text.
        text: String,
        /// What stands for the host.
        found: String,
    },
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Endpoint, EndpointError> {
        let (host, port) =
            text.rsplit_once(':').ok_or_else(|| EndpointError::NoPort(text.to_owned()))?;
        if text.starts_with('[') && text.ends_with(']') {
            return Err(EndpointError::NoPort(text.to_owned()));
        }
        let wrong_host = || EndpointError::Host { text: text.to_owned(), found: host.to_owned() };
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']').ok_or_else(wrong_host)?;
                let address = inner.split('%').next().unwrap_or_default();
                address.parse::<std::net::Ipv6Addr>().map_err(|_| wrong_host())?;
                inner
            }
            None if host.contains(':') => return Err(EndpointError::Brackets(text.to_owned())),
            None if host.is_empty() => return Err(EndpointError::NoHost(text.to_owned())),
            None if !host.chars().all(in_a_name) => return Err(wrong_host()),
            None => host,
        };
        let wrong_port = || EndpointError::Port { text: text.to_owned(), found: port.to_owned() };
        // `parse` takes a sign, which no port has.
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong_port());
        }
        match port.parse() {
            Ok(0) | Err(_) => Err(wrong_port()),
            Ok(port) => Ok(Endpoint { host: host.to_owned(), port }),
        }
    }
}

/// Letters of all languages, for resolvers take those, but nothing that a URL or a shell would add.
fn in_a_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '.' | '_')
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint { host: address.ip().to_string(), port: address.port() }
    }
}

impl Endpoint {
    /// The address that the system's resolver gives, of IPv4 if there is one: llama.cpp's server
    /// listens on nothing else.
    ///
    /// # Errors
    /// Where the resolver fails, and where it knows the name but no address of it.
    pub fn resolve(&self) -> Result<SocketAddr, RpcError> {
        let unresolved = |why: String| RpcError::Unresolved { endpoint: self.clone(), why };
        let found: Vec<SocketAddr> = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| unresolved(error.to_string()))?
            .collect();
        preferred(&found).ok_or_else(|| unresolved("it resolves to nothing".to_owned()))
    }
}

fn preferred(found: &[SocketAddr]) -> Option<SocketAddr> {
    found.iter().find(|address| address.is_ipv4()).or(found.first()).copied()
}

/// Whether an address is of this machine or of a private network: loopback, RFC 1918, link-local,
/// carrier-grade NAT (100.64/10, which overlay networks use), and IPv6's unique local, link-local
/// and loopback. An IPv4 address within an IPv6 one is judged as itself.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private_v4(v4),
            None => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        },
    }
}

fn is_private_v4(v4: Ipv4Addr) -> bool {
    let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0b1100_0000 == 64;
    // The unspecified address reaches this machine.
    v4.is_loopback() || v4.is_unspecified() || v4.is_private() || v4.is_link_local() || shared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Endpoint>().unwrap_err().to_string()
    }

    #[test]
    fn reads_what_it_writes() {
        for text in ["localhost:50052", "10.0.0.7:1", "[::1]:65535", "[fe80::1%eth0]:9", "größe:7"]
        {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:80".parse::<Endpoint>().unwrap().host, "::1");
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(error("worker").contains("has no port"));
        assert!(error("[::1]").contains("has no port"));
        assert!(error(":50052").contains("has no host"));
        assert!(error("::1:50052").contains("in brackets"));
        for port in ["0", "65536", "-1", "+7", "", "x"] {
            assert!(error(&format!("worker:{port}")).contains("from 1 to 65535"), "{port}");
        }
        assert!(error("http://worker:80").contains("colons"));
        assert!(error("a/b:80").contains("no name of a host"));
        assert!(error("[worker]:80").contains("no name of a host"));
        assert!(error("[::1:80").contains("no name of a host"));
    }

    #[test]
    fn prefers_ipv4_and_names_what_resolves_to_nothing() {
        let v6: SocketAddr = "[::1]:1".parse().unwrap();
        let v4: SocketAddr = "127.0.0.1:1".parse().unwrap();
        assert_eq!(preferred(&[v6, v4]), Some(v4));
        assert_eq!(preferred(&[v6]), Some(v6));
        assert_eq!(preferred(&[]), None);
        let nowhere = Endpoint { host: "nowhere.invalid".into(), port: 1 };
        assert!(nowhere.resolve().unwrap_err().to_string().contains("nowhere.invalid:1"));
    }

    #[test]
    fn knows_the_private_networks() {
        let private = |text: &str| is_private(text.parse().unwrap());
        for inside in [
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fd00::1",
            "fc00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(private(inside), "{inside}");
        }
        for outside in [
            "8.8.8.8",
            "172.32.0.1",
            "172.15.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.169.0.1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "fec0::1",
        ] {
            assert!(!private(outside), "{outside}");
        }
    }
}
