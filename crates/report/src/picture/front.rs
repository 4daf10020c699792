//! Which of several points no other one beats: the Pareto front.

/// Which end of an axis is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Small values: bytes, time, perplexity.
    Lower,
    /// Large values: rates, accuracy.
    Higher,
}

impl Better {
    /// The value with its sign such that small is better.
    fn cost(self, value: f64) -> f64 {
        match self {
            Better::Lower => value,
            Better::Higher => -value,
        }
    }
}

/// Indices of the points `(x, y)` that no other one equals or beats in both, the best in `x` first.
/// Of points that are equal the first counts; one that is not finite never does.
///
/// ```
/// use pacemark_report::picture::{Better, front};
///
/// let bytes_and_perplexity = [(4.0, 15.0), (1.0, 21.0), (2.0, 16.0), (2.5, 16.5)];
/// assert_eq!(front(&bytes_and_perplexity, [Better::Lower, Better::Lower]), [1, 2, 0]);
/// ```
pub fn front(points: &[(f64, f64)], better: [Better; 2]) -> Vec<usize> {
    let cost = |i: usize| (better[0].cost(points[i].0), better[1].cost(points[i].1));
    let finite = |&i: &usize| points[i].0.is_finite() && points[i].1.is_finite();
    let mut order: Vec<usize> = (0..points.len()).filter(finite).collect();
    order.sort_by(|&a, &b| {
        let ((ax, ay), (bx, by)) = (cost(a), cost(b));
        ax.total_cmp(&bx).then(ay.total_cmp(&by))
    });
    let mut least = f64::INFINITY;
    order.retain(|&i| {
        let gains = cost(i).1 < least;
        least = least.min(cost(i).1);
        gains
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equals_one_stands_for_all_and_what_is_no_number_never_does() {
        let rate_and_perplexity = [
            (90.0, 15.0),
            (90.0, 15.0),
            (f64::NAN, 1.0),
            (f64::INFINITY, 1.0),
            (95.0, 15.0),
            (99.0, 20.0),
        ];
        assert_eq!(front(&rate_and_perplexity, [Better::Higher, Better::Lower]), [5, 4]);
        assert_eq!(front(&[(1.0, 1.0); 3], [Better::Lower; 2]), [0]);
        assert!(front(&[], [Better::Lower; 2]).is_empty());
    }
}
