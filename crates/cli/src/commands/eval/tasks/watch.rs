//! Tasks as they go on: a bar on a terminal, and the record, which is kept now and then.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_bench::Observer;
use pacemark_record::Trial;
use std::time::{Duration, Instant};

/// What was measured is not in the record for so long at most.
const KEPT: Duration = Duration::from_secs(5);

/// Watches the items of one pass.
pub(super) struct Watch<'o, 'e> {
    bar: ProgressBar,
    output: &'o mut Output<'e>,
    /// Of the passes before.
    earlier: Vec<Trial>,
    kept: Instant,
    is_told: bool,
}

impl<'o, 'e> Watch<'o, 'e> {
    pub(super) fn new(output: &'o mut Output<'e>, earlier: Vec<Trial>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta:>4} left, {msg}")
        {
            bar.set_style(style);
        }
        Watch { bar, output, earlier, kept: Instant::now(), is_told: false }
    }
}

impl Observer for Watch<'_, '_> {
    fn turn(&mut self, setting: &str) {
        self.bar.set_message(setting.to_owned());
    }

    fn computed(&mut self, done: usize, of: usize) {
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
    }

    /// The first failure is told at once; the last, at the end, ends the command.
    fn round(&mut self, trials: &[Trial]) {
        if self.kept.elapsed() < KEPT {
            return;
        }
        self.kept = Instant::now();
        let so_far = super::in_order([&self.earlier, trials].concat());
        if let Err(error) = self.output.keep(so_far).map_err(|error| format!("{error:#}"))
            && !std::mem::replace(&mut self.is_told, true)
        {
            self.bar.suspend(|| eprintln!("warning: {error}; measuring goes on"));
        }
    }
}

impl Drop for Watch<'_, '_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
