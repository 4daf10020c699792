//! Where and how requests are sent.

use super::LoadError;
use crate::Target;
use crate::body::Endpoint;
use crate::net::{Connections, Connector, ConnectorError, Timeouts, Trust};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

/// Where and how requests are sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server.
    pub target: Target,
    /// Further servers that requests are spread over, in turn.
    pub others: Vec<Target>,
    /// Whom to believe who the server is, over `https`.
    pub trust: Trust,
    /// Its endpoint.
    pub endpoint: Endpoint,
    /// What requests call the model.
    pub model: String,
    /// Answers come as streams.
    pub stream: bool,
    /// Whether connections are used again.
    pub connections: Connections,
    /// How long is waited.
    pub timeouts: Timeouts,
    /// Sent as a bearer token.
    pub api_key: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Fields added to every body; null leaves one of ours out.
    pub extra_body: Map<String, Value>,
    /// Longest answer in bytes.
    pub max_answer_bytes: usize,
    /// Let the kernel stamp what arrives, where it does.
    pub kernel_stamps: bool,
}

impl Settings {
    /// For a server, with everything else as usual.
    pub fn new(target: Target, endpoint: Endpoint, model: String) -> Settings {
        Settings {
            target,
            others: Vec::new(),
            trust: Trust::System,
            endpoint,
            model,
            stream: true,
            connections: Connections::Reuse,
            timeouts: Timeouts::default(),
            api_key: None,
            headers: Vec::new(),
            extra_body: Map::new(),
            max_answer_bytes: 16 << 20,
            kernel_stamps: true,
        }
    }

    /// Every server.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        std::iter::once(&self.target).chain(&self.others)
    }

    /// The same for one of them.
    pub fn at(&self, target: &Target) -> Settings {
        Settings { target: target.clone(), others: Vec::new(), ..self.clone() }
    }

    /// What opens its connections.
    pub(crate) async fn connector(&self, kernel_stamps: bool) -> Result<Connector, ConnectorError> {
        Connector::new(&self.target, &self.trust, self.timeouts, kernel_stamps).await
    }

    /// The headers of every request.
    pub(crate) fn header_map(&self) -> Result<HeaderMap, LoadError> {
        let mut map = HeaderMap::new();
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| LoadError::Header(text.to_owned()))
        };
        map.insert(HOST, value(&self.target.authority())?);
        if let Some(key) = &self.api_key {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| LoadError::Header("the API key".into()))?;
            bearer.set_sensitive(true);
            map.insert(AUTHORIZATION, bearer);
        }
        for (name, text) in &self.headers {
            let name: HeaderName = name.parse().map_err(|_| LoadError::Header(name.clone()))?;
            map.insert(name, value(text)?);
        }
        Ok(map)
    }
}
