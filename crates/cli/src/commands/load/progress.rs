//! How a load goes, on one line of standard error that is overwritten; on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_load::{Live, Watch};
use std::collections::VecDeque;
use std::time::Duration;

/// The rate shown is of this long.
const WINDOW: Duration = Duration::from_secs(2);

/// Watches a load.
pub struct Progress {
    bar: ProgressBar,
    name: String,
    /// Times and pieces of answers of the last window.
    recent: VecDeque<(Duration, u64)>,
}

impl Progress {
    /// indicatif draws nothing where standard error is not a terminal.
    pub fn new() -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Progress { bar, name: String::new(), recent: VecDeque::new() }
    }

    /// What is measured from now on.
    pub fn begin(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.recent.clear();
        self.bar.set_message(format!("{name}: making prompts"));
        self.bar.tick();
    }

    /// Prints with the line out of the way.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Watch for Progress {
    fn tick(&mut self, live: &Live) {
        self.recent.push_back((live.elapsed, live.frames));
        while self.recent.front().is_some_and(|(at, _)| *at + WINDOW < live.elapsed) {
            self.recent.pop_front();
        }
        let rate = match (self.recent.front(), self.recent.back()) {
            (Some((from, before)), Some((to, now))) if to > from => (now - before) as f64 / (*to - *from).as_secs_f64(),
            _ => 0.0,
        };
        let ttft = live.ttft_p50_ms.map_or(String::new(), |ms| format!(", ttft p50 {ms:.1} ms"));
        self.bar.set_message(format!(
            "{}: {:.0} s, {} in flight, {} done, {} failed, {rate:.0} chunks/s{ttft}",
            self.name,
            live.elapsed.as_secs_f64(),
            live.in_flight,
            live.done,
            live.failed,
        ));
        self.bar.tick();
    }
}
