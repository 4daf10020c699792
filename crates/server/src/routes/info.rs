//! Routes that tell of the server itself.

use super::{json, typed};
use crate::app::App;
use crate::error::{ApiError, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use pacemark_openai_api::{Model, ModelList};
use std::sync::Arc;

fn describe(app: &App, name: &str) -> Model {
    Model {
        id: name.into(),
        object: "model".into(),
        created: app.created,
        owned_by: "pacemark".into(),
        max_model_len: Some(app.info.n_ctx as u64),
    }
}

/// `GET /v1/models`
pub async fn models(State(app): State<Arc<App>>) -> Result<Response> {
    let data = app.options.model_names.iter().map(|name| describe(&app, name)).collect();
    json(&ModelList { object: "list".into(), data })
}

/// `GET /v1/models/NAME`
pub async fn model(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response> {
    app.context().check_model(Some(&name))?;
    json(&describe(&app, &name))
}

/// `GET /health`: the process answers.
pub async fn health() -> StatusCode {
    StatusCode::OK
}

/// `GET /ready`: requests are taken.
pub async fn ready(State(app): State<Arc<App>>) -> Result<StatusCode> {
    if app.draining() { Err(ApiError::draining()) } else { Ok(StatusCode::OK) }
}

/// `GET /metrics`, for Prometheus
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    typed("text/plain; version=0.0.4; charset=utf-8", app.metrics.text(&app.service.status()))
}

/// `GET /openapi.json`
pub async fn openapi() -> Response {
    typed("application/json", include_str!("../openapi.json"))
}
