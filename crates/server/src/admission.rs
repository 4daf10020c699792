//! Who may come in: a bound on the answers that are asked for at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Places for answers.
#[derive(Debug)]
pub(crate) struct Admission {
    taken: AtomicUsize,
    places: usize,
}

/// Places that are taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Places {
    of: Arc<Admission>,
    n: usize,
}

impl Admission {
    /// Room for so many.
    pub(crate) fn new(places: usize) -> Arc<Admission> {
        Arc::new(Admission { taken: AtomicUsize::new(0), places })
    }

    /// Places taken now.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// Places in all.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Takes all places, if none is taken.
    pub(crate) fn enter_alone(self: &Arc<Admission>) -> Option<Places> {
        self.taken.compare_exchange(0, self.places, Relaxed, Relaxed).ok()?;
        Some(Places { of: self.clone(), n: self.places })
    }

    /// Takes `n` places, or none if there are not so many.
    pub(crate) fn enter(self: &Arc<Admission>, n: usize) -> Option<Places> {
        let taken = |taken: usize| taken.checked_add(n).filter(|sum| *sum <= self.places);
        self.taken.fetch_update(Relaxed, Relaxed, taken).ok()?;
        Some(Places { of: self.clone(), n })
    }
}

impl Places {
    /// Takes or gives back places until there are `n`; false if there is no room for them.
    pub(crate) fn resize(&mut self, n: usize) -> bool {
        if n > self.n {
            let Some(mut more) = self.of.enter(n - self.n) else { return false };
            more.n = 0;
        } else {
            self.of.taken.fetch_sub(self.n - n, Relaxed);
        }
        self.n = n;
        true
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.of.taken.fetch_sub(self.n, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_and_come_back() {
        let room = Admission::new(3);
        let mut two = room.enter(2).unwrap();
        assert!(room.enter(2).is_none());
        assert!(room.enter(usize::MAX).is_none());
        let one = room.enter(1).unwrap();
        assert!(!two.resize(3));
        drop(one);
        assert!(two.resize(3) && room.enter(1).is_none());
        assert!(two.resize(1));
        assert_eq!(room.taken(), 1);
        assert!(room.enter_alone().is_none());
        drop(two);
        let all = room.enter_alone().unwrap();
        assert!(room.enter(1).is_none());
        drop(all);
        assert_eq!(room.taken(), 0);
    }
}
