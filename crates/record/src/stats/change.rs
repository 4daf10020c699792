//! Where a series of figures changes: the places that can be told from noise.

use crate::rng::SplitMix64;

/// How they are found, for every place that shows one.
pub const CHANGE_POINTS: &str =
    "E-divisive: energy distance, permutation test with 999 orders, seed 0";

/// How sure a change is: a history is looked at again with every run, and each look is another chance
/// to be wrong.
pub const CHANGE_CONFIDENCE: f64 = 0.99;

/// Values on each side of a change: one alone is an outlier.
const FEWEST: usize = 2;

/// Orders that are tried.
const PERMUTATIONS: usize = 999;

/// The indices at which a new level begins, in order. A series without a change gives one with a
/// probability of at most 1 − `confidence`, whatever its distribution, if its values are independent.
///
/// Matteson and James, "A nonparametric approach for multiple change point analysis of multivariate
/// data", JASA 109 (2014): the series is cut where the energy distance between both parts is largest,
/// and so on with the parts, as long as fewer than 1 − `confidence` of all orders within the parts
/// have as large a distance somewhere. Daly et al., "The use of change point detection to identify
/// software performance regressions in a continuous integration system", ICPE 2020, have shown that
/// this fits histories of benchmarks.
pub fn change_points(values: &[f64], confidence: f64) -> Vec<usize> {
    if values.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    let mut rng = SplitMix64::new(0);
    let mut bounds = vec![0, values.len()];
    loop {
        let mut parts: Vec<Part> =
            bounds.windows(2).map(|pair| Part::of(&values[pair[0]..pair[1]])).collect();
        let found = parts
            .iter()
            .zip(&bounds)
            .filter_map(|(part, from)| part.best_cut().map(|(at, distance)| (from + at, distance)));
        let Some((at, distance)) = found.max_by(|a, b| a.1.total_cmp(&b.1)) else { break };
        if !is_rare(&mut parts, distance, confidence, &mut rng) {
            break;
        }
        bounds.push(at);
        bounds.sort_unstable();
    }
    bounds[1..bounds.len() - 1].to_vec()
}

/// Fewer than 1 − `confidence` of all orders within the parts have a cut of as large a distance.
fn is_rare(parts: &mut [Part], distance: f64, confidence: f64, rng: &mut SplitMix64) -> bool {
    // The same values summed in another order are as large.
    let bar = distance * (1.0 - 1e-9);
    // The order that was found is one of all.
    let allowed = ((1.0 - confidence) * (PERMUTATIONS + 1) as f64) as usize;
    let mut as_large = 1;
    for _ in 0..PERMUTATIONS {
        parts.iter_mut().for_each(|part| part.shuffle(rng));
        let largest = parts.iter().filter_map(Part::best_cut).map(|(_, d)| d);
        as_large += usize::from(largest.fold(f64::NEG_INFINITY, f64::max) >= bar);
        if as_large > allowed {
            return false;
        }
    }
    true
}

/// A part of a series, in some order.
struct Part {
    values: Vec<f64>,
    /// Of each value the sum of |a − b| to all others, which no order changes.
    totals: Vec<f64>,
}

impl Part {
    fn of(values: &[f64]) -> Part {
        let totals = values.iter().map(|value| sum_to(*value, values)).collect();
        Part { values: values.to_vec(), totals }
    }

    fn shuffle(&mut self, rng: &mut SplitMix64) {
        for i in (1..self.values.len()).rev() {
            let j = rng.below(i + 1);
            self.values.swap(i, j);
            self.totals.swap(i, j);
        }
    }

    /// Where to cut so that both sides are farthest apart, and how far that is; `None` of what is too
    /// short to be cut.
    fn best_cut(&self) -> Option<(usize, f64)> {
        let n = self.values.len();
        let pairs = |m: usize| (m * (m - 1) / 2) as f64;
        // Sums of |a − b| over pairs within the left side, within the right one, and across.
        let (mut left, mut across) = (0.0, 0.0);
        let mut right = self.totals.iter().sum::<f64>() / 2.0;
        let mut best: Option<(usize, f64)> = None;
        for at in 1..n {
            // One value more goes to the left.
            let before = sum_to(self.values[at - 1], &self.values[..at - 1]);
            let behind = self.totals[at - 1] - before;
            left += before;
            right -= behind;
            across += behind - before;
            if at < FEWEST || n - at < FEWEST {
                continue;
            }
            let (m, k) = (at as f64, (n - at) as f64);
            let energy = 2.0 * across / (m * k) - left / pairs(at) - right / pairs(n - at);
            let distance = m * k / (m + k) * energy;
            if best.is_none_or(|(_, largest)| distance > largest) {
                best = Some((at, distance));
            }
        }
        best
    }
}

/// Four sums at once: one alone waits for each addition.
fn sum_to(value: f64, others: &[f64]) -> f64 {
    let (fours, rest) = others.as_chunks::<4>();
    let [mut a, mut b, mut c, mut d] = [0.0; 4];
    for four in fours {
        a += (value - four[0]).abs();
        b += (value - four[1]).abs();
        c += (value - four[2]).abs();
        d += (value - four[3]).abs();
    }
    let rest: f64 = rest.iter().map(|other| (value - other).abs()).sum();
    (a + b) + (c + d) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition of the distance, with all sums made anew.
    fn distance(part: &[f64], at: usize) -> f64 {
        let mean = |a: &[f64], b: &[f64]| {
            let sum: f64 = a.iter().map(|x| sum_to(*x, b)).sum();
            sum / (a.len() * b.len()) as f64
        };
        let within = |a: &[f64]| mean(a, a) * a.len() as f64 / (a.len() - 1) as f64;
        let (a, b) = part.split_at(at);
        let (m, k) = (a.len() as f64, b.len() as f64);
        m * k / (m + k) * (2.0 * mean(a, b) - within(a) - within(b))
    }

    #[test]
    fn the_best_cut_is_that_of_the_definition() {
        let mut rng = SplitMix64::new(5);
        for n in 4..30 {
            let part: Vec<f64> = (0..n).map(|_| rng.below(1000) as f64).collect();
            let (at, found) = Part::of(&part).best_cut().unwrap();
            let largest = (2..n - 1).map(|at| distance(&part, at)).fold(f64::MIN, f64::max);
            assert!((found - largest).abs() < 1e-6 && (found - distance(&part, at)).abs() < 1e-6);
        }
        assert_eq!(Part::of(&[1.0, 2.0, 3.0]).best_cut(), None);
    }

    #[test]
    fn levels_by_eye() {
        let level = |value: f64| [0.0, 1.0, -1.0, 0.5, -0.5, 0.2].map(|noise| value + noise);
        let series = [level(100.0), level(100.0), level(90.0), level(90.0), level(130.0)].concat();
        assert_eq!(change_points(&series, 0.95), vec![12, 24]);
        assert!(change_points(&[level(100.0), level(100.0)].concat(), 0.95).is_empty());
        assert!(change_points(&[5.0; 40], 0.95).is_empty(), "nothing changes");
        assert!(change_points(&[1.0, 2.0], 0.95).is_empty());
        assert!(change_points(&[], 0.95).is_empty());
        let mut one = [level(100.0), level(100.0)].concat();
        one[6] = 300.0;
        assert!(change_points(&one, 0.95).is_empty(), "one value that is far off is no level");
        one[6] = f64::NAN;
        assert!(change_points(&one, 0.95).is_empty());
    }
}
