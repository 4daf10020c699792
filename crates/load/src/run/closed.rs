//! A fixed number of streams: each begins its next session when the one before has ended.

use super::{Shared, session};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Ends when no session is left to begin. Dropping it gives up what is in flight.
pub(super) async fn run(shared: &Arc<Shared>, concurrency: usize) {
    let mut streams = JoinSet::new();
    for _ in 0..concurrency {
        let shared = shared.clone();
        streams.spawn(async move {
            while let Some(next) = shared.next_session(None).await {
                session::run(&shared, next, None, false).await;
            }
        });
    }
    while streams.join_next().await.is_some() {}
}
