//! What queries of tokens to come look like: those of the prompt, turned to the positions that
//! follow. Mean and covariance are of queries before their rotation; turned by the mean of the
//! rotations to come they give the logits to expect (Devoto et al., 2025, arXiv 2510.00636, §3).

/// Mean and covariance of the queries of one head.
#[derive(Clone, Debug)]
pub struct Future {
    /// `[head_dim]`
    mean: Vec<f32>,
    /// `[head_dim, head_dim]`
    covariance: Vec<f32>,
    scale: f32,
}

/// Sums over queries, each as it was before its rotation.
#[derive(Clone, Debug, Default)]
pub(crate) struct QuerySums {
    n: usize,
    sum: Vec<f64>,
    /// Of products, `[head_dim, head_dim]`.
    products: Vec<f64>,
}

impl QuerySums {
    pub(crate) fn add(&mut self, query: &[f32]) {
        let dim = query.len();
        self.sum.resize(dim, 0.0);
        self.products.resize(dim * dim, 0.0);
        self.n += 1;
        for (row, &a) in self.products.chunks_exact_mut(dim).zip(query) {
            row.iter_mut().zip(query).for_each(|(sum, &b)| *sum += f64::from(a) * f64::from(b));
        }
        self.sum.iter_mut().zip(query).for_each(|(sum, &x)| *sum += f64::from(x));
    }

    /// What is expected where the mean rotation of the positions to come is `turns`: cosine and
    /// sine for each pair `(i, i + turns.len())` of dimensions; the others do not rotate.
    pub(crate) fn turned(&self, turns: &[(f64, f64)], scale: f32) -> Future {
        let dim = self.sum.len();
        let n = self.n.max(1) as f64;
        let mut mean: Vec<f64> = self.sum.iter().map(|sum| sum / n).collect();
        let mut covariance: Vec<f64> = (0..dim * dim)
            .map(|at| self.products[at] / n - mean[at / dim] * mean[at % dim])
            .collect();
        let turn = |row: &mut [f64]| {
            for (i, (cos, sin)) in turns.iter().enumerate() {
                let (a, b) = (row[i], row[i + turns.len()]);
                row[i] = a * cos - b * sin;
                row[i + turns.len()] = a * sin + b * cos;
            }
        };
        // R C Rᵀ: rows, then columns as rows of the transpose, which is as symmetric as C.
        for _ in 0..2 {
            covariance.chunks_exact_mut(dim.max(1)).for_each(turn);
            covariance = (0..dim * dim).map(|at| covariance[at % dim * dim + at / dim]).collect();
        }
        turn(&mut mean);
        let to_f32 = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect();
        Future { mean: to_f32(mean), covariance: to_f32(covariance), scale }
    }
}

impl Future {
    /// The logarithm of the weight to expect of a key, up to a constant: of normal queries `q` the
    /// mean of `exp(scale * q · k)` is `exp(scale * mean · k + scale² / 2 * k · C k)`.
    pub fn logit(&self, key: &[f32]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let rows = self.covariance.chunks_exact(key.len());
        let spread: f32 = rows.zip(key).map(|(row, x)| x * dot(row, key)).sum();
        self.scale * dot(&self.mean, key) + self.scale * self.scale / 2.0 * spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_by_hand() {
        let mut sums = QuerySums::default();
        sums.add(&[1.0, 0.0]);
        sums.add(&[3.0, 2.0]);
        // Mean (2, 1), covariance all ones; turned by 90 degrees: (-1, 2), ones and minus ones.
        let future = sums.turned(&[(0.0, 1.0)], 0.5);
        assert_eq!(future.mean, [-1.0, 2.0]);
        assert_eq!(future.covariance, [1.0, -1.0, -1.0, 1.0]);
        assert_eq!(future.logit(&[2.0, 0.0]), 0.5 * -2.0 + 0.125 * 4.0);
    }

    #[test]
    fn half_turns_shrink_what_they_turn() {
        let mut sums = QuerySums::default();
        sums.add(&[1.0, 5.0, 1.0]);
        sums.add(&[-1.0, 5.0, 1.0]);
        let future = sums.turned(&[(0.5, 0.0)], 1.0);
        assert_eq!(future.mean, [0.0, 2.5, 1.0], "the third does not rotate");
        assert_eq!(future.covariance[0], 0.25);
    }
}
