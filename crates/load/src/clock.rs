//! The clock of all stamps: the system's monotonic clock, which all processes of a machine share.

use nix::time::{ClockId, clock_gettime};

fn read(clock: ClockId) -> u64 {
    // A clock that every system has cannot be refused.
    clock_gettime(clock).map_or(0, |now| now.tv_sec().max(0) as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}

/// Now, on the clock of all stamps, in nanoseconds.
pub fn now_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Processor time of this process, in nanoseconds.
pub fn process_cpu_ns() -> u64 {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// Stamps older than this were not taken by the same clock.
const OLDEST_NS: u64 = 10_000_000_000;

/// The kernel's stamp of a packet, which is of the wall clock, on the clock of all stamps: what has passed since then
/// before now.
pub(crate) fn from_wall_clock(stamp_ns: u64) -> u64 {
    let (now, wall) = (now_ns(), read(ClockId::CLOCK_REALTIME));
    let age = wall.saturating_sub(stamp_ns);
    // The wall clock may have been set in between.
    if age > OLDEST_NS { now } else { now.saturating_sub(age) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_stamp_keeps_its_age() {
        let stamp = read(ClockId::CLOCK_REALTIME) - 5_000_000;
        let (before, found) = (now_ns(), from_wall_clock(stamp));
        // The two clocks are not read at the same instant.
        assert!(found + 5_100_000 >= before && found <= now_ns() - 4_900_000, "{before} {found}");
        assert!(from_wall_clock(0) >= before, "of another clock");
    }
}
