//! Questions to a server outside of a load: which models it has, and what tokens a text has. One at
//! a time, waited for.

use crate::Target;
use crate::net::{Connections, Connector, Outgoing, Pool, exchange};
use crate::prompt::{EncodeError, Encoder};
use crate::run::{LoadError, Settings};
use hyper::header::HeaderMap;
use pacemark_files::excerpt;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use tokio::runtime::Runtime;

/// Longest answer.
const MAX_BYTES: usize = 32 << 20;

/// A server that is asked.
pub struct Api {
    /// One question at a time.
    runtime: Mutex<Runtime>,
    connector: Connector,
    pool: Pool,
    headers: HeaderMap,
    target: Target,
    model: String,
}

/// No answer to a question.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It could not be asked.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It did not answer.
    #[error("{}: {kind}: {}", excerpt(path), excerpt(message))]
    Failed {
        /// What was asked.
        path: String,
        /// What went wrong.
        kind: &'static str,
        /// What was found.
        message: String,
    },
    /// It answered something else.
    #[error("{}: expected {expected}, found: {found}", excerpt(path))]
    Unexpected {
        /// What was asked.
        path: String,
        /// What an answer looks like.
        expected: &'static str,
        /// The answer's beginning.
        found: String,
    },
}

impl Api {
    /// For the server of a load.
    pub fn new(settings: &Settings) -> Result<Api, ApiError> {
        let headers = settings.header_map()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(LoadError::Start)?;
        let connector = runtime.block_on(settings.connector(false)).map_err(LoadError::from)?;
        Ok(Api {
            runtime: Mutex::new(runtime),
            connector,
            pool: Pool::new(Connections::Reuse),
            headers,
            target: settings.target.clone(),
            model: settings.model.clone(),
        })
    }

    /// A GET, or a POST of `body`.
    fn ask(&self, path: String, body: Option<&Value>) -> Result<Value, ApiError> {
        let frames = AtomicU64::new(0);
        let outgoing = Outgoing {
            path: &path,
            headers: &self.headers,
            body: body.map(Value::to_string).unwrap_or_default(),
            max_bytes: MAX_BYTES,
            frames: &frames,
        };
        let runtime = self.runtime.lock().unwrap_or_else(|e| e.into_inner());
        let answer = runtime.block_on(exchange(&self.connector, &self.pool, outgoing)).answer;
        let failed = |kind, message| ApiError::Failed { path: path.clone(), kind, message };
        let received = answer.map_err(|failure| failed(failure.kind.name(), failure.message))?;
        let shown =
            || String::from_utf8_lossy(&received.bytes).chars().take(200).collect::<String>();
        if !received.status.is_success() {
            return Err(failed("status", format!("{}: {}", received.status, shown())));
        }
        serde_json::from_slice(&received.bytes).map_err(|_| ApiError::Unexpected {
            path: path.clone(),
            expected: "JSON",
            found: shown(),
        })
    }

    /// What the server calls its models.
    pub fn models(&self) -> Result<Vec<String>, ApiError> {
        let answer = self.ask(self.target.of_api("/models"), None)?;
        let models = answer.get("data").and_then(Value::as_array);
        let ids = models.map(|models| {
            models.iter().filter_map(|model| Some(model.get("id")?.as_str()?.to_owned()))
        });
        ids.map(Iterator::collect).ok_or_else(|| ApiError::Unexpected {
            path: self.target.of_api("/models"),
            expected: "data with ids",
            found: answer.to_string().chars().take(200).collect(),
        })
    }

    fn tokens(&self, body: &Value) -> Option<Vec<u32>> {
        let answer = self.ask(self.target.beside_api("/tokenize"), Some(body)).ok()?;
        let tokens = answer.get("tokens")?.as_array()?;
        tokens.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect()
    }

    /// The server counts tokens for us. In which words it is asked is tried first.
    pub fn encoder(self) -> Result<RemoteEncoder, EncodeError> {
        for words in [Words::Vllm, Words::LlamaServer] {
            let found = self.tokens(&words.body(&self.model, "a few words", false));
            if found.is_some_and(|tokens| !tokens.is_empty()) {
                return Ok(RemoteEncoder { api: self, words });
            }
        }
        Err(EncodeError(
            "the server has no /tokenize that answers like vLLM's or llama-server's".into(),
        ))
    }
}

/// How `/tokenize` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    Vllm,
    LlamaServer,
}

impl Words {
    fn body(self, model: &str, text: &str, special: bool) -> Value {
        match self {
            Words::Vllm => json!({ "model": model, "prompt": text, "add_special_tokens": special }),
            Words::LlamaServer => json!({ "content": text, "add_special": special }),
        }
    }
}

/// A server's own tokenizer.
pub struct RemoteEncoder {
    api: Api,
    words: Words,
}

impl Encoder for RemoteEncoder {
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, EncodeError> {
        let body = self.words.body(&self.api.model, text, special);
        self.api
            .tokens(&body)
            .ok_or_else(|| EncodeError("the server's /tokenize did not answer".into()))
    }

    fn is_remote(&self) -> bool {
        true
    }
}
