//! A progress bar on stderr; nothing where stderr is not a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a transfer has come. Disappears when dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over `total` bytes, or a count of bytes where the total is not known.
    pub(crate) fn new(total: Option<u64>) -> Progress {
        let template = match total {
            Some(_) => {
                "{bar:30} {decimal_bytes:>10}/{decimal_total_bytes} {decimal_bytes_per_sec:>12} {eta:>4} left"
            }
            None => "{spinner} {decimal_bytes} {decimal_bytes_per_sec}",
        };
        // indicatif draws nothing when stderr is not a terminal.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress { bar }
    }

    /// Begins behind `bytes` that are here already, and count for no rate.
    pub(crate) fn start_at(&self, bytes: u64) {
        self.set(bytes);
        self.bar.reset_eta();
    }

    /// The bytes that have come so far.
    pub(crate) fn set(&self, bytes: u64) {
        self.bar.set_position(bytes.min(self.bar.length().unwrap_or(u64::MAX)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
