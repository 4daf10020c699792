//! What HTTP asks of a server and hyper leaves to it: that a request names one host, and that an
//! answer reaches a client that is still sending.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Version, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use pacemark_backend::layer::{self, StackLayer};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long what a client still sends is read and thrown away after its answer.
const LINGER: Duration = Duration::from_secs(5);

/// Marks a request of HTTP/1.1 without a Host, or any with several (RFC 9112, 3.2), and lets no
/// body be left unread.
pub(super) async fn strict(request: Request, next: Next) -> Response {
    layer::pass(StackLayer::Http);
    let n_hosts = request.headers().get_all(header::HOST).iter().count();
    let mut request = request.map(Lingering::around);
    if n_hosts > 1 || (n_hosts == 0 && request.version() >= Version::HTTP_11) {
        request.extensions_mut().insert(WrongHosts(n_hosts));
    }
    next.run(request).await
}

/// So many Host headers came, which is not one: for whoever answers requests, since a call without
/// a socket needs none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrongHosts(pub usize);

/// A body that is read to its end even if its reader has seen enough. A connection that is closed
/// while bytes arrive resets, and a client that sends all before it reads never sees the answer.
struct Lingering(Option<Body>);

impl Lingering {
    fn around(body: Body) -> Body {
        if http_body::Body::is_end_stream(&body) { body } else { Body::new(Lingering(Some(body))) }
    }
}

impl http_body::Body for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = self.0.as_mut() else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let Some(mut body) = self.0.take()
            && !http_body::Body::is_end_stream(&body)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                let rest = async { while let Some(Ok(_)) = body.frame().await {} };
                let _ = tokio::time::timeout(LINGER, rest).await; // whoever sends for longer is not waited for
            });
        }
    }
}
