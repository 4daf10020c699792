//! The routes: what a method and path lead to.

pub(crate) mod body;
mod embeddings;
mod generate;
mod guard;
mod host;
mod info;
mod tokens;

use crate::annex::{Annex, Serving};
use crate::app::App;
use crate::error::ApiError;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
pub use guard::wants_page;
use std::sync::Arc;

/// The routes of a server.
pub(crate) fn router(app: Arc<App>, annex: Option<Annex>) -> Router {
    let others = annex.map(|annex| {
        let _ = app.more_openapi.set(annex.openapi); // a router is made once
        (annex.routes)(Serving(app.clone()))
    });
    let own = Router::new()
        .route("/v1/chat/completions", post(generate::chat))
        .route("/v1/completions", post(generate::completion))
        .route("/v1/embeddings", post(embeddings::embeddings))
        .route("/v1/models", get(info::models))
        .route("/v1/models/{model}", get(info::model))
        .route("/tokenize", post(tokens::tokenize))
        .route("/detokenize", post(tokens::detokenize))
        .route("/health", get(info::health))
        .route("/ready", get(info::ready))
        .route("/metrics", get(info::metrics))
        .route("/openapi.json", get(info::openapi))
        .with_state(app.clone());
    own.merge(others.unwrap_or_default())
        .fallback(async || ApiError::not_found("not_found", "there is no such route"))
        .method_not_allowed_fallback(async || {
            ApiError::with_status(StatusCode::METHOD_NOT_ALLOWED, "this route has other methods")
                .coded("method_not_allowed")
        })
        .layer(from_fn_with_state(app, guard::guard))
}
