//! When there are enough repetitions: a number of them, or as many as an interval needs to be narrow
//! (metrics.md, rule 6).

use pacemark_record::{Until, half_width};
use std::time::Duration;

/// Repetitions have ended by then, whatever their interval: more of them are kept and sorted than
/// any measurement needs.
const MOST: usize = 10_000;

/// How often something is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repetitions {
    /// At least so often; exactly, without [`Self::until`].
    pub least: usize,
    /// Until the figures are known well enough.
    pub until: Option<Until>,
}

impl Repetitions {
    /// Exactly so often.
    pub fn exactly(n: usize) -> Repetitions {
        Repetitions { least: n, until: None }
    }

    /// Whether these values, a list for each thing that is measured in turn, are enough after
    /// `elapsed`.
    pub fn are_enough(&self, values: &[Vec<f64>], elapsed: Duration) -> bool {
        let fewest = values.iter().map(Vec::len).min().unwrap_or(self.least);
        if fewest < self.least {
            return false;
        }
        let Some(until) = self.until else { return true };
        let is_known = |values: &Vec<f64>| until.is_met(half_width(values));
        elapsed >= until.max_time || fewest >= MOST || values.iter().all(is_known)
    }

    /// What is to be said where time or number ended the repetitions before these values were known
    /// well enough.
    pub fn missed(&self, values: &[f64]) -> Option<String> {
        self.until?.missed("mean", half_width(values), true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice::from_ref;

    const SECOND: Duration = Duration::from_secs(1);

    fn until(relative: f64) -> Repetitions {
        Repetitions { least: 5, until: Some(Until { relative, max_time: 9 * SECOND }) }
    }

    #[test]
    fn without_a_width_a_number_decides() {
        let five = Repetitions::exactly(5);
        assert!(!five.are_enough(&[vec![1.0; 4]], 9 * SECOND));
        assert!(five.are_enough(&[vec![1.0, 9.0, 1.0, 9.0, 5.0]], SECOND));
        assert!(!five.are_enough(&[vec![1.0; 5], vec![1.0; 4]], SECOND), "all in turn");
    }

    #[test]
    fn with_one_the_least_known_mean_decides_and_time_ends_it() {
        let steady = vec![100.0, 101.0, 99.0, 100.0, 102.0, 98.0];
        let wild = vec![100.0, 150.0, 60.0, 100.0, 140.0, 70.0];
        assert!(until(0.02).are_enough(from_ref(&steady), SECOND));
        assert!(!until(0.002).are_enough(from_ref(&steady), SECOND));
        assert!(!until(0.02).are_enough(&[steady.clone(), wild.clone()], SECOND));
        assert!(until(0.02).are_enough(from_ref(&wild), 9 * SECOND));
        assert!(!until(0.02).are_enough(&[wild[..4].to_vec()], 9 * SECOND), "at least so many");
        let many: Vec<f64> = wild.into_iter().cycle().take(MOST).collect();
        assert!(until(1e-9).are_enough(&[many], SECOND), "and no more than that");
        assert_eq!(until(0.02).missed(&steady), None);
        let said = until(0.002).missed(&steady).unwrap();
        assert!(said.contains("known to 1.") && said.ends_with("not to 0.2 %"), "{said}");
        assert_eq!(Repetitions::exactly(1).missed(&[1.0]), None);
    }
}
