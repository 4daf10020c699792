//! Ctrl-C, and the signals that mean the same: SIGTERM (a container or a batch system that stops)
//! and SIGHUP (a terminal that closes). The first asks a command to stop and show what it has, the
//! second ends the process.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// As shells count processes that a signal ended.
const SIGNALLED: i32 = 128;

/// Set once one of the signals came. The first call installs the handler; without one (no signals
/// here) it stays unset.
pub(crate) fn flag() -> &'static AtomicBool {
    static INTERRUPT: AtomicBool = AtomicBool::new(false);
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let mut wanted = vec![SIGINT, SIGTERM];
        // What `nohup` starts is to live on, and what is handled is no longer ignored.
        if ends_with_terminal() {
            wanted.push(SIGHUP);
        }
        let Ok(mut signals) = Signals::new(wanted) else { return false };
        let wait = move || {
            for signal in signals.forever() {
                if INTERRUPT.swap(true, Ordering::Relaxed) {
                    pacemark_files::remove_temporary_files();
                    std::process::exit(SIGNALLED + signal);
                }
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(wait).is_ok()
    });
    &INTERRUPT
}

/// Whether SIGHUP is to end a command: `nohup` says that it is not.
pub(crate) fn ends_with_terminal() -> bool {
    !is_ignored(SIGHUP)
}

/// Whoever started this process had it ignore the signal (`SigIgn` in proc(5)).
fn is_ignored(signal: i32) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, signal))
}

/// Bit N − 1 of the hexadecimal mask is signal N.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    #[test]
    fn masks_of_signals() {
        let status = "Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\n";
        assert!(
            super::ignores(status, 1) && super::ignores(status, 13) && !super::ignores(status, 2)
        );
        assert!(!super::ignores("", 1) && !super::ignores("SigIgn:\tnonsense", 1));
    }
}
