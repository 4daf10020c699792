//! The interval of a rate over time, whose slices are not independent of each other.

use super::bootstrap::{Interval, expanded, student};
use super::describe::mean;
use crate::rng::SplitMix64;

/// The method's name, for every place that shows one of its intervals.
pub const BLOCK_BOOTSTRAP: &str = "circular block bootstrap of the mean over equal slices of time, 2000 resamples, seed 0, expanded \
    for the number of blocks, or Student's t over blocks where that is wider";

const RESAMPLES: usize = 2000;

/// Fewer blocks than this give no interval.
const MIN_BLOCKS: usize = 4;

/// Interval for the mean of a series in order of time, at level `confidence`, from resamples of
/// `block` neighbours each: what one slice shares with the next stays together. `None` for fewer
/// than four blocks.
///
/// Politis and Romano, "A circular block-resampling procedure for stationary data", in "Exploring
/// the Limits of Bootstrap" (1992). A few blocks are a few values, so the levels are expanded for
/// their number as those of [`mean_interval`](super::mean_interval) are, and the interval is no
/// narrower than Student's over blocks that do not overlap ("batch means": Law, "Simulation Modeling
/// and Analysis", 5th ed., 9.5.3). With blocks twice as long as what neighbours share lasts that
/// covers; with blocks as long as that, or levels that take slices for independent, it does not
/// (`tests/simulation.rs`).
pub fn block_interval(series: &[f64], block: usize, confidence: f64) -> Option<Interval> {
    let n = series.len();
    let n_blocks = n.checked_div(block)?;
    if n_blocks < MIN_BLOCKS || series.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let blocks = (0..n_blocks).map(|i| &series[i * n / n_blocks..(i + 1) * n / n_blocks]);
    let batch_means: Vec<f64> = blocks.filter_map(mean).collect();
    let expanded = expanded(resampled(series, block), n_blocks, confidence)?;
    Some(expanded.joined(student(&batch_means, confidence)?))
}

/// Means of resamples.
fn resampled(series: &[f64], block: usize) -> Vec<f64> {
    let n = series.len();
    // Sums over any run of neighbours, going round at the end.
    let round = || (0..2 * n).map(|i| series[i % n]);
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(round().scan(0.0, |sum, x| {
            *sum += x;
            Some(*sum)
        }))
        .collect();
    let mut rng = SplitMix64::new(0);
    let mut resample = || {
        let mut left = n;
        let mut sum = 0.0;
        while left > 0 {
            let (from, length) = (rng.below(n), block.min(left));
            sum += sums[from + length] - sums[from];
            left -= length;
        }
        sum / n as f64
    };
    (0..RESAMPLES).map(|_| resample()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An autoregressive series, x ← 0.9 x + noise, around 100.
    fn correlated(n: usize, seed: u64) -> Vec<f64> {
        let mut rng = SplitMix64::new(seed);
        let mut uniform = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
        let mut x = 0.0;
        (0..n)
            .map(|_| {
                x = 0.9 * x + uniform();
                100.0 + x
            })
            .collect()
    }

    #[test]
    fn blocks_keep_what_neighbours_share() {
        let series = correlated(400, 1);
        let width = |block| block_interval(&series, block, 0.95).map(|i| i.high - i.low).unwrap();
        // Independent slices would claim 1/√19 of the true spread of the mean: √((1 + 0.9)/(1 −
        // 0.9)) = 4.36.
        assert!(width(40) > 2.0 * width(1), "{} {}", width(40), width(1));
    }

    #[test]
    fn covers_about_as_often_as_it_says() {
        let covered = (0..200).filter(|seed| {
            let interval = block_interval(&correlated(400, *seed), 40, 0.95).unwrap();
            (interval.low..=interval.high).contains(&100.0)
        });
        let covered = covered.count();
        assert!((165..=199).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn equal_and_few_slices() {
        assert_eq!(block_interval(&[2.0; 12], 3, 0.95), Some(Interval { low: 2.0, high: 2.0 }));
        assert_eq!(block_interval(&[2.0; 11], 3, 0.95), None);
        assert_eq!(block_interval(&[2.0; 11], 0, 0.95), None);
    }
}
