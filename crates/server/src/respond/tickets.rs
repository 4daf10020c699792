//! The tickets of a request's answers, and the rule for clients that do not read.

use pacemark_backend::Ticket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// Tickets, which the connection and, when too much is unread, the service's thread can give up.
#[derive(Debug)]
pub(super) struct Tickets {
    tickets: Mutex<Vec<Ticket>>,
    unread: AtomicUsize,
    max_unread: usize,
    given_up: AtomicBool,
    runtime: Handle,
}

impl Tickets {
    /// None yet; must be called on the runtime.
    pub(super) fn new(max_unread: usize) -> Arc<Tickets> {
        Arc::new(Tickets {
            tickets: Mutex::default(),
            unread: AtomicUsize::new(0),
            max_unread,
            given_up: AtomicBool::new(false),
            runtime: Handle::current(),
        })
    }

    /// Keeps a ticket.
    pub(super) fn keep(&self, ticket: Ticket) {
        let mut tickets = self.tickets.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tickets.push(ticket);
        if self.given_up.load(Relaxed) {
            tickets.clear();
        }
    }

    /// Gives up: aborts all that has not ended.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Relaxed);
        let tickets = std::mem::take(
            &mut *self.tickets.lock().unwrap_or_else(|poisoned| poisoned.into_inner()),
        );
        drop(tickets);
    }

    /// Whether they were given up.
    pub(super) fn given_up(&self) -> bool {
        self.given_up.load(Relaxed)
    }

    /// An event was queued for the connection, on the service's thread; false if there are too many
    /// and it is to be dropped. A ticket must not be dropped on that thread, so the runtime does
    /// it.
    pub(super) fn queued(self: &Arc<Tickets>) -> bool {
        if self.unread.fetch_add(1, Relaxed) < self.max_unread {
            return true;
        }
        if !self.given_up.swap(true, Relaxed) {
            let tickets = self.clone();
            self.runtime.spawn(async move { tickets.give_up() });
        }
        false
    }

    /// An event was taken.
    pub(super) fn taken(&self) {
        self.unread.fetch_sub(1, Relaxed);
    }
}
