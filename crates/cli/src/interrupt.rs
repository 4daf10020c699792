//! Ctrl-C: the first asks a command to stop and show what it has, the second ends the process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code after the second Ctrl-C, as shells count signals: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Set once Ctrl-C was pressed. The first call installs the handler; without one (no signals here) it stays unset.
pub fn flag() -> &'static AtomicBool {
    static INTERRUPT: AtomicBool = AtomicBool::new(false);
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let handler = || {
            if INTERRUPT.swap(true, Ordering::Relaxed) {
                pacemark_files::remove_temporary_files();
                std::process::exit(INTERRUPTED);
            }
        };
        ctrlc::set_handler(handler).is_ok()
    });
    &INTERRUPT
}
