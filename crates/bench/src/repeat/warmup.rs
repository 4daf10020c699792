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

/// How many runs are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Warmups {
    /// Counting begins with the first.
    None,
    /// As many as it takes until two agree, within a bound.
    #[default]
    UntilSettled,
    /// So many, whatever they say.
    Exactly(usize),
}

/// Repeats the workload, with a shorter generation, until two runs agree or a bound is met; or as
/// often as is said.
pub(super) fn run(
    workload: &mut impl Repeat,
    warmups: Warmups,
    observer: &mut dyn Observer,
) -> Result<Warmup, BenchError> {
    let n_tokens = workload.n_tokens(true) as u64;
    let mut warmup = Warmup { n_tokens, ..Warmup::default() };
    loop {
        let n_runs = warmup.elapsed_ns.len();
        let is_over = match warmups {
            Warmups::None => true,
            Warmups::UntilSettled => warmup.settled || n_runs >= MAX_RUNS,
            Warmups::Exactly(n) => n_runs >= n,
        };
        if is_over {
            break;
        }
        workload.prepare(observer)?;
        observer.phase(Phase::Warmup(warmup.elapsed_ns.len() + 1));
        let sample = workload.once(observer, true)?;
        warmup.elapsed_ns.push(sample.elapsed_ns);
        warmup.settled = warmup.drift().is_some_and(|drift| drift.abs() <= AGREE);
        let spent: u64 = warmup.elapsed_ns.iter().sum();
        if warmups == Warmups::UntilSettled && spent > MAX_ELAPSED_NS {
            break;
        }
    }
    Ok(warmup)
}
