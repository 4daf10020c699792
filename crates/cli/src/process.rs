//! When this process began, by the system's account. Linux only; elsewhere it is not known.

use std::time::Duration;

/// Ticks a second in `/proc/*/stat`: `USER_HZ`, 100 on every architecture that Pacemark runs on.
const USER_HZ: f64 = 100.0;

/// Time since the process was created, in steps of the kernel's 10 ms ticks.
pub(crate) fn age() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    age_from(&stat, &uptime)
}

/// `starttime` is the 22nd field of `stat`, the 20th after the command's name in parentheses
/// (`proc(5)`).
fn age_from(stat: &str, uptime: &str) -> Option<Duration> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let started: f64 = after_name.split_whitespace().nth(19)?.parse().ok()?;
    let now: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64((now - started / USER_HZ).max(0.0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_by_hand() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 1234 9 9";
        assert_eq!(age_from(stat, "12.54 20.00\n"), Some(Duration::from_millis(200)));
        assert_eq!(age_from("nonsense", "12.54"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_begun() {
        assert!(age().is_some());
    }
}
