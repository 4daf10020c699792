//! Answers under way, and how their events come from the service's thread to one stream.

use super::submit::submit;
use super::tickets::Tickets;
use crate::app::App;
use pacemark_backend::{Event, GenerateRequest, Sink};
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Answers under way; dropping this aborts those that have not ended.
pub(super) struct Submitted {
    /// Their tickets.
    pub tickets: Arc<Tickets>,
    /// Their events, each with the number of its answer.
    pub events: UnboundedReceiver<(u32, Event)>,
}

impl Submitted {
    /// Submits `requests`.
    pub(super) async fn new(app: &App, requests: Vec<GenerateRequest>) -> Submitted {
        let (sender, events) = unbounded_channel();
        let relay = app.relay.clone();
        let tickets = Tickets::new(app.options.max_unread_events.saturating_mul(requests.len()));
        let submitted = Submitted { tickets: tickets.clone(), events };
        let sink = |i: usize, _: &GenerateRequest| -> Sink {
            let (sender, of_sink, relay) = (sender.clone(), tickets.clone(), relay.clone());
            Box::new(move |event| {
                if of_sink.queued() {
                    relay.collect(&sender, i as u32, event);
                }
            })
        };
        for ticket in submit(app, requests, sink).await {
            tickets.keep(ticket);
        }
        app.relay.ring();
        submitted
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        self.tickets.give_up();
    }
}
