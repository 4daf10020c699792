//! What is under way, as a line on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_bench::{Observer, Phase};

/// Watches rounds.
pub(super) struct Watch {
    bar: ProgressBar,
    n_rounds: usize,
    setting: String,
}

impl Watch {
    pub(super) fn new(n_rounds: usize) -> Watch {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Watch { bar, n_rounds, setting: String::new() }
    }

    /// The next setting begins.
    pub(super) fn setting(&mut self, name: &str) {
        name.clone_into(&mut self.setting);
    }

    fn show(&self, what: &str) {
        self.bar.set_message(format!("{}: {what}", self.setting));
        self.bar.tick();
    }
}

impl Observer for Watch {
    fn turn(&mut self, what: &str) {
        self.show(what);
    }

    fn phase(&mut self, phase: Phase) {
        match phase {
            Phase::Repetition(round) => self.show(&format!("round {round}/{}", self.n_rounds)),
            Phase::Warmup(_) | Phase::Depth => self.show("a few layers are made"),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
