//! What is under way, as a line on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_bench::{Observer, Phase};

/// Watches iterations.
pub(super) struct Watch {
    bar: ProgressBar,
    of: u32,
}

impl Watch {
    /// Of so many that count. A model is loaded first.
    pub(super) fn new(of: u32) -> Watch {
        // indicatif draws nothing where stderr is not a terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let watch = Watch { bar, of };
        watch.say("the model is loaded".to_owned());
        watch
    }

    fn say(&self, what: String) {
        self.bar.set_message(what);
        self.bar.tick();
    }
}

impl Observer for Watch {
    fn phase(&mut self, phase: Phase) {
        match phase {
            Phase::Warmup(number) => self.say(format!("warm-up {number}")),
            Phase::Repetition(number) => self.say(format!("iteration {number}/{}", self.of)),
            Phase::Depth => {}
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
