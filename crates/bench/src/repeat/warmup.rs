//! Runs that are not counted, until the machine has settled.
//!
//! llama-bench warms up with one prompt and one token, which is not enough where clocks, caches and
//! page tables need longer to settle (llama.cpp pull request 21282 shows a spread of 68 % that four
//! runs remove).

use super::Repeat;
use crate::{BenchError, Observer, Phase};
use pacemark_record::Warmup;

/// Two consecutive runs that differ by less have settled.
const AGREE: f64 = 0.03;

/// Never more runs than this.
const MAX_RUNS: usize = 6;

/// No further run once this much time has been spent, in nanoseconds of the backend's clock.
const MAX_ELAPSED_NS: u64 = 20_000_000_000;

/// Repeats the workload, with a shorter generation, until two runs agree or a bound is met.
pub(super) fn run(
    workload: &mut impl Repeat,
    observer: &mut dyn Observer,
) -> Result<Warmup, BenchError> {
    let n_tokens = workload.n_tokens(true) as u64;
    let mut warmup = Warmup { n_tokens, ..Warmup::default() };
    while !warmup.settled && warmup.elapsed_ns.len() < MAX_RUNS {
        workload.prepare(observer)?;
        observer.phase(Phase::Warmup(warmup.elapsed_ns.len() + 1));
        let sample = workload.once(observer, true)?;
        warmup.elapsed_ns.push(sample.elapsed_ns);
        warmup.settled = warmup.drift().is_some_and(|drift| drift.abs() <= AGREE);
        if warmup.elapsed_ns.iter().sum::<u64>() > MAX_ELAPSED_NS {
            break;
        }
    }
    Ok(warmup)
}
