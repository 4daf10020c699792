//! Prompts are made ahead on a thread of their own, so that making them delays no request: not more
//! of them than a load can need, nor than memory should hold.

use super::Bounds;
use crate::prompt::{Session, Source};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// Sessions that may wait.
const MOST: usize = 1024;

/// Bytes of prompts that may wait; one session that has more waits alone.
const MOST_BYTES: usize = 64 << 20;

/// How often it is looked whether there is room.
const NAP: Duration = Duration::from_millis(1);

/// Sessions that wait to be begun.
pub(crate) struct Ahead {
    sessions: Mutex<mpsc::Receiver<Session>>,
    most_bytes: usize,
    waiting: AtomicUsize,
    bytes: AtomicUsize,
    /// All that there is room for waits, or all that there will be.
    filled: AtomicBool,
    /// The source had no more.
    exhausted: AtomicBool,
}

impl Ahead {
    /// An empty queue, and its other end.
    pub(crate) fn new() -> (Ahead, mpsc::Sender<Session>) {
        Ahead::with_room(MOST_BYTES)
    }

    fn with_room(most_bytes: usize) -> (Ahead, mpsc::Sender<Session>) {
        let (sender, receiver) = mpsc::channel(MOST);
        let (waiting, bytes, filled, exhausted) = Default::default();
        (
            Ahead { sessions: Mutex::new(receiver), most_bytes, waiting, bytes, filled, exhausted },
            sender,
        )
    }

    /// Makes sessions until there are as many as `bounds` can need, or `over`.
    pub(crate) fn make(
        &self,
        source: &mut dyn Source,
        bounds: Bounds,
        sender: &mpsc::Sender<Session>,
        over: &AtomicBool,
    ) {
        // Each is a request at least.
        let mut left = bounds.most();
        while left > 0 && !over.load(Relaxed) {
            let Some(session) = source.next() else {
                self.exhausted.store(true, Relaxed);
                break;
            };
            left -= 1;
            while self.is_full(session.bytes()) && !over.load(Relaxed) {
                self.filled.store(true, Relaxed);
                std::thread::sleep(NAP);
            }
            // Nobody takes any more: a full queue would be waited for without end.
            if over.load(Relaxed) {
                break;
            }
            self.bytes.fetch_add(session.bytes(), Relaxed);
            self.waiting.fetch_add(1, Relaxed);
            if sender.blocking_send(session).is_err() {
                break;
            }
        }
        self.filled.store(true, Relaxed);
    }

    /// There is no room for a session of so many bytes.
    fn is_full(&self, bytes: usize) -> bool {
        let waiting = self.waiting.load(Relaxed);
        waiting >= MOST
            || (waiting > 0 && self.bytes.load(Relaxed).saturating_add(bytes) > self.most_bytes)
    }

    /// Waits until no more can be made before the first is taken, or `stop`.
    pub(crate) fn wait_until_filled(&self, stop: &AtomicBool) {
        while !self.filled.load(Relaxed) && !stop.load(Relaxed) {
            std::thread::sleep(NAP);
        }
    }

    /// The next; `None` when there are no more.
    pub(crate) async fn next(&self) -> Option<Session> {
        let session = self.sessions.lock().await.recv().await?;
        self.waiting.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(session.bytes(), Relaxed);
        Some(session)
    }

    /// The source had no more.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Prompt, Turn, Verified};

    /// Prompts of the given lengths.
    struct Lengths(std::vec::IntoIter<usize>);

    impl Source for Lengths {
        fn next(&mut self) -> Option<Session> {
            let prompt = Prompt::Text("x".repeat(self.0.next()?));
            Some(Session { turns: vec![Turn { prompt, ..Turn::default() }] })
        }

        fn lengths(&self) -> Verified {
            Verified::default()
        }
    }

    /// Sessions and bytes that wait when nobody takes any, what comes when somebody does, and
    /// whether that was all there is.
    fn made(lengths: &[usize], requests: Option<u64>) -> ((usize, usize), Vec<usize>, bool) {
        let (ahead, sender) = Ahead::with_room(100);
        let mut source = Lengths(Vec::from(lengths).into_iter());
        let (over, bounds) = (AtomicBool::new(false), Bounds { requests, ..Bounds::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        std::thread::scope(|scope| {
            let (ahead, over) = (&ahead, &over);
            scope.spawn(move || ahead.make(&mut source, bounds, &sender, over));
            ahead.wait_until_filled(over);
            let waiting = (ahead.waiting.load(Relaxed), ahead.bytes.load(Relaxed));
            let mut came = Vec::new();
            while let Some(session) = runtime.block_on(ahead.next()) {
                came.push(session.bytes());
            }
            (waiting, came, ahead.is_exhausted())
        })
    }

    #[test]
    fn memory_and_need_bound_what_is_made_ahead() {
        assert_eq!(made(&[40; 5], None), ((2, 80), vec![40; 5], true));
        // One that is longer than all that may wait waits alone, and holds up nothing for good.
        assert_eq!(made(&[300, 300, 10], None), ((1, 300), vec![300, 300, 10], true));
        assert_eq!(made(&[10, 300, 10], None), ((1, 10), vec![10, 300, 10], true));
        assert_eq!(made(&[0; 3000], None).0, (MOST, 0));
        // No more than there will be requests.
        assert_eq!(made(&[1; 50], Some(4)), ((4, 4), vec![1; 4], false));
    }

    #[test]
    fn a_load_that_is_over_ends_it() {
        // Held up by bytes, and by a queue that has no place left.
        for lengths in [vec![90; 9], vec![0; 3000]] {
            let (ahead, sender) = Ahead::with_room(100);
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let (ahead, over) = (&ahead, &over);
                scope.spawn(move || {
                    ahead.make(&mut Lengths(lengths.into_iter()), Bounds::default(), &sender, over)
                });
                ahead.wait_until_filled(over);
                over.store(true, Relaxed);
            });
            assert!(!ahead.is_exhausted());
        }
    }
}
