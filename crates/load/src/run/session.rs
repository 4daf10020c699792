//! One session: its turns one after the other.

use super::Shared;
use crate::analyse::analyse;
use crate::clock::now_ns;
use crate::net::Outgoing;
use crate::prompt::{Prompt, Session};
use crate::run::collect::Sent;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts a request in flight, however it ends.
struct InFlight<'a>(&'a AtomicU64);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicU64) -> InFlight<'a> {
        count.fetch_add(1, Relaxed);
        InFlight(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Runs it. `scheduled_ns` is when its first request was due, since the beginning; without one,
/// requests are due when they are sent. A failure ends it, and so do the bounds of the load.
pub(super) async fn run(
    shared: &Shared,
    session: Session,
    scheduled_ns: Option<u64>,
    held_back: bool,
) {
    let mut history: Vec<(&'static str, String)> = Vec::new();
    let n_turns = session.turns.len();
    let aim = shared.next_aim();
    for (i, turn) in session.turns.into_iter().enumerate() {
        // A later turn is due when the answer before it has come.
        let due_ns = scheduled_ns.filter(|_| i == 0);
        if !shared.may_begin(due_ns) {
            return;
        }
        let in_flight = InFlight::new(&shared.in_flight);
        let body = shared.maker.body(&history, &turn.prompt, turn.output_tokens);
        let outgoing = Outgoing {
            path: &aim.path,
            headers: &aim.headers,
            body,
            max_bytes: shared.max_answer_bytes,
            frames: &shared.frames,
        };
        let exchange = aim.exchange(outgoing).await;
        drop(in_flight);
        let sent = Sent {
            scheduled_ns: due_ns,
            prompt_tokens: turn.prompt_tokens,
            output_wanted: turn.output_tokens,
            turn: i as u32,
            held_back: held_back && i == 0,
            url: aim.url.clone(),
        };
        if i + 1 == n_turns {
            shared.collector.raw(exchange, sent, shared.origin_ns);
            return;
        }
        let analysed = analyse(exchange, shared.origin_ns);
        let (text, ok) = (analysed.text.clone(), analysed.request.is_ok());
        shared.collector.analysed(analysed, sent);
        if !ok {
            return;
        }
        if let Prompt::Text(asked) = turn.prompt {
            history.push(("user", asked));
        }
        history.push(("assistant", text));
    }
}

/// Since the beginning.
pub(super) fn elapsed_ns(shared: &Shared) -> u64 {
    now_ns().saturating_sub(shared.origin_ns)
}
