//! Handing requests to the service.

use crate::app::App;
use pacemark_backend::{GenerateRequest, Sink, Ticket};

/// Submits requests, each with the sink that `sink` makes for it. Compiling a grammar takes long,
/// so it must not keep the reactor, and only a few at a time.
pub(super) async fn submit(
    app: &App,
    requests: Vec<GenerateRequest>,
    mut sink: impl FnMut(usize, &GenerateRequest) -> Sink,
) -> Vec<Ticket> {
    let constrained = requests.iter().any(|request| request.constraint.is_some());
    let all = requests.into_iter().enumerate();
    let all = all.map(|(i, request)| {
        let sink = sink(i, &request);
        app.service.submit(request, sink)
    });
    if !constrained {
        return all.collect();
    }
    let _turn = app.preparing.acquire().await;
    tokio::task::block_in_place(|| all.collect())
}
