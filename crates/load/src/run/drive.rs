//! A load under way: it is told of, its runtime's lag is measured, and it may be stopped.

use super::collect::Results;
use super::{Live, Shape, Shared, Watch, closed, open};
use crate::clock::now_ns;
use pacemark_record::stats;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often the caller is told, and its wish to stop looked at.
const TICK: Duration = Duration::from_millis(100);

/// How often the runtime's lag is measured.
const LAG_EVERY: Duration = Duration::from_millis(20);

/// Runs the load and tells of it. Gives the runtime's lags and how many requests were cut.
pub(super) async fn drive(
    shared: &Arc<Shared>,
    shape: Shape,
    results: &Arc<Mutex<Results>>,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> (Vec<u64>, u64) {
    let lags = Arc::new(Mutex::new(Vec::new()));
    let lag = tokio::spawn(measure_lag(lags.clone()));
    let work = async {
        match shape {
            Shape::Closed { concurrency } => closed::run(shared, concurrency).await,
            Shape::Open { arrivals, max_in_flight } => {
                open::run(shared, arrivals, max_in_flight).await
            }
        }
    };
    let mut cut = 0;
    {
        let mut work = pin!(work);
        // Who waited for others to begin may have been stopped by then.
        let wanted = !stop.load(Relaxed);
        while wanted && tokio::time::timeout(TICK, work.as_mut()).await.is_err() {
            let in_flight = shared.in_flight.load(Relaxed);
            watch.tick(&live(shared, results, in_flight));
            if stop.load(Relaxed) {
                cut = in_flight;
                break;
            }
        }
    } // Dropped here: what is in flight is given up.
    lag.abort();
    watch.tick(&live(shared, results, 0));
    let lags = std::mem::take(&mut *lags.lock().unwrap_or_else(|e| e.into_inner()));
    (lags, cut)
}

fn live(shared: &Shared, results: &Mutex<Results>, in_flight: u64) -> Live {
    let results = results.lock().unwrap_or_else(|e| e.into_inner());
    Live {
        elapsed: Duration::from_nanos(now_ns() - shared.origin_ns),
        in_flight,
        done: results.requests.len() as u64 - results.failed,
        failed: results.failed,
        frames: shared.frames.load(Relaxed),
        ttft_p50_ms: stats::median(&results.latest_ttft_ms()),
    }
}

/// How much later than asked for a timer fires, again and again.
async fn measure_lag(lags: Arc<Mutex<Vec<u64>>>) {
    const MOST: usize = 1 << 20;
    loop {
        let before = now_ns();
        tokio::time::sleep(LAG_EVERY).await;
        let lag = (now_ns() - before).saturating_sub(LAG_EVERY.as_nanos() as u64);
        let mut lags = lags.lock().unwrap_or_else(|e| e.into_inner());
        if lags.len() < MOST {
            lags.push(lag);
        }
    }
}
