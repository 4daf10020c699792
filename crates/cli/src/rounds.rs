//! Rounds of an experiment that takes several in turn, on a terminal and in the record: who is at work,
//! and after each round what there is so far.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_bench::{Observer, Phase};
use pacemark_record::Trial;

/// A line on standard error, where that is a terminal, and a record that has every round.
pub(crate) struct Watch<'a, 'o> {
    output: &'a mut Output<'o>,
    bar: ProgressBar,
    round: usize,
}

impl<'a, 'o> Watch<'a, 'o> {
    /// Who shows nothing yet, and keeps in `output`.
    pub(crate) fn new(output: &'a mut Output<'o>) -> Watch<'a, 'o> {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {msg}");
        bar.set_style(style.expect("a template without fields of its own"));
        Watch { output, bar, round: 0 }
    }
}

impl Observer for Watch<'_, '_> {
    fn phase(&mut self, phase: Phase) {
        if let Phase::Repetition(round) = phase {
            self.round = round;
        }
    }

    fn turn(&mut self, name: &str) {
        self.bar.set_message(format!("round {}: {name}", self.round));
        self.bar.tick();
    }

    fn chunk(&mut self, done: usize, of: usize, kld: f64) {
        self.bar.set_message(format!("quality: chunk {done} of {of}, mean KLD {kld:.4}"));
        self.bar.tick();
    }

    fn round(&mut self, trials: &[Trial]) {
        // What cannot be written now is told when the whole is.
        let _ = self.output.keep(trials.to_vec());
    }
}

impl Drop for Watch<'_, '_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
