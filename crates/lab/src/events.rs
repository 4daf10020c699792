//! A job's progress as it comes: server-sent events, until it is over, nobody listens any more,
//! or the server ends.

use crate::job::{Job, Status};
use crate::jobs::Jobs;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};

/// A sign of life where nothing happens: whoever has gone is noticed by it.
const PULSE: Duration = Duration::from_secs(10);

/// The stream of a job that is there.
pub(crate) fn stream(jobs: &Arc<Jobs>, id: String) -> Response {
    let (to, heard) = channel(4);
    let (jobs, mut changes) = (Arc::clone(jobs), jobs.changes());
    tokio::spawn(async move {
        let mut before = None;
        while let Some(job) = look(&jobs, &id).await {
            let is_over = job.status.is_over();
            let waits = job.status == Status::Queued;
            if before.as_ref() != Some(&job) {
                let data = serde_json::to_string(&job).unwrap_or_default();
                let name = if is_over { "end" } else { "progress" };
                if to.send(Bytes::from(format!("event: {name}\ndata: {data}\n\n"))).await.is_err() {
                    return;
                }
                before = Some(job);
            }
            if is_over || (waits && jobs.is_ended()) {
                return;
            }
            match tokio::time::timeout(PULSE, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => {
                    if to.send(Bytes::from_static(b": waiting\n\n")).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    let mut response = pacemark_server::typed("text/event-stream", Body::new(Events(heard)));
    let no_store = axum::http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(axum::http::header::CACHE_CONTROL, no_store);
    response
}

/// A job as it stands, which may be read from a disk.
async fn look(jobs: &Arc<Jobs>, id: &str) -> Option<Job> {
    let (jobs, id) = (Arc::clone(jobs), id.to_owned());
    tokio::task::spawn_blocking(move || jobs.get(&id)).await.ok()?
}

/// What was told.
struct Events(Receiver<Bytes>);

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|told| told.map(|bytes| Ok(Frame::data(bytes))))
    }
}
