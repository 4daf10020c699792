//! Log-probabilities that another process or a server tells: taken where they can be one.

/// What rounding may put above a probability of 1.
const ROUNDING: f64 = 1e-3;

/// As it is, or 0 where rounding put it above.
///
/// # Errors
/// What is no logarithm of a probability.
pub(crate) fn credible(told: f64) -> Result<f32, String> {
    let logprob = told.min(0.0) as f32;
    match logprob.is_finite() && told <= ROUNDING {
        true => Ok(logprob),
        false => Err(format!("expected a log-probability, found {told}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_none_is_refused() {
        assert_eq!(
            [credible(-0.5), credible(1e-6), credible(-9999.0)],
            [Ok(-0.5), Ok(0.0), Ok(-9999.0)]
        );
        for nonsense in [0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300] {
            assert!(credible(nonsense).is_err(), "{nonsense}");
        }
    }
}
