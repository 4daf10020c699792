//! Sessions that begin at their times, whether those before are answered or not.

use super::Shared;
use super::session::{self, elapsed_ns};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// A thread that sleeps is woken within some 60 µs; a timer of the runtime ticks in milliseconds.
const NAP: Duration = Duration::from_millis(50);

/// Tells the thread that the load was given up.
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Ends when the last session that arrived has ended. Dropping it gives up what is in flight.
pub(super) async fn run(
    shared: &Arc<Shared>,
    arrivals: Box<dyn Iterator<Item = u64> + Send>,
    max_in_flight: usize,
) {
    let (due, mut dues) = mpsc::unbounded_channel();
    let over = Over(Arc::new(AtomicBool::new(false)));
    let (bounds, origin) = (shared.clone(), over.0.clone());
    let clock = std::thread::Builder::new().name("arrivals".into());
    // The shared state is let go of before the thread naps for the last time, or the load would
    // wait for it.
    let started = clock.spawn(move || tell(&bounds, arrivals, &due, &origin));
    if started.is_err() {
        return;
    }
    let permits = Arc::new(Semaphore::new(max_in_flight));
    let mut sessions = JoinSet::new();
    // Whatever was due until then waited for a place.
    let mut full_until_ns = 0;
    while let Some(at_ns) = dues.recv().await {
        let permit = match permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let Ok(permit) = permits.clone().acquire_owned().await else { break }; // never closed
                full_until_ns = elapsed_ns(shared);
                permit
            }
        };
        let held_back = at_ns < full_until_ns;
        if held_back && shared.is_over(None) {
            shared.unsent.fetch_add(1, Relaxed);
            continue;
        }
        let Some(next) = shared.next_session(Some(at_ns)).await else { break };
        while sessions.try_join_next().is_some() {}
        let shared = shared.clone();
        sessions.spawn(async move {
            session::run(&shared, next, Some(at_ns), held_back).await;
            drop(permit);
        });
    }
    drop(dues);
    while sessions.join_next().await.is_some() {}
}

/// Sends every arrival at its time.
fn tell(
    shared: &Shared,
    arrivals: Box<dyn Iterator<Item = u64> + Send>,
    due: &mpsc::UnboundedSender<u64>,
    over: &AtomicBool,
) {
    let last_ns = shared.bounds.last_ns();
    let most = usize::try_from(shared.bounds.most()).unwrap_or(usize::MAX);
    for at_ns in arrivals.take(most).take_while(|at| *at < last_ns) {
        loop {
            let left = Duration::from_nanos(at_ns.saturating_sub(elapsed_ns(shared)));
            if over.load(Relaxed) || shared.enough.load(Relaxed) {
                return;
            }
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(NAP));
        }
        if due.send(at_ns).is_err() {
            return;
        }
    }
}
