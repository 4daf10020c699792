//! What the reader of a result should know about its quality, and do about it.

use pacemark_record::{Env, Trial, stats};
use std::fmt;

/// Something about a measurement that a figure alone does not show.
#[derive(Clone, Debug, PartialEq)]
pub enum Warning {
    /// Repetitions far from the others.
    Outliers {
        /// The test.
        test: String,
        /// How many.
        n: usize,
        /// Of how many.
        of: usize,
    },
    /// The rate changed from the first to the last repetitions.
    Drift {
        /// The test.
        test: String,
        /// Relative change of the rate.
        change: f64,
    },
    /// The bound ended the warm-up, not agreement.
    Unsettled {
        /// The test.
        test: String,
        /// Runs made.
        runs: usize,
        /// Relative change of the time that remained.
        drift: f64,
    },
    /// The hypervisor ran others.
    Steal {
        /// Share of processor time.
        share: f64,
    },
    /// Others were running when the benchmark began.
    Busy {
        /// Load average of the last minute.
        load: f64,
        /// Logical processors.
        cpus: usize,
    },
}

/// Drift of the rate below this is noise.
const DRIFT: f64 = 0.05;

/// Remaining drift of the warm-up below this is of no consequence.
const UNSETTLED: f64 = 0.05;

/// Steal below this share is of no consequence.
const STEAL: f64 = 0.02;

/// A machine is busy when more than this share of its processors was taken before the benchmark began.
const BUSY: f64 = 0.5;

/// What to say about a run: first the machine, then each trial.
pub fn warnings(env: &Env, trials: &[Trial]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(share) = env.steal_share.filter(|share| *share > STEAL) {
        warnings.push(Warning::Steal { share });
    }
    if let Some(load) = env.load_average_1m.filter(|load| *load > BUSY * env.logical_cpus as f64) {
        warnings.push(Warning::Busy { load, cpus: env.logical_cpus });
    }
    for trial in trials {
        let (test, rates) = (trial.test_name(), trial.rates_ts());
        let n = stats::outliers(&rates).len();
        if n > 0 {
            warnings.push(Warning::Outliers { test: test.clone(), n, of: rates.len() });
        }
        if let Some(change) = stats::drift(&rates).filter(|change| change.abs() > DRIFT) {
            warnings.push(Warning::Drift { test: test.clone(), change });
        }
        let unsettled = trial.warmup.drift().filter(|drift| !trial.warmup.settled && drift.abs() > UNSETTLED);
        if let Some(drift) = unsettled {
            warnings.push(Warning::Unsettled { test, runs: trial.warmup.elapsed_ns.len(), drift });
        }
    }
    warnings
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Outliers { test, n, of } => write!(
                f,
                "{test}: {n} of {of} repetitions lie far from the others: something else ran on this machine. \
                 Run again when it is quiet, or with more repetitions (-r {})",
                of * 4
            ),
            Warning::Drift { test, change } => write!(
                f,
                "{test}: the last repetitions were {:.0} % {} than the first: the machine {}. \
                 Run with more repetitions (-r), or pause between tests (--delay)",
                change.abs() * 100.0,
                if *change < 0.0 { "slower" } else { "faster" },
                if *change < 0.0 { "got busier or hotter" } else { "was not warm yet, or got quieter" },
            ),
            Warning::Unsettled { test, runs, drift } => write!(
                f,
                "{test}: after {runs} warm-up runs the time still changed by {:.0} % from one to the next: \
                 the machine is not quiet, so trust the interval rather than the mean",
                drift.abs() * 100.0
            ),
            Warning::Steal { share } => write!(
                f,
                "the hypervisor gave {:.1} % of the processor time to other machines during this run: \
                 compare only figures taken in one run",
                share * 100.0
            ),
            Warning::Busy { load, cpus } => write!(
                f,
                "{load:.1} processes were running on {cpus} processors before the run began: figures may be too low"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::{Sample, Warmup};

    #[test]
    fn quiet_runs_warn_of_nothing_and_noisy_ones_say_what_to_do() {
        let trial = |elapsed: &[u64], warmup: &[u64]| Trial {
            params: [("n_gen".to_owned(), 8.into())].into_iter().collect(),
            samples: elapsed.iter().map(|&elapsed_ns| Sample { elapsed_ns, ..Sample::default() }).collect(),
            warmup: Warmup { elapsed_ns: warmup.to_vec(), ..Warmup::default() },
            ..Trial::default()
        };
        let quiet = Env { logical_cpus: 2, load_average_1m: Some(0.3), steal_share: Some(0.0), ..Env::default() };
        assert_eq!(warnings(&quiet, &[trial(&[100, 101, 99, 100, 100, 99], &[150, 101])]).len(), 1);
        assert_eq!(warnings(&quiet, &[trial(&[100, 101, 99, 100, 100, 99], &[100, 101])]), []);
        let noisy = Env { load_average_1m: Some(1.7), steal_share: Some(0.1), ..quiet };
        let texts: Vec<String> =
            warnings(&noisy, &[trial(&[100, 101, 99, 100, 101, 300], &[])]).iter().map(Warning::to_string).collect();
        assert_eq!(texts.len(), 4, "{texts:#?}");
        assert!(texts[2].starts_with("tg8: 1 of 6 repetitions") && texts[2].contains("-r 24"), "{texts:#?}");
        assert!(texts[3].contains("33 % slower"), "{texts:#?}");
    }
}
