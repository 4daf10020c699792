//! What the reader of a result should know about its quality, and do about it.

use pacemark_record::{Env, Flag, Trial};
use serde_json::Value;
use std::fmt;

/// Something about a measurement that a figure alone does not show. Shares and changes are ratios.
#[derive(Clone, Debug, PartialEq)]
pub enum Warning {
    /// Tests with repetitions far from the others.
    Outliers(Vec<String>),
    /// Tests whose rate changed from the first to the last repetitions, with the largest change.
    Drift(Vec<String>, f64),
    /// Tests whose warm-up was ended by the bound, not by agreement, with the largest change of
    /// time that remained.
    Unsettled(Vec<String>, f64),
    /// Tests during which the hypervisor ran others, with the largest share of processor time.
    Stolen(Vec<String>, f64),
    /// The hypervisor ran others during the whole run.
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

/// Steal below this share is of no consequence.
const STEAL: f64 = 0.02;

/// A machine is busy when more than this share of its processors was taken before the benchmark
/// began.
const BUSY: f64 = 0.5;

/// So many parameters at most stand beside the name of a test.
const MOST_DIFFERING: usize = 3;

/// What to say about a run: first the machine, then each trial.
pub fn warnings(env: &Env, trials: &[Trial]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let by_test =
        trials.iter().any(|trial| trial.flags().iter().any(|flag| matches!(flag, Flag::Steal(_))));
    if let Some(share) = env.steal_share.filter(|share| *share > STEAL && !by_test) {
        warnings.push(Warning::Steal { share });
    }
    if let Some(load) = env.load_average_1m.filter(|load| *load > BUSY * env.logical_cpus as f64) {
        warnings.push(Warning::Busy { load, cpus: env.logical_cpus });
    }
    let several = trials.windows(2).any(|pair| pair[0].model.backend != pair[1].model.backend);
    let found: Vec<(String, Flag)> = trials
        .iter()
        .flat_map(|trial| {
            let name = trial.test_name() + &differing(trial, trials);
            let name = if several { format!("{name} ({})", trial.model.backend) } else { name };
            trial.flags().into_iter().map(move |flag| (name.clone(), flag))
        })
        .collect();
    let outliers = |flag| matches!(flag, Flag::Outliers).then_some(0.0);
    let drift = |flag| if let Flag::Drift(change) = flag { Some(change) } else { None };
    let unsettled = |flag| if let Flag::Unsettled(change) = flag { Some(change) } else { None };
    let steal = |flag| if let Flag::Steal(share) = flag { Some(share) } else { None };
    warnings.extend(concerned(&found, outliers).map(|(tests, _)| Warning::Outliers(tests)));
    warnings.extend(concerned(&found, drift).map(|(tests, change)| Warning::Drift(tests, change)));
    warnings.extend(
        concerned(&found, unsettled).map(|(tests, change)| Warning::Unsettled(tests, change)),
    );
    warnings.extend(concerned(&found, steal).map(|(tests, share)| Warning::Stolen(tests, share)));
    warnings
}

/// The parameters by which a test differs from others of the same name: begins with a space.
fn differing(trial: &Trial, trials: &[Trial]) -> String {
    let name = trial.test_name();
    let alike = || trials.iter().filter(|other| other.test_name() == name);
    let is_told = |value: &Value| value.is_number() || value.is_string() || value.is_boolean();
    let differs = |key: &str, value: &Value| {
        key != "seed" && is_told(value) && alike().any(|other| other.params.get(key) != Some(value))
    };
    let found = trial.params.iter().filter(|(key, value)| differs(key, value));
    let told = found.map(|(key, value)| match value {
        Value::String(text) => format!(" {key} {text}"),
        value => format!(" {key} {value}"),
    });
    told.take(MOST_DIFFERING).collect()
}

/// The tests with a flag of one kind, and its value furthest from zero.
fn concerned(
    found: &[(String, Flag)],
    value: impl Fn(Flag) -> Option<f64>,
) -> Option<(Vec<String>, f64)> {
    let found: Vec<_> =
        found.iter().filter_map(|(test, flag)| Some((test.clone(), value(*flag)?))).collect();
    let worst = found.iter().map(|(_, value)| *value).max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    Some((found.into_iter().map(|(test, _)| test).collect(), worst))
}

/// The first few names.
fn names(tests: &[String]) -> String {
    const SHOWN: usize = 3;
    let more = tests.len().saturating_sub(SHOWN);
    let shown = tests[..tests.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Outliers(tests) => write!(
                f,
                "{}: some repetitions lie far from the others: something else ran on this machine. \
                 Run again when it is quiet, or with more repetitions (-r)",
                names(tests)
            ),
            Warning::Drift(tests, change) => write!(
                f,
                "{}: the machine changed speed: the last repetitions were up to {:.0} % {} than the first: it {}. \
                 Run with more repetitions (-r), or pause between tests (--delay)",
                names(tests),
                change.abs() * 100.0,
                if *change < 0.0 { "slower" } else { "faster" },
                if *change < 0.0 {
                    "got busier or hotter"
                } else {
                    "was not warm yet, or got quieter"
                },
            ),
            Warning::Unsettled(tests, change) => write!(
                f,
                "{}: when the warm-up ended the time still changed by up to {:.0} % from run to run: \
                 the machine is not quiet, so trust the interval rather than the mean",
                names(tests),
                change.abs() * 100.0
            ),
            Warning::Stolen(tests, share) => write!(
                f,
                "{}: up to {:.1} % of the processor time went to other machines: these figures are too low",
                names(tests),
                share * 100.0
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
    use crate::Test;
    use pacemark_record::{Sample, Warmup};

    #[test]
    fn quiet_runs_warn_of_nothing_and_noisy_ones_say_what_to_do() {
        let trial = |elapsed: &[u64], warmup: &[u64]| Trial {
            params: Test { n_gen: 8, ..Test::default() }.params(),
            measured: elapsed
                .iter()
                .map(|&elapsed_ns| Sample { elapsed_ns, ..Sample::default() })
                .collect::<Vec<_>>()
                .into(),
            warmup: Warmup { elapsed_ns: warmup.to_vec(), ..Warmup::default() },
            ..Trial::default()
        };
        let quiet = Env {
            logical_cpus: 2,
            load_average_1m: Some(0.3),
            steal_share: Some(0.0),
            ..Env::default()
        };
        let steady = [100, 101, 99, 100, 100, 99];
        assert_eq!(warnings(&quiet, &[trial(&steady, &[100, 101])]), []);
        assert_eq!(
            warnings(&quiet, &[trial(&steady[..5], &[200, 100])]),
            [Warning::Unsettled(vec!["tg8".into()], -0.5)]
        );
        let stolen = Trial { steal_share: Some(0.08), ..trial(&steady, &[]) };
        assert_eq!(
            warnings(&quiet, std::slice::from_ref(&stolen)),
            [Warning::Stolen(vec!["tg8".into()], 0.08)]
        );
        let mut other = stolen.clone();
        other.model.backend = "other".into();
        let names = vec!["tg8 (other)".into()];
        assert_eq!(warnings(&quiet, &[trial(&steady, &[]), other]), [Warning::Stolen(names, 0.08)]);
        let of = |n_threads: u64| {
            let mut trial = stolen.clone();
            trial.params.insert("n_threads".into(), n_threads.into());
            trial
        };
        let told = vec!["tg8 n_threads 1".into(), "tg8 n_threads 2".into()];
        assert_eq!(warnings(&quiet, &[of(1), of(2)]), [Warning::Stolen(told, 0.08)]);
        let noisy = Env { load_average_1m: Some(1.7), steal_share: Some(0.1), ..quiet };
        let drifting = vec![trial(&[100, 101, 99, 100, 199, 200, 201, 200], &[]); 5];
        let mut trials = drifting;
        trials.push(trial(&[100, 101, 99, 100, 101, 300, 100], &[]));
        let texts: Vec<String> = warnings(&noisy, &trials).iter().map(Warning::to_string).collect();
        assert_eq!(texts.len(), 4, "{texts:#?}");
        assert!(texts[2].contains("some repetitions"), "{texts:#?}");
        assert!(
            texts[3].starts_with("tg8, tg8, tg8 and 2 more: ") && texts[3].contains("50 % slower"),
            "{texts:#?}"
        );
    }
}
