//! What settings differ by from the first one, on the same items.

use super::battery::{LENGTH, TASK};
use pacemark_record::stats::{CONFIDENCE, PairedDifference, paired_difference};
use pacemark_record::{Item, Items, Trial};

/// A figure of an item, and what it is called.
#[derive(Clone, Copy)]
pub(super) struct Figure {
    pub name: &'static str,
    pub of: fn(&Item) -> f64,
}

/// The trials of each task, in the order in which they stand.
pub(super) fn tasks(trials: &[Trial]) -> impl Iterator<Item = &[Trial]> {
    trials.chunk_by(|a, b| {
        [TASK, LENGTH].iter().all(|name| a.params.get(*name) == b.params.get(*name))
    })
}

/// Whether the trial's setting is the one that others are compared with.
pub(super) fn is_first(trial: &Trial) -> bool {
    trial.turn == 0
}

/// How much better a trial is than the first of its task; `None` for the first, and where that was
/// not measured.
pub(super) fn of_trial(
    trials: &[Trial],
    trial: &Trial,
    figure: Figure,
) -> Option<PairedDifference> {
    let task = tasks(trials).find(|task| task.iter().any(|other| std::ptr::eq(other, trial)))?;
    let first = task.iter().find(|trial| is_first(trial)).filter(|_| !is_first(trial))?;
    paired_difference(&first.items()?.pairs(trial.items()?, figure.of), CONFIDENCE)
}

/// The same over the items of all tasks together, for the setting of that turn.
pub(super) fn of_setting(trials: &[Trial], turn: u64, figure: Figure) -> Option<PairedDifference> {
    let pairs = |task: &[Trial]| -> Vec<(f64, f64)> {
        let items = |turn: u64| -> Option<&Items> {
            task.iter().find(|trial| trial.turn == turn).and_then(Trial::items)
        };
        let both = items(0).zip(items(turn));
        both.map_or(Vec::new(), |(first, second)| first.pairs(second, figure.of))
    };
    let all: Vec<(f64, f64)> = tasks(trials).flat_map(pairs).collect();
    paired_difference(&all, CONFIDENCE)
}
