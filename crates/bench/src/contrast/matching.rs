//! Which rows of two sides are the same test.
//!
//! Rows are the same test if their names are (`tg128`, `concurrency 8`), and where a run has several
//! of one name also in what tells these apart (threads of a sweep, the model, the backend). All else
//! may differ, and is told beside the ratios: it is what a comparison is for.

use super::{ContrastError, Source};
use crate::targets::{as_text, model_name, test_of};
use pacemark_record::Trial;
use std::collections::{BTreeMap, BTreeSet};

/// A test that every run has.
pub(super) struct Common<'a> {
    /// Its name, with what tells it apart.
    pub(super) name: String,
    /// Its row in each run of one side.
    pub(super) base: Vec<&'a Trial>,
    /// And of the other.
    pub(super) new: Vec<&'a Trial>,
}

/// The tests of two sides.
pub(super) struct Tests<'a> {
    pub(super) common: Vec<Common<'a>>,
    pub(super) notes: Vec<String>,
}

/// A row's experiment, its test and what tells it apart.
type Key = (String, String);

impl<'a> Tests<'a> {
    pub(super) fn of(base: &'a [Source], new: &'a [Source]) -> Result<Tests<'a>, ContrastError> {
        let labels = labels(base.iter().chain(new));
        let mut notes = Vec::new();
        let mut rows = |source: &'a Source| {
            let mut rows: Vec<(Key, &'a Trial)> = Vec::new();
            for trial in &source.run.trials {
                let key = key(trial, &labels);
                if rows.iter().any(|(known, _)| *known == key) {
                    notes.push(format!(
                        "{}: {} is there twice, the first counts",
                        source.name, key.1
                    ));
                } else {
                    rows.push((key, trial));
                }
            }
            rows
        };
        let base: Vec<_> = base.iter().map(&mut rows).collect();
        let new: Vec<_> = new.iter().map(&mut rows).collect();
        let mut common = Vec::new();
        for (key, _) in base.first().into_iter().flatten() {
            let of = |side: &[Vec<(Key, &'a Trial)>]| -> Option<Vec<&'a Trial>> {
                let in_run = |rows: &Vec<(Key, &'a Trial)>| {
                    rows.iter().find(|(other, _)| other == key).map(|(_, trial)| *trial)
                };
                side.iter().map(in_run).collect()
            };
            if let (Some(base), Some(new)) = (of(&base), of(&new)) {
                common.push(Common { name: key.1.clone(), base, new });
            }
        }
        if common.is_empty() {
            common.extend(only_one(&base, &new, &mut notes));
        } else {
            notes.extend(left_out(&base, &new, &common));
        }
        match common.is_empty() {
            true => Err(ContrastError::NoTest { base: told(&base), new: told(&new) }),
            false => Ok(Tests { common, notes }),
        }
    }
}

/// What tells rows of one name apart, in any of the runs.
fn labels<'s>(sources: impl Iterator<Item = &'s Source>) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for source in sources {
        let mut groups: BTreeMap<Key, Vec<&Trial>> = BTreeMap::new();
        for trial in &source.run.trials {
            groups.entry((trial.experiment.clone(), test_of(trial))).or_default().push(trial);
        }
        for group in groups.values().filter(|group| group.len() > 1) {
            let names = group.iter().flat_map(|trial| trial.params.keys().map(String::as_str));
            let names: BTreeSet<&str> = names.chain(["model", "backend"]).collect();
            let differs = |name: &&&str| {
                group.windows(2).any(|pair| label(pair[0], name) != label(pair[1], name))
            };
            labels.extend(names.iter().filter(differs).map(|name| (*name).to_owned()));
        }
    }
    labels
}

fn label(trial: &Trial, name: &str) -> Option<String> {
    match name {
        "model" => Some(model_name(trial)),
        "backend" if !trial.model.backend.is_empty() => Some(trial.model.backend.clone()),
        name => trial.params.get(name).map(as_text),
    }
}

fn key(trial: &Trial, labels: &BTreeSet<String>) -> Key {
    let mut name = test_of(trial);
    for which in labels {
        if let Some(value) = label(trial, which) {
            let which = if which == "model" || which == "backend" { "" } else { which };
            name += &format!(", {which} {value}").replace(",  ", ", ");
        }
    }
    (trial.experiment.clone(), name)
}

/// The only row of each run, where all measured the same kind of thing under other names.
fn only_one<'a>(
    base: &[Vec<(Key, &'a Trial)>],
    new: &[Vec<(Key, &'a Trial)>],
    notes: &mut Vec<String>,
) -> Option<Common<'a>> {
    let only = |side: &[Vec<(Key, &'a Trial)>]| -> Option<Vec<(Key, &'a Trial)>> {
        side.iter().map(|rows| (rows.len() == 1).then(|| rows[0].clone())).collect()
    };
    let (base, new) = (only(base)?, only(new)?);
    let (first, second) = (base.first()?, new.first()?);
    if base.iter().chain(&new).any(|((experiment, _), _)| *experiment != first.0.0) {
        return None;
    }
    notes.push(format!(
        "the tests have different names and are compared as the only ones: {} and {}",
        first.0.1, second.0.1
    ));
    let trials = |side: &[(Key, &'a Trial)]| side.iter().map(|(_, trial)| *trial).collect();
    Some(Common { name: second.0.1.clone(), base: trials(&base), new: trials(&new) })
}

/// Tests that not every run has.
fn left_out(
    base: &[Vec<(Key, &Trial)>],
    new: &[Vec<(Key, &Trial)>],
    common: &[Common<'_>],
) -> Option<String> {
    let all: BTreeSet<&str> =
        base.iter().chain(new).flatten().map(|((_, name), _)| name.as_str()).collect();
    let left: Vec<&str> =
        all.into_iter().filter(|name| common.iter().all(|test| test.name != *name)).collect();
    let list = left.join(", ");
    (!left.is_empty())
        .then(|| format!("not in every run, left out: {}", pacemark_files::excerpt(&list)))
}

fn told(side: &[Vec<(Key, &Trial)>]) -> String {
    let names: BTreeSet<&str> = side.iter().flatten().map(|((_, name), _)| name.as_str()).collect();
    let list = names.into_iter().collect::<Vec<_>>().join(", ");
    if list.is_empty() { "no test".into() } else { pacemark_files::excerpt(&list).into_owned() }
}
