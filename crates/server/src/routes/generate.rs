//! `/v1/chat/completions` and `/v1/completions`.

use super::body;
use crate::app::App;
use crate::error::Result;
use crate::log;
use crate::prepare;
use crate::respond::{Outcome, Record, Shape, in_one_piece, stream};
use axum::extract::{Extension, Request, State};
use axum::http::HeaderValue;
use axum::response::Response;
use pacemark_backend::layer::{self, StackLayer};
use std::sync::Arc;
use std::time::Instant;

/// A request's name, given when it came in.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub String);

/// `POST /v1/chat/completions`
pub(super) async fn chat(
    state: State<Arc<App>>,
    id: Extension<RequestId>,
    request: Request,
) -> Result<Response> {
    generate(state.0, id.0, request, Shape::Chat).await
}

/// `POST /v1/completions`
pub(super) async fn completion(
    state: State<Arc<App>>,
    id: Extension<RequestId>,
    request: Request,
) -> Result<Response> {
    generate(state.0, id.0, request, Shape::Completion).await
}

async fn generate(
    app: Arc<App>,
    id: RequestId,
    request: Request,
    shape: Shape,
) -> Result<Response> {
    layer::pass(StackLayer::Handler);
    let arrived = Instant::now();
    let mut places = app.enter(1)?;
    let body = body::read(&app, request.into_body()).await?;
    let begun = Instant::now();
    let job = match shape {
        Shape::Chat => body::prepare(&app, body, prepare::chat).await?,
        Shape::Completion => body::prepare(&app, body, prepare::completion).await?,
    };
    if !places.resize(job.requests.len()) {
        return Err(app.full());
    }
    let took = begun.elapsed();
    if let Some(note) = job.note.filter(|_| !app.options.quiet) {
        app.noted.call_once(|| log::line(format_args!("{note}")));
    }
    let record = Record {
        app: app.clone(),
        id: format!("{}{}", shape.id_prefix(), id.0),
        route: if shape == Shape::Chat { "/v1/chat/completions" } else { "/v1/completions" },
        arrived,
        prompt_tokens: job.prompt_tokens(),
        output_tokens: 0,
        prompt_text: job.prompt_text.clone(),
        taken: job.taken.clone(),
        open_answers: job.requests.len(),
        outcome: Outcome::Aborted,
    };
    let taken = job.taken.clone();
    let mut response = if job.stream {
        stream(&app, job, shape, record, places, took).await?
    } else {
        let response = in_one_piece(&app, job, shape, record, took).await;
        drop(places);
        response?
    };
    if let Some(taken) = taken.and_then(|taken| HeaderValue::try_from(taken).ok()) {
        response.headers_mut().insert("x-pacemark-note", taken);
    }
    Ok(response)
}
