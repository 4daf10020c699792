//! How far a search is, on standard error; the record is kept after each round.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_bench::{Observer, Phase};
use pacemark_record::{Fate, Trial};

/// Watches a search.
pub(super) struct Watch<'a, 'o> {
    output: &'a mut Output<'o>,
    bar: ProgressBar,
    round: usize,
    /// Settings that are left, once a round was run.
    n_left: Option<usize>,
}

impl<'a, 'o> Watch<'a, 'o> {
    pub(super) fn new(output: &'a mut Output<'o>) -> Watch<'a, 'o> {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Watch { output, bar, round: 0, n_left: None }
    }
}

impl Observer for Watch<'_, '_> {
    fn phase(&mut self, phase: Phase) {
        if let Phase::Repetition(round) = phase {
            self.round = round;
        }
    }

    fn turn(&mut self, name: &str) {
        let left = self.n_left.map_or(String::new(), |n| format!(", {n} left"));
        self.bar.set_message(format!("round {}{left}: {name}", self.round));
        self.bar.tick();
    }

    fn chunk(&mut self, done: usize, of: usize, kld: f64) {
        self.bar.set_message(format!("answers: chunk {done} of {of}, mean KLD {kld:.4}"));
        self.bar.tick();
    }

    fn round(&mut self, trials: &[Trial]) {
        let racing = |trial: &&Trial| trial.tuned().is_some_and(|t| t.fate == Fate::Racing);
        self.n_left = Some(trials.iter().filter(racing).count());
        // What cannot be written now is told when the whole is.
        let _ = self.output.keep(trials.to_vec());
    }
}

impl Drop for Watch<'_, '_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
