//! Where requests go: the address of an OpenAI-compatible server.

use hyper::Uri;
use hyper::http::uri::Scheme;
use pacemark_files::excerpt;

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path before `/v1`; empty for most.
    pub prefix: String,
}

/// An address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not an address.
    #[error("'{}' is not an address: expected http://HOST[:PORT][/v1]", excerpt(.0))]
    Malformed(String),
    /// Encrypted.
    #[error("'{}': https is not in this build, only http; measure through a plain port, or a proxy such as stunnel", excerpt(.0))]
    Encrypted(String),
}

impl Target {
    /// From `http://host:port`, with or without `/v1`.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        let malformed = || TargetError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        if uri.scheme() == Some(&Scheme::HTTPS) {
            return Err(TargetError::Encrypted(text.to_owned()));
        }
        let plain = uri.scheme() == Some(&Scheme::HTTP) && uri.query().is_none();
        let host = uri.host().filter(|host| plain && !host.is_empty()).ok_or_else(malformed)?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(malformed());
        }
        let path = uri.path().trim_end_matches('/');
        let prefix = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Target { host, port: uri.port_u16().unwrap_or(80), prefix })
    }

    /// For the `Host` header.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let target =
            |text: &str| Target::parse(text).map(|t| (t.host.clone(), t.port, t.prefix.clone(), t.authority()));
        for (text, host, port, prefix, authority) in [
            ("http://localhost:8000", "localhost", 8000, "", "localhost:8000"),
            ("http://localhost:8000/v1/", "localhost", 8000, "", "localhost:8000"),
            ("http://a.b/openai/v1", "a.b", 80, "/openai", "a.b:80"),
            ("http://[::1]:9/x", "::1", 9, "/x", "[::1]:9"),
        ] {
            assert_eq!(target(text), Ok((host.into(), port, prefix.into(), authority.into())), "{text}");
        }
        assert!(matches!(target("https://x/v1"), Err(TargetError::Encrypted(_))));
        for wrong in ["", "localhost", "localhost:8000", "ftp://x", "http://", "/v1", "http://u@x", "http://x?y"] {
            assert!(matches!(target(wrong), Err(TargetError::Malformed(_))), "{wrong}");
        }
    }
}
