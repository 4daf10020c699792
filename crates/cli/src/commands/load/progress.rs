//! How a load goes, on one line of standard error that is overwritten; on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_load::{Bounds, Live, Watch};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

/// The rate shown is of this long.
const WINDOW: Duration = Duration::from_secs(2);

/// How often who waits for the beginning looks whether it is to stop.
const WAIT: Duration = Duration::from_millis(50);

/// Watches a load.
pub(super) struct Progress {
    bar: ProgressBar,
    name: String,
    bounds: Bounds,
    /// Times and pieces of answers of the last window.
    recent: VecDeque<(Duration, u64)>,
    /// When the first request may be sent; until it was.
    pub(super) start_at: Option<SystemTime>,
}

impl Progress {
    /// indicatif draws nothing where standard error is not a terminal.
    pub(super) fn new() -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // Cut to the terminal's width: a line that wraps cannot be overwritten.
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            bar.set_style(style);
        }
        Progress {
            bar,
            name: String::new(),
            bounds: Bounds::default(),
            recent: VecDeque::new(),
            start_at: None,
        }
    }

    fn say(&self, line: String) {
        self.bar.set_message(line); // and draws it
    }

    /// Prints with the line out of the way; what it said is over.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.set_message("");
        self.bar.suspend(print)
    }

    /// Pieces of answers a second, over the last window.
    fn rate(&mut self, live: &Live) -> f64 {
        self.recent.push_back((live.elapsed, live.frames));
        while self.recent.front().is_some_and(|(at, _)| *at + WINDOW < live.elapsed) {
            self.recent.pop_front();
        }
        match (self.recent.front(), self.recent.back()) {
            (Some((from, before)), Some((to, now))) if to > from => {
                now.saturating_sub(*before) as f64 / (*to - *from).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Watch for Progress {
    fn begin(&mut self, name: &str, bounds: Bounds) {
        name.clone_into(&mut self.name);
        self.bounds = bounds;
        self.recent.clear();
        self.say(format!("{name}: making prompts"));
    }

    fn start(&mut self, stop: &AtomicBool) {
        let Some(at) = self.start_at.take() else { return };
        if at < SystemTime::now() {
            self.suspend(|| eprintln!("note: --start-at has passed: it begins at once"));
        }
        while let Ok(left) = at.duration_since(SystemTime::now()) {
            if left.is_zero() || stop.load(Relaxed) {
                return;
            }
            std::thread::sleep(left.min(WAIT));
        }
    }

    fn tick(&mut self, live: &Live) {
        let rate = self.rate(live);
        self.say(line(&self.name, &self.bounds, live, rate));
    }
}

fn line(name: &str, bounds: &Bounds, live: &Live, rate: f64) -> String {
    let most = bounds.duration.or(bounds.until.map(|until| until.max_time));
    let of_duration = most.map_or(String::new(), |d| format!("/{:.0}", d.as_secs_f64()));
    // With `--until` it goes on beyond them.
    let of_requests = bounds.requests.filter(|_| bounds.until.is_none());
    let of_requests = of_requests.map_or(String::new(), |n| format!("/{n}"));
    let ttft = live.ttft_p50_ms.map_or(String::new(), |ms| format!(", ttft p50 {ms:.1} ms"));
    format!(
        "{name}: {:.0}{of_duration} s, {}{of_requests} done, {} in flight, {} failed, {rate:.0} chunks/s{ttft}",
        live.elapsed.as_secs_f64(),
        live.done,
        live.in_flight,
        live.failed,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_load_has_a_rate_of_its_own() {
        let mut progress = Progress::new();
        let live = |ms: u64, frames| Live {
            elapsed: Duration::from_millis(ms),
            frames,
            ..Live::default()
        };
        progress.begin("warm-up", Bounds::default());
        progress.rate(&live(0, 0));
        assert_eq!(progress.rate(&live(500, 100)), 200.0);
        progress.begin("4 streams", Bounds::default());
        // Time and count start again from nothing.
        assert_eq!((progress.rate(&live(100, 0)), progress.rate(&live(200, 50))), (0.0, 500.0));
        let bounds = Bounds {
            requests: Some(64),
            duration: Some(Duration::from_secs(30)),
            ..Bounds::default()
        };
        let live = Live { done: 3, ttft_p50_ms: Some(20.04), ..live(1200, 9) };
        let shown = line("4 streams", &bounds, &live, 7.4);
        assert_eq!(
            shown,
            "4 streams: 1/30 s, 3/64 done, 0 in flight, 0 failed, 7 chunks/s, ttft p50 20.0 ms"
        );
    }
}
