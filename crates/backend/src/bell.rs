//! Waking listeners once for everything that a service hands over at once.
//!
//! A token a request is handed over in each step, and waking a sleeping thread takes longer than
//! choosing a token. So a listener may collect what comes into its sinks, and be woken by its bell.

use std::fmt;
use std::sync::{Mutex, PoisonError, Weak};

/// Called on the service's thread when it has handed events to sinks; it must not block.
pub type Bell = dyn Fn() + Send + Sync;

/// The bells of a service.
#[derive(Default)]
pub struct Bells(Mutex<Vec<Weak<Bell>>>);

impl Bells {
    /// Adds a bell, until whoever holds it drops it.
    pub fn add(&self, bell: Weak<Bell>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bell);
    }

    /// Rings them all.
    pub fn ring(&self) {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|bell| bell.upgrade().inspect(|bell| bell()).is_some());
    }
}

impl fmt::Debug for Bells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bells")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[test]
    fn a_bell_rings_until_it_is_dropped() {
        let bells = Bells::default();
        let rung = Arc::new(AtomicUsize::new(0));
        let of_bell = rung.clone();
        let bell: Arc<Bell> = Arc::new(move || {
            of_bell.fetch_add(1, Relaxed);
        });
        bells.add(Arc::downgrade(&bell));
        bells.ring();
        bells.ring();
        drop(bell);
        bells.ring();
        assert_eq!(rung.load(Relaxed), 2);
        assert!(bells.0.lock().unwrap().is_empty());
    }
}
