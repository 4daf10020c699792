//! A server that runs the model in place of this process.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// An OpenAI-compatible server.
///
/// ```
/// use pacemark_setup::{Secret, Server};
///
/// let server = Server { api_key: Some(Secret::new("sk-1")), ..Server::at("http://10.0.0.2:8000") };
/// assert!(!format!("{server:?}").contains("sk-1"), "a key is never shown");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its address, as `pacemark load --url` takes it.
    pub url: String,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
    /// What it calls the model; `None` for its only one.
    pub model: Option<String>,
    /// Further headers of every request.
    pub headers: Vec<(String, String)>,
    /// Certificates (PEM) to believe, in place of the system's.
    pub cacert: Option<PathBuf>,
    /// Believe any certificate.
    pub insecure: bool,
    /// A server that sends nothing for so long is given up.
    pub patience: Duration,
}

impl Server {
    /// How long is waited where nothing is said.
    pub const PATIENCE: Duration = Duration::from_secs(300);

    /// With everything else as usual.
    pub fn at(url: impl Into<String>) -> Server {
        Server {
            url: url.into(),
            api_key: None,
            model: None,
            headers: Vec::new(),
            cacert: None,
            insecure: false,
            patience: Self::PATIENCE,
        }
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// For who sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
