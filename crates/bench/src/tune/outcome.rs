//! What a race came to, from its trials alone, so that a record says the same when it is read again.

use super::aim::{Aim, short};
use super::race::pairs;
use super::{N_CHANGES, RESOLUTION, TARGETS, is_race, name};
use pacemark_record::{Fate, Objective, TargetVerdict, Trial, Versus};
use serde_json::Value;

/// What may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One setting is left.
    Winner,
    /// Several are, and cannot be told apart.
    NoDifference,
    /// None is: all miss a target.
    NoneMeets,
    /// It was not over.
    NotOver,
}

impl Verdict {
    /// Its name in formats for programs.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Winner => "winner",
            Verdict::NoDifference => "no_difference",
            Verdict::NoneMeets => "none_meets",
            Verdict::NotOver => "not_over",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Winner => "one setting is the best",
            Verdict::NoDifference => "no difference",
            Verdict::NoneMeets => "no setting meets the targets",
            Verdict::NotOver => "the race was not over",
        }
    }
}

/// A verdict, and what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What may be said.
    pub verdict: Verdict,
    /// The setting to take, as the number of its trial.
    pub recommended: Option<usize>,
    /// Why, in a sentence or two.
    pub reason: String,
    /// Targets that the recommended setting is not shown to meet, or those that none does; a line
    /// each.
    pub not_met: Vec<String>,
}

pub(super) fn fate(trial: &Trial) -> Fate {
    trial.tuned().filter(|_| is_race(trial)).map_or(Fate::Worse, |tuned| tuned.fate)
}

/// Nothing is changed in it.
pub(super) fn is_default(trial: &Trial) -> bool {
    trial.count(N_CHANGES) == 0
}

/// The targets that a trial was measured under.
pub(super) fn aims(trial: &Trial) -> Vec<Aim> {
    let text = trial.params.get(TARGETS).and_then(Value::as_str).unwrap_or_default();
    text.split(',').filter_map(|aim| aim.trim().parse().ok()).collect()
}

/// The one that is left; of several the default, else the one that changes least.
pub(super) fn recommended(trials: &[Trial]) -> Option<usize> {
    let left = |index: &usize| matches!(fate(&trials[*index]), Fate::Won | Fate::Even);
    (0..trials.len()).filter(left).min_by_key(|index| trials[*index].count(N_CHANGES))
}

/// What the trials of a race came to.
pub fn outcome(trials: &[Trial]) -> Outcome {
    let has = |wanted: Fate| trials.iter().any(|trial| fate(trial) == wanted);
    let recommended = recommended(trials);
    let verdict = match recommended {
        Some(_) if has(Fate::Won) => Verdict::Winner,
        Some(_) => Verdict::NoDifference,
        None if trials.is_empty() || has(Fate::Racing) => Verdict::NotOver,
        None => Verdict::NoneMeets,
    };
    let reason = match (verdict, recommended) {
        (Verdict::Winner, Some(index)) => winner(trials, index),
        (Verdict::NoDifference, Some(index)) => even(trials, index),
        (Verdict::NotOver, _) => not_over(trials),
        _ => none(trials),
    };
    let not_met = match (verdict, recommended) {
        (_, Some(index)) => unmet(&trials[index]),
        (Verdict::NoneMeets, _) => {
            let aims = trials.first().map(aims).unwrap_or_default();
            aims.iter().map(|aim| format!("{aim}: no setting meets it")).collect()
        }
        _ => Vec::new(),
    };
    Outcome { verdict, recommended, reason, not_met }
}

/// Targets that a setting is not shown to meet.
fn unmet(trial: &Trial) -> Vec<String> {
    let unmet = aims(trial).into_iter().filter_map(|aim| {
        let standing = aim.standing(trial);
        let why = match standing.verdict {
            TargetVerdict::Met => return None,
            TargetVerdict::Missed => "missed".to_owned(),
            TargetVerdict::NotMeasured => "not measured".to_owned(),
            TargetVerdict::Undecided(None) => "not shown, too near to tell".to_owned(),
            TargetVerdict::Undecided(Some(1)) => "not shown, about one more run decides".to_owned(),
            TargetVerdict::Undecided(Some(n)) => format!("not shown, about {n} more runs decide"),
        };
        Some(format!("{aim}: {why} ({})", standing.told))
    });
    unmet.collect()
}

/// Whom a confirmation runs the recommended setting against: the default, or where the default won the
/// nearest of those that it was faster than. `None` where nothing was won: equals have no rival.
pub(super) fn rival(trials: &[Trial], recommended: usize) -> Option<usize> {
    let default = trials.iter().position(is_default)?;
    if recommended != default {
        return Some(default);
    }
    if fate(&trials[default]) != Fate::Won {
        return None;
    }
    let slower = (0..trials.len())
        .filter(|index| is_race(&trials[*index]) && *index != default)
        .filter(|index| fate(&trials[*index]) == Fate::Worse);
    let ratios = slower.filter_map(|i| Some((i, beside(&trials[i], &trials[default])?.ratio)));
    ratios.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(index, _)| index)
}

/// One setting beside another in the rounds that both ran.
pub(super) fn beside(first: &Trial, second: &Trial) -> Option<Versus> {
    let (new, base) = pairs(first, second);
    Versus::paired(&base, &new)
}

/// `1.043 times the default's (95 %: 1.031 to 1.055; 12 pairs)`.
pub(super) fn times(versus: &Versus, whose: &str) -> String {
    let interval = versus.interval.map_or("no interval".to_owned(), |interval| {
        format!("95 %: {:.3} to {:.3}", interval.low, interval.high)
    });
    format!("{:.3} times {whose} ({interval}; {} pairs)", versus.ratio, versus.pairs)
}

fn winner(trials: &[Trial], index: usize) -> String {
    let n = trials.iter().filter(|trial| is_race(trial)).count();
    let said = format!("{} is the only one left of {n} settings", name(&trials[index]));
    let default = trials.iter().find(|trial| is_default(trial));
    let default = default.filter(|_| !is_default(&trials[index]));
    let ratio = default.and_then(|default| beside(&trials[index], default));
    let what = Objective::of(&trials[index]).name();
    ratio.map_or(said.clone(), |versus| {
        format!("{said}; its {what} is {}", times(&versus, "the default's"))
    })
}

fn even(trials: &[Trial], index: usize) -> String {
    let left: Vec<usize> = (0..trials.len()).filter(|i| fate(&trials[*i]) == Fate::Even).collect();
    if let [only] = left[..] {
        return format!(
            "{} is left, too few rounds before the end to say more",
            name(&trials[only])
        );
    }
    let names: Vec<&str> = left.iter().map(|i| name(&trials[*i])).collect();
    // Without an interval nothing is bounded.
    let widest = left.iter().filter(|i| **i != index).try_fold(0.0, |widest: f64, i| {
        let interval = beside(&trials[*i], &trials[index])?.interval?;
        Some(widest.max(interval.high - 1.0).max(1.0 - interval.low))
    });
    let resolution = trials[index].params.get(RESOLUTION).and_then(Value::as_f64).unwrap_or(0.0);
    let bound = match widest {
        None => "too few rounds for an interval, so a difference may be of any size".to_owned(),
        Some(widest) => format!(
            "the largest difference that their 95 % intervals leave room for is {:.1} %{}",
            widest * 100.0,
            if widest < resolution { ", which is below --resolution" } else { "" }
        ),
    };
    let why = match is_default(&trials[index]) {
        true => "the default is recommended: it changes nothing".to_owned(),
        false => format!("{} is recommended: of these it changes least", name(&trials[index])),
    };
    format!("no difference is shown between {} ({}); {bound}; {why}", left.len(), names.join(", "))
}

fn not_over(trials: &[Trial]) -> String {
    let racing: Vec<&Trial> = trials.iter().filter(|t| fate(t) == Fate::Racing).collect();
    let rounds = racing.iter().filter_map(|t| t.tuned()?.rounds.iter().max()).max().unwrap_or(&0);
    let names: Vec<&str> = racing.iter().map(|trial| name(trial)).collect();
    let rounds = if *rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds") };
    format!(
        "the race was not over: after {rounds} {} still in it ({})",
        racing.len(),
        names.join(", ")
    )
}

/// How far the nearest is from the targets that it misses most.
fn none(trials: &[Trial]) -> String {
    let worst = |trial: &Trial| {
        let missed = aims(trial).into_iter().filter_map(|aim| {
            let excess = aim.excess(trial)?;
            (aim.standing(trial).verdict != TargetVerdict::Met).then_some((excess, aim))
        });
        missed.max_by(|(a, _), (b, _)| a.total_cmp(b))
    };
    let missed = trials.iter().filter(|trial| fate(trial) == Fate::Missed);
    let nearest = missed
        .filter_map(|trial| worst(trial).map(|(excess, aim)| (excess, aim, trial)))
        .min_by(|(a, ..), (b, ..)| a.total_cmp(b));
    match nearest {
        Some((excess, aim, trial)) => format!(
            "no setting meets the targets; {} is nearest: {aim}: {} ({} times the limit)",
            name(trial),
            aim.standing(trial).told,
            short(excess)
        ),
        None => "no setting is left".to_owned(),
    }
}
