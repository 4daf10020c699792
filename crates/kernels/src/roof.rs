//! The limits of this machine, measured: memory read bandwidth and arithmetic peaks of the chosen
//! instruction set.
//!
//! A roof is the best of several tries and patterns: what the machine has shown it can do, not an
//! average. It holds for the minutes in which it was taken; on a shared machine it swings. What is
//! done with it is left to others.

use crate::kernel_set::{KernelSet, PeakArgs};
use crate::{Arena, Chunk, Team, generic::peak};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Bytes that one task reads.
const PIECE: usize = 4 << 20;
/// Steps between two looks at the clock.
const STEPS: usize = 100_000;

/// Memory to read from, far larger than any cache.
pub struct Roof {
    kernels: &'static KernelSet,
    memory: Chunk,
}

impl Roof {
    /// Takes `bytes` of memory (rounded up to 4 MiB) and touches all of it.
    pub fn new(kernels: &'static KernelSet, bytes: usize) -> std::io::Result<Roof> {
        let bytes = bytes
            .max(PIECE)
            .checked_next_multiple_of(PIECE)
            .ok_or(std::io::ErrorKind::OutOfMemory)?;
        let mut memory = Arena::default().alloc(bytes)?;
        // Small positive floats, whichever way they are cut: no NaN, no subnormal number slows the
        // sums.
        memory.as_mut_slice().fill(0x3c);
        Ok(Roof { kernels, memory })
    }

    /// Bytes a second that the team reads together: the best pass over the memory within about
    /// `time`, of one stream and of four a thread.
    pub fn read_bytes_per_s(&self, team: &Team, time: Duration) -> f64 {
        let bytes = self.memory.as_slice();
        let best = [self.kernels.read_1, self.kernels.read_4].map(|kernel| {
            best_of(time / 2, || {
                team.run(bytes.len() / PIECE, &|task| {
                    let piece = &bytes[task * PIECE..][..PIECE];
                    let mut args = PeakArgs { memory: piece.as_ptr(), steps: PIECE, sum: 0.0 };
                    // SAFETY: the set's ISA was detected; the piece is as long as is said.
                    unsafe { kernel(&mut args) };
                    black_box(args.sum);
                });
            })
        });
        bytes.len() as f64 / best[0].min(best[1])
    }

    /// Operations a second on bytes (a multiplication and an addition are two) of all threads of
    /// the team together.
    pub fn int8_operations_per_s(&self, team: &Team, time: Duration) -> f64 {
        self.operations_per_s(
            team,
            time,
            self.kernels.int8_peak,
            peak::int8_operations(self.kernels.lanes),
        )
    }

    /// Operations a second on 32-bit floats of all threads of the team together.
    pub fn f32_operations_per_s(&self, team: &Team, time: Duration) -> f64 {
        self.operations_per_s(
            team,
            time,
            self.kernels.f32_peak,
            peak::f32_operations(self.kernels.lanes),
        )
    }

    /// Operations a second on pairs of bfloat16, summed in 32-bit floats, of all threads of the
    /// team together; `None` where the instruction set has no such products.
    pub fn bf16_operations_per_s(&self, team: &Team, time: Duration) -> Option<f64> {
        #[cfg(target_arch = "x86_64")]
        if self.kernels.isa == crate::Isa::Avx512 && crate::avx512::bf16::is_there() {
            use crate::avx512::bf16;
            return Some(self.operations_per_s(team, time, bf16::peak, bf16::OPERATIONS));
        }
        let _ = (team, time);
        None
    }

    fn operations_per_s(
        &self,
        team: &Team,
        time: Duration,
        kernel: unsafe fn(&mut PeakArgs),
        step: u64,
    ) -> f64 {
        let n_tasks = team.n_threads() * 8;
        let memory = self.memory.as_slice().as_ptr();
        // The task takes the address as a number: a pointer is not shared between threads, the
        // bytes behind it are.
        let memory = memory as usize;
        let best = best_of(time, || {
            team.run(n_tasks, &|_| {
                let mut args = PeakArgs { memory: memory as *const u8, steps: STEPS, sum: 0.0 };
                // SAFETY: the set's ISA was detected; the memory is read only, and far longer than
                // these kernels need.
                unsafe { kernel(&mut args) };
                black_box(args.sum);
            });
        });
        (n_tasks * STEPS) as f64 * step as f64 / best
    }
}

/// The shortest run of `f` in seconds, of as many as `time` allows and three at least.
fn best_of(time: Duration, mut f: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut best = f64::INFINITY;
    let mut runs = 0;
    while runs < 3 || started.elapsed() < time {
        let from = Instant::now();
        f();
        best = best.min(from.elapsed().as_secs_f64());
        runs += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_has_roofs() {
        let team = Team::new(2).unwrap();
        for kernels in crate::available() {
            let roof = Roof::new(kernels, 8 << 20).unwrap();
            let time = Duration::ZERO;
            let found = [
                roof.read_bytes_per_s(&team, time),
                roof.int8_operations_per_s(&team, time),
                roof.f32_operations_per_s(&team, time),
            ];
            // A machine that is slower than this does not run the test.
            assert!(
                found.iter().all(|x| x.is_finite() && *x > 1e6),
                "{:?}: {found:?}",
                kernels.isa
            );
            let bf16 = roof.bf16_operations_per_s(&team, time);
            assert!(bf16.is_none_or(|x| x.is_finite() && x > 1e6), "{:?}: {bf16:?}", kernels.isa);
        }
    }
}
