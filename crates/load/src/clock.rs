//! The clock of all stamps: the system's monotonic clock, which all processes of a machine share.

use nix::time::{ClockId, clock_gettime};
use pacemark_record::{Began, env};
use std::cell::Cell;

fn read(clock: ClockId) -> u64 {
    // A clock that every system has cannot be refused.
    clock_gettime(clock)
        .map_or(0, |now| now.tv_sec().max(0) as u64 * 1_000_000_000 + now.tv_nsec() as u64)
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

/// The wall clock is slewed by 500 parts in a million at most: 50 µs in this time.
const AHEAD_EVERY_NS: u64 = 100_000_000;

/// Three readings of clocks that nothing interrupted take less.
const ATTEMPT_NS: u64 = 2_000;

/// How far the wall clock is before the clock of all stamps. The two are not read at the same
/// instant: of a few attempts the one that took the least time is taken, lest a thread that is
/// descheduled in between be off by that.
fn wall_clock_ahead_ns() -> i64 {
    let mut best = (u64::MAX, 0);
    for _ in 0..8 {
        let (before, wall, after) = (now_ns(), read(ClockId::CLOCK_REALTIME), now_ns());
        let took = after - before;
        if took < best.0 {
            best = (took, wall as i64 - (before + took / 2) as i64);
        }
        if took < ATTEMPT_NS {
            break;
        }
    }
    best.1
}

/// The beginning of a load, on the clocks of this machine.
pub(crate) fn began(origin_ns: u64) -> Began {
    let unix_ns = (origin_ns as i64).saturating_add(wall_clock_ahead_ns()).max(0) as u64;
    Began { boot: env::boot_id(), monotonic_ns: origin_ns, unix_ns }
}

thread_local! {
    /// The last difference between the clocks, and when it was found.
    static AHEAD: Cell<(i64, u64)> = const { Cell::new((0, 0)) };
}

/// The kernel's stamp of a packet, which is of the wall clock, on the clock of all stamps.
pub(crate) fn from_wall_clock(stamp_ns: u64) -> u64 {
    let now = now_ns();
    let (mut ahead, found_at) = AHEAD.get();
    if found_at == 0 || now - found_at > AHEAD_EVERY_NS {
        ahead = wall_clock_ahead_ns();
        AHEAD.set((ahead, now));
    }
    let stamp = (stamp_ns as i64).saturating_sub(ahead).max(0) as u64;
    // The wall clock may have been set in between.
    if stamp > now || now - stamp > OLDEST_NS { now } else { stamp }
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
