//! What the tests of other tools' results and their fuzz target do with bytes.

use pacemark_record::Measured;

/// Any text is refused shortly, or is a run whose numbers are numbers.
pub(crate) fn result(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match pacemark_foreign::read(text) {
        Err(error) => assert!(error.to_string().len() < 2000, "{error}"),
        Ok((_, run)) => {
            for trial in &run.trials {
                assert!(trial.rates_ts().iter().all(|rate| rate.is_finite()));
                if let Measured::Facts { facts } = &trial.measured {
                    assert!(facts.values().all(|value| value.is_number() || value.is_array()));
                }
            }
        }
    }
}
