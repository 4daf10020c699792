//! Reading a request's body, and working on it off the reactor.

use crate::app::{App, SMALL_BODY};
use crate::error::{ApiError, Result};
use crate::json::too_large;
use crate::prepare::Context;
use axum::body::Body;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use std::sync::Arc;

/// The whole body, within its limits of length and time.
pub(super) async fn read(app: &App, body: Body) -> Result<Bytes> {
    read_at_most(app, body, app.options.max_body_bytes).await
}

/// The same, of `limit` bytes at most.
pub(crate) async fn read_at_most(app: &App, body: Body, limit: usize) -> Result<Bytes> {
    match tokio::time::timeout(app.options.body_timeout, read_all(app, body, limit)).await {
        Ok(read) => read,
        Err(_) => {
            Err(ApiError::with_status(StatusCode::REQUEST_TIMEOUT, "the body takes too long")
                .coded("timeout"))
        }
    }
}

async fn read_all(app: &App, mut body: Body, limit: usize) -> Result<Bytes> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    let mut turn = None;
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| ApiError::invalid(format!("the body cannot be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = all.len() + first.as_ref().map_or(0, Bytes::len);
        if data.len() > limit - so_far.min(limit) {
            return Err(too_large(limit));
        }
        if so_far + data.len() > SMALL_BODY && turn.is_none() {
            turn = app.large_bodies.acquire().await.ok();
        }
        match first.take() {
            None if all.is_empty() => first = Some(data),
            None => all.extend_from_slice(&data),
            Some(before) => {
                all.extend_from_slice(&before);
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| all.freeze()))
}

/// Runs `work` on a thread that may block, a few at a time.
pub(super) async fn prepare<T: Send + 'static>(
    app: &Arc<App>,
    body: Bytes,
    work: impl FnOnce(&Context<'_>, &[u8]) -> Result<T> + Send + 'static,
) -> Result<T> {
    let closed = |_| ApiError::fault("the server has ended");
    let _turn = app.preparing.acquire().await.map_err(closed)?;
    let for_work = app.clone();
    let worked = tokio::task::spawn_blocking(move || work(&for_work.context(), &body)).await;
    worked.unwrap_or_else(|_| Err(ApiError::fault("preparing the request failed")))
}
