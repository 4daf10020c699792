//! What leaves candidates out. Each is `(logit, token)`, in any order.

use crate::TokenId;

/// Most likely first; equal ones by id, so that a draw does not depend on the sort.
fn sort(candidates: &mut [(f32, TokenId)]) {
    candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
}

/// Keeps the `k` most likely; all for 0.
pub(super) fn keep_top_k(candidates: &mut Vec<(f32, TokenId)>, k: usize) {
    if k > 0 && k < candidates.len() {
        candidates.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        candidates.truncate(k);
    }
}

/// Keeps the smallest set of the most likely whose probability reaches `p`.
pub(super) fn keep_top_p(candidates: &mut Vec<(f32, TokenId)>, p: f32) {
    if p >= 1.0 {
        return;
    }
    sort(candidates);
    let max = candidates.first().map_or(0.0, |c| c.0);
    let total: f64 = candidates.iter().map(|c| f64::from(c.0 - max).exp()).sum();
    let mut sum = 0.0;
    let enough = candidates.iter().position(|c| {
        sum += f64::from(c.0 - max).exp() / total;
        sum >= f64::from(p)
    });
    candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
}

/// Keeps those at least `p` times as likely as the most likely.
pub(super) fn keep_min_p(candidates: &mut Vec<(f32, TokenId)>, p: f32) {
    if p > 0.0 {
        let max = candidates.iter().map(|c| c.0).fold(f32::NEG_INFINITY, f32::max);
        candidates.retain(|c| c.0 >= max + p.ln());
    }
}

/// Keeps those whose logits are within `n` standard deviations of the largest; what is impossible
/// does not count.
pub(super) fn keep_top_n_sigma(candidates: &mut Vec<(f32, TokenId)>, n: f32) {
    let possible = || candidates.iter().map(|c| f64::from(c.0)).filter(|logit| logit.is_finite());
    let count = possible().count() as f64;
    if n <= 0.0 || count == 0.0 {
        return;
    }
    let mean = possible().sum::<f64>() / count;
    let deviation = (possible().map(|logit| (logit - mean).powi(2)).sum::<f64>() / count).sqrt();
    let least = possible().fold(f64::NEG_INFINITY, f64::max) - f64::from(n) * deviation;
    candidates.retain(|c| f64::from(c.0) >= least);
}

/// Keeps those whose information is nearest to the entropy, until their probability exceeds `p`.
pub(super) fn keep_typical(candidates: &mut Vec<(f32, TokenId)>, p: f32) {
    if p >= 1.0 {
        return;
    }
    let probabilities = probabilities(candidates);
    let information = |p: f64| if p > 0.0 { -p.ln() } else { f64::INFINITY };
    let entropy: f64 =
        probabilities.iter().filter(|p| **p > 0.0).map(|&p| p * information(p)).sum();
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    let distance = |i: usize| (information(probabilities[i]) - entropy).abs();
    order.sort_by(|&a, &b| {
        distance(a).total_cmp(&distance(b)).then(candidates[a].1.cmp(&candidates[b].1))
    });
    let mut sum = 0.0;
    let enough = order.iter().position(|&i| {
        sum += probabilities[i];
        sum > f64::from(p)
    });
    order.truncate(enough.map_or(order.len(), |last| last + 1));
    *candidates = order.into_iter().map(|i| candidates[i]).collect();
}

/// Of those at least as likely as `threshold`, keeps the least likely alone; the others stay.
pub(super) fn drop_top_choices(candidates: &mut Vec<(f32, TokenId)>, threshold: f32) {
    // Of two candidates only one can have more.
    if threshold > 0.5 || candidates.len() < 2 {
        return;
    }
    sort(candidates);
    let likely =
        probabilities(candidates).iter().take_while(|p| **p >= f64::from(threshold)).count();
    candidates.drain(..likely.saturating_sub(1));
}

fn probabilities(candidates: &[(f32, TokenId)]) -> Vec<f64> {
    let max = candidates.iter().map(|c| c.0).fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = candidates.iter().map(|c| f64::from(c.0 - max).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}
