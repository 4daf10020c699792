//! How far two predictions of one token are apart, from their logits. The formulas are told in
//! [`pacemark_record::Distances`].

use pacemark_backend::TokenId;

/// One token, predicted twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Divergence {
    /// KL(reference ‖ candidate), nats.
    pub kld: f64,
    /// Natural log-probability of the token that came, by the reference.
    pub reference: f64,
    /// The same by the candidate.
    pub candidate: f64,
    /// Both have the same most likely token.
    pub same_top: bool,
}

/// Of two rows of logits of one length, and the token that came; `None` where a logit is no number,
/// or the token is none of these.
///
/// With p = e^(r − L) for reference logits r and L = ln Σ e^r, Σ p · (ln p − ln q) is
/// Σ p · (r − c) − L + L′: one exponential for each logit. Sums are in double precision, so what is
/// lost is of the order of 1e-15 of the largest logit.
pub(super) fn divergence(
    reference: &[f32],
    candidate: &[f32],
    next: TokenId,
) -> Option<Divergence> {
    let (r, c) = (top(reference)?, top(candidate)?);
    let (mut sum_r, mut sum_c, mut weighted) = (0.0, 0.0, 0.0);
    for (&of_r, &of_c) in reference.iter().zip(candidate) {
        let (of_r, of_c) = (f64::from(of_r), f64::from(of_c));
        let weight = (of_r - r.1).exp();
        sum_r += weight;
        weighted += weight * (of_r - of_c);
        sum_c += (of_c - c.1).exp();
    }
    let (log_r, log_c) = (r.1 + sum_r.ln(), c.1 + sum_c.ln());
    let kld = weighted / sum_r - log_r + log_c;
    let next = next as usize;
    let logprob = |row: &[f32], log: f64| row.get(next).map(|logit| f64::from(*logit) - log);
    let found = Divergence {
        // A divergence is not negative; of equal rows rounding may leave it so.
        kld: kld.max(0.0),
        reference: logprob(reference, log_r)?,
        candidate: logprob(candidate, log_c)?,
        same_top: r.0 == c.0,
    };
    kld.is_finite().then_some(found)
}

/// The first of the largest logits, and it.
fn top(row: &[f32]) -> Option<(usize, f64)> {
    let first = (0, f64::from(*row.first()?));
    let larger = |most: (usize, f64), (i, x): (usize, &f32)| {
        if f64::from(*x) > most.1 { (i, f64::from(*x)) } else { most }
    };
    Some(row.iter().enumerate().fold(first, larger))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_tokens_by_hand() {
        // p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2): KL = 1/2 ln 2 − 1/4 ln 2.
        let logits = |p: [f32; 3], shift: f32| p.map(|p| p.ln() + shift);
        let (p, q) = (logits([0.5, 0.25, 0.25], 3.0), logits([0.25, 0.25, 0.5], -7.0));
        let found = divergence(&p, &q, 2).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(found.kld, 0.25 * 2f64.ln());
        close(found.reference, 0.25f64.ln());
        close(found.candidate, 0.5f64.ln());
        assert!(!found.same_top);
        let same = divergence(&p, &p, 0).unwrap();
        assert_eq!((same.kld, same.same_top), (0.0, true));
    }

    /// numpy 2.4 and scipy 1.17, in double precision: `i = numpy.arange(1000)`,
    /// `r = numpy.float32(9 * numpy.sin(i))`, `c = numpy.float32(r + 0.3 * numpy.cos(3 * i))`,
    /// `p, q = softmax(r), softmax(c)`, `(p * (log_softmax(r) - log_softmax(c))).sum()`.
    #[test]
    fn a_thousand_tokens_by_numpy() {
        let r: Vec<f32> = (0..1000).map(|i| (9.0 * f64::from(i).sin()) as f32).collect();
        let c =
            (0..1000).zip(&r).map(|(i, r)| (f64::from(*r) + 0.3 * f64::from(3 * i).cos()) as f32);
        let found = divergence(&r, &c.collect::<Vec<_>>(), 8).unwrap();
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(found.kld, KLD);
        close(found.reference, REFERENCE);
        close(found.candidate, CANDIDATE);
    }

    const KLD: f64 = 0.019487292157591946;
    const REFERENCE: f64 = -4.999641675251823;
    const CANDIDATE: f64 = -4.8918397836941665;

    #[test]
    fn what_is_no_number_has_no_distance() {
        let row = [0.0, 1.0];
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(divergence(&[0.0, bad], &row, 0), None, "{bad}");
            assert_eq!(divergence(&row, &[bad, 0.0], 0), None, "{bad}");
        }
        assert_eq!(divergence(&[], &[], 0), None);
        assert_eq!(divergence(&row, &row, 2), None, "no such token");
    }
}
