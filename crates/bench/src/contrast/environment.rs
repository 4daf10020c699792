//! What else is different between two sides: the machine, the build, the model, the parameters. A
//! ratio is of all of it together.

use super::matching::Common;
use super::{Pairing, Source};
use crate::targets::as_text;
use pacemark_record::{Env, Model, Trial};
use std::collections::{BTreeMap, BTreeSet};

/// Something that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What.
    pub name: String,
    /// On one side; a dash where it is not known.
    pub base: String,
    /// On the other.
    pub new: String,
}

type Of<T> = (&'static str, fn(&T) -> Option<String>);

/// What a run says of its machine and its build.
const OF_MACHINE: &[Of<Env>] = &[
    ("processor", |env| env.cpu_model.clone()),
    ("logical processors", |env| count(env.logical_cpus as u64)),
    ("processor quota", |env| env.cpu_quota.map(|quota| quota.to_string())),
    ("memory", |env| env.memory_bytes.map(pacemark_report::size)),
    ("governor", |env| env.governor.clone()),
    ("kernel", |env| env.kernel.clone()),
    ("Pacemark", |env| some(&env.version)),
    ("commit", |env| some(&env.commit)),
];

/// What a row says of its model and engine.
const OF_MODEL: &[Of<Model>] = &[
    ("model", |model| some(&model.path)),
    ("model fingerprint", |model| model.fingerprint.clone()),
    ("model type", |model| some(&model.model_type)),
    ("model bytes", |model| count(model.bytes)),
    ("model parameters", |model| count(model.n_params)),
    ("backend", |model| some(&model.backend)),
    ("engine", |model| some(&model.engine)),
    ("device", |model| some(&model.device)),
    ("instruction set", |model| some(&model.isa)),
];

/// Load above this share of the processors is somebody else's work.
const BUSY: f64 = 0.5;
/// Less of the processors' time than this is of no consequence.
const STOLEN: f64 = 0.02;

fn some(text: &str) -> Option<String> {
    (!text.is_empty() && text != "unknown").then(|| text.to_owned())
}

fn count(number: u64) -> Option<String> {
    (number > 0).then(|| number.to_string())
}

/// Everything that is not the same on both sides.
pub(super) fn differences(
    base: &[Source],
    new: &[Source],
    tests: &[Common<'_>],
) -> Vec<Difference> {
    let env = |side: &[Source], of: fn(&Env) -> Option<String>| {
        distinct(side.iter().map(|source| of(&source.run.env)))
    };
    let machine = OF_MACHINE.iter().map(|(name, of)| (*name, env(base, *of), env(new, *of)));
    let models = |side: fn(&Common<'_>) -> Vec<Model>, of: fn(&Model) -> Option<String>| {
        distinct(tests.iter().flat_map(side).map(|model| of(&model)))
    };
    let of_base = |test: &Common<'_>| of_models(&test.base);
    let of_new = |test: &Common<'_>| of_models(&test.new);
    let model =
        OF_MODEL.iter().map(|(name, of)| (*name, models(of_base, *of), models(of_new, *of)));
    let differs = |(name, base, new): (&str, String, String)| {
        (base != new).then(|| Difference { name: name.to_owned(), base, new })
    };
    machine.chain(model).filter_map(differs).chain(parameters(tests)).collect()
}

fn of_models(trials: &[&Trial]) -> Vec<Model> {
    trials.iter().map(|trial| trial.model.clone()).collect()
}

/// Parameters that differ within a test.
fn parameters(tests: &[Common<'_>]) -> Vec<Difference> {
    let mut found: BTreeMap<String, [Vec<Option<String>>; 2]> = BTreeMap::new();
    for test in tests {
        let names: BTreeSet<&String> =
            test.base.iter().chain(&test.new).flat_map(|trial| trial.params.keys()).collect();
        for name in names {
            let of = |trials: &[&Trial]| -> Vec<Option<String>> {
                trials.iter().map(|trial| trial.params.get(name).map(as_text)).collect()
            };
            let (base, new) = (of(&test.base), of(&test.new));
            // What only one tool has a word for says nothing.
            let known = |side: &[Option<String>]| side.iter().any(Option::is_some);
            if known(&base)
                && known(&new)
                && distinct(base.iter().cloned()) != distinct(new.iter().cloned())
            {
                let sides = found.entry(name.clone()).or_default();
                sides[0].extend(base);
                sides[1].extend(new);
            }
        }
    }
    let difference = |(name, [base, new]): (String, [Vec<Option<String>>; 2])| Difference {
        name,
        base: distinct(base.into_iter()),
        new: distinct(new.into_iter()),
    };
    found.into_iter().map(difference).collect()
}

/// The values of a side, each once.
fn distinct(values: impl Iterator<Item = Option<String>>) -> String {
    let values: BTreeSet<String> = values.flatten().collect();
    if values.is_empty() {
        return "-".to_owned();
    }
    let list = values.into_iter().collect::<Vec<_>>().join(" / ");
    pacemark_files::excerpt(&list).into_owned()
}

/// What is no difference of set-up and yet is in the ratio: the time, and what else ran.
pub(super) fn notes(base: &[Source], new: &[Source], pairing: Pairing) -> Vec<String> {
    let mut notes = Vec::new();
    if pairing == Pairing::None {
        let start = |side: &[Source]| {
            side.iter().map(|s| s.run.env.started_unix_s).find(|seconds| *seconds > 0)
        };
        let apart = start(base).zip(start(new)).map(|(a, b)| a.abs_diff(b));
        let apart = apart.map_or(String::new(), |seconds| format!(" {} apart", time(seconds)));
        notes.push(format!(
            "one run each,{} not measured in turn: whatever changed on the machine meanwhile is in the ratio, and \
             the interval does not know of it. It is an indication; pairs of runs are proof",
            if apart.is_empty() { String::new() } else { format!("{apart} and") }
        ));
    }
    let all = || base.iter().chain(new);
    let busy = |source: &&Source| {
        let env = &source.run.env;
        env.load_average_1m.is_some_and(|load| load > BUSY * env.logical_cpus.max(1) as f64)
    };
    let loads = all().filter(busy).filter_map(|source| source.run.env.load_average_1m);
    notes.extend(worst(loads, all().count()).map(|(most, n)| {
        format!("something else ran: a load average of up to {most:.2} when {n} began")
    }));
    let steal = all().filter_map(|source| source.run.env.steal_share);
    let steal = worst(steal.filter(|share| *share > STOLEN), all().count());
    notes.extend(steal.map(|(most, n)| {
        format!("up to {:.1} % of processor time went to other machines in {n}", most * 100.0)
    }));
    notes
}

/// The greatest of some values, and of how many of all runs they are.
fn worst(values: impl Iterator<Item = f64>, all: usize) -> Option<(f64, String)> {
    let values: Vec<f64> = values.collect();
    let most = values.iter().copied().reduce(f64::max)?;
    Some((most, format!("{} of {all} runs", values.len())))
}

fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
