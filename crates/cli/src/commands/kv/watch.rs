//! A study as it goes on: a line on a terminal, and the record after each round.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_bench::{Observer, Phase};
use pacemark_record::Trial;

/// Watches the rounds of one pass.
pub(super) struct Watch<'o, 'e> {
    bar: ProgressBar,
    n_rounds: usize,
    phase: String,
    method: String,
    /// Keeps the record.
    output: &'o mut Output<'e>,
    /// Of the passes before.
    earlier: Vec<Trial>,
    is_told: bool,
}

impl<'o, 'e> Watch<'o, 'e> {
    pub(super) fn new(output: &'o mut Output<'e>, earlier: Vec<Trial>, n_rounds: usize) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let (phase, method) = (String::new(), String::new());
        Watch { bar, n_rounds, phase, method, output, earlier, is_told: false }
    }

    fn show(&self, further: &str) {
        self.bar.set_message(format!("{}: {}{further}", self.phase, self.method));
        self.bar.tick();
    }
}

impl Observer for Watch<'_, '_> {
    fn turn(&mut self, method: &str) {
        method.clone_into(&mut self.method);
        self.show("");
    }

    fn phase(&mut self, phase: Phase) {
        self.phase = match phase {
            Phase::Repetition(round) => format!("round {round}/{}", self.n_rounds),
            Phase::Warmup(_) | Phase::Depth => "warm-up".to_owned(),
        };
    }

    fn computed(&mut self, done: usize, of: usize) {
        let further = if done < of { format!(", scored {done}/{of}") } else { String::new() };
        self.show(&further);
    }

    /// The first failure is told at once; the last, at the end, ends the command.
    fn round(&mut self, trials: &[Trial]) {
        let so_far = [&self.earlier, trials].concat();
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
