//! Routes that tell of the server itself.

use crate::annex::join;
use crate::app::App;
use crate::error::{ApiError, Result};
use crate::json::{answer, typed};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use pacemark_openai_api::{Model, ModelList};
use serde_json::{Value, json};
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
pub(super) async fn models(State(app): State<Arc<App>>) -> Result<Response> {
    let data = app.options.model_names.iter().map(|name| describe(&app, name)).collect();
    answer(&ModelList { object: "list".into(), data })
}

/// `GET /v1/models/NAME`
pub(super) async fn model(
    State(app): State<Arc<App>>,
    name: std::result::Result<Path<String>, PathRejection>,
) -> Result<Response> {
    let Path(name) = name.map_err(|error| ApiError::invalid(error.body_text()))?;
    app.context().check_model(Some(&name))?;
    answer(&describe(&app, &name))
}

/// `GET /health`: the process answers, and its engine will.
pub(super) async fn health(State(app): State<Arc<App>>) -> Result<StatusCode> {
    app.service.broken().map_or(Ok(StatusCode::OK), |why| Err(ApiError::broken(&why)))
}

/// `GET /ready`: requests are taken.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<StatusCode> {
    if app.draining() {
        return Err(ApiError::draining());
    }
    let held = app.held().clone();
    match held {
        Some(why) => Err(ApiError::held(&why)),
        None => health(State(app)).await,
    }
}

/// `GET /metrics`, for Prometheus
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    typed("text/plain; version=0.0.4; charset=utf-8", app.metrics.text(&*app.service))
}

/// `GET /openapi.json`: the document, with the names that the model has here.
pub(super) async fn openapi(State(app): State<Arc<App>>) -> Result<Response> {
    let document = serde_json::from_str(include_str!("../openapi.json"));
    let mut document: Value =
        document.map_err(|error| ApiError::fault(format!("openapi.json: {error}")))?;
    if let Some(more) = app.more_openapi.get() {
        join(&mut document, more);
    }
    let names: Vec<Option<&String>> =
        app.options.model_names.iter().map(Some).chain([None]).collect();
    for schema in document["components"]["schemas"]
        .as_object_mut()
        .into_iter()
        .flat_map(|schemas| schemas.values_mut())
    {
        if let Some(Value::Object(model)) = schema.pointer_mut("/properties/model")
            && model.contains_key("description")
        {
            model.insert("enum".into(), json!(names));
        }
    }
    answer(&document)
}
