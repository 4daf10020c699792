//! What else a server answers to, beside the model: routes of others, behind the same keys, limits and
//! errors, and what they may know and ask of the serving itself.

use crate::admission::Places;
use crate::app::App;
use crate::error::{ApiError, Result};
use crate::json;
use crate::routes::body;
use axum::Router;
use axum::body::Body;
use axum::http::HeaderMap;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Routes of others.
pub struct Annex {
    /// Makes them, with what they may know of the serving.
    pub routes: Box<dyn FnOnce(Serving) -> Router + Send>,
    /// What they are in the document of the API: its `paths` and `components`, which stand beside the
    /// server's own.
    pub openapi: Value,
}

/// The serving, for who has routes beside it.
#[derive(Clone)]
pub struct Serving(pub(crate) Arc<App>);

/// The server, asked to end, waits for this as it does for answers.
pub struct Work(Arc<App>);

/// No answer is computed as long as this lives: whoever asks for one is told to come later.
pub struct Hold {
    app: Arc<App>,
    _all: Places,
}

impl Serving {
    /// Answers under way.
    pub fn answers(&self) -> usize {
        self.0.admission.taken()
    }

    /// Whether the server is about to end.
    pub fn is_draining(&self) -> bool {
        self.0.draining()
    }

    /// Something is under way that is no answer, and has until the end of the drain's time to end.
    pub fn work(&self) -> Work {
        self.0.works.send_modify(|n| *n += 1);
        Work(self.0.clone())
    }

    /// Holds the serving if no answer is under way at this moment, for that reason.
    pub fn hold(&self, why: &str) -> Option<Hold> {
        let all = self.0.admission.enter_alone()?;
        *self.0.held() = Some(why.to_owned());
        Some(Hold { app: self.0.clone(), _all: all })
    }

    /// What requests may call the model.
    pub fn model_names(&self) -> &[String] {
        &self.0.options.model_names
    }

    /// Whether every request must carry a key.
    pub fn has_keys(&self) -> bool {
        !self.0.options.api_keys.is_empty()
    }

    /// A body, within the server's limits of length and time, and `most` bytes.
    ///
    /// # Errors
    /// Where it is longer, takes too long, or cannot be read.
    pub async fn body(&self, headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes> {
        let told = headers.get(axum::http::header::CONTENT_LENGTH);
        let told = told.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let most = most.min(self.0.options.max_body_bytes);
        if told.is_some_and(|told| told > most) {
            return Err(json::too_large(most));
        }
        let read = body::read_at_most(&self.0, body, most).await?;
        Ok(read)
    }

    /// A body as a type; the error names the field, what was expected and what was found.
    ///
    /// # Errors
    /// Where it is no such thing.
    pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
        json::parse(body)
    }
}

impl Work {
    /// It ends before it is done, since the server does: that is no good end.
    pub fn cut_short(&self) {
        self.0.works_cut.store(true, Relaxed);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.works.send_modify(|n| *n -= 1);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        *self.app.held() = None;
    }
}

/// What the paths and components of `more` add to a document. Its own stay.
pub(crate) fn join(document: &mut Value, more: &Value) {
    let parts = [&["paths"][..], &["components", "schemas"], &["components", "parameters"]];
    for path in parts {
        let found = path.iter().try_fold(more, |at, key| at.get(key)).and_then(Value::as_object);
        let Some(more) = found else { continue };
        let mut own = &mut *document;
        for key in path {
            own = &mut own[*key];
        }
        for (name, value) in more {
            if own.get(name).is_none() {
                own[name.as_str()] = value.clone();
            }
        }
    }
}

impl ApiError {
    /// Answers are not computed now, for that reason.
    pub(crate) fn held(why: &str) -> ApiError {
        let message = format!("no answers are computed now: {why}; try again later");
        ApiError::with_status(axum::http::StatusCode::SERVICE_UNAVAILABLE, message)
            .coded("benchmark_running")
    }
}
