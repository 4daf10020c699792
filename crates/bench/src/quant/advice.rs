//! Which type to prefer: of those that are shown to stay near enough to the weights they were made of
//! the one that generates fastest; of those that cannot be told from it the nearest.

use super::figures::{DECODE, figure};
use super::page::name;
use crate::distance::figures::KLD;
use pacemark_record::{Comparison, Trial, Verdict, compare};

/// What is near enough.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// The largest mean divergence from the weights that the types were made of, nats.
    pub max_kld: f64,
}

/// A type, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Its name; `None` where no type is near enough, or too little was measured.
    pub name: Option<String>,
    /// Why, in a sentence or two.
    pub reason: String,
}

fn kld(trial: &Trial) -> Option<f64> {
    figure(&KLD, trial).value
}

/// Whether a type is near enough: the whole interval of its divergence is, where there is one.
fn is_near(trial: &Trial, limits: &Limits) -> bool {
    let kld = figure(&KLD, trial);
    let most = kld.interval.map(|interval| interval.high).or(kld.value);
    most.is_some_and(|kld| kld <= limits.max_kld)
}

fn rate(trial: &Trial) -> Option<f64> {
    figure(&DECODE, trial).value
}

/// What to prefer among these.
pub(super) fn advise(trials: &[Trial], limits: &Limits) -> Advice {
    let whole: Vec<&Trial> =
        trials.iter().filter(|t| kld(t).is_some() && rate(t).is_some()).collect();
    let near = |trial: &&&Trial| is_near(trial, limits);
    let by_rate = |a: &&&Trial, b: &&&Trial| rate(a).partial_cmp(&rate(b)).unwrap_or(EQUAL);
    let by_kld = |a: &&&Trial, b: &&&Trial| kld(a).partial_cmp(&kld(b)).unwrap_or(EQUAL);
    let Some(fastest) = whole.iter().filter(near).max_by(by_rate) else {
        return none(whole.iter().min_by(by_kld).copied(), limits);
    };
    let is_as_fast = |trial: &&&Trial| {
        std::ptr::eq(**trial, *fastest)
            || beside(fastest, trial).is_some_and(|c| c.verdict == Verdict::NotDistinguishable)
    };
    let chosen = whole.iter().filter(near).filter(is_as_fast).min_by(by_kld).unwrap_or(fastest);
    Advice { name: Some(name(chosen).to_owned()), reason: reason(chosen, fastest, &whole, limits) }
}

const EQUAL: std::cmp::Ordering = std::cmp::Ordering::Equal;

/// How fast the first generates beside the second, round by round.
fn beside(first: &Trial, second: &Trial) -> Option<Comparison> {
    compare(first, second, &DECODE)
}

fn none(nearest: Option<&Trial>, limits: &Limits) -> Advice {
    let reason = match nearest.and_then(|trial| Some((name(trial), kld(trial)?))) {
        Some((name, kld)) => format!(
            "no type is shown to be near enough: {name} is nearest, at a mean KLD of {kld:.4} \
             (--max-kld {})",
            limits.max_kld
        ),
        None => "too little was measured to say".to_owned(),
    };
    Advice { name: None, reason }
}

fn reason(chosen: &Trial, fastest: &Trial, whole: &[&Trial], limits: &Limits) -> String {
    let told = |trial: &Trial| {
        let (rate, kld) = (rate(trial).unwrap_or(f64::NAN), kld(trial).unwrap_or(f64::NAN));
        format!("{} ({rate:.1} t/s, mean KLD {kld:.4})", name(trial))
    };
    let limit = limits.max_kld;
    let mut said = if std::ptr::eq(chosen, fastest) {
        format!(
            "{} generates fastest of the types with a mean KLD of at most {limit}",
            told(chosen)
        )
    } else {
        format!(
            "{} cannot be told from the fastest with a mean KLD of at most {limit}, {}, and is \
             nearer to the original",
            told(chosen),
            told(fastest)
        )
    };
    let first = whole.first().filter(|first| !std::ptr::eq(**first, chosen));
    if let Some((first, c)) = first.and_then(|first| Some((first, beside(chosen, first)?))) {
        let interval = c.ci95_low.zip(c.ci95_high);
        let interval = interval
            .map_or(" (too few rounds for an interval)".to_owned(), |(low, high)| {
                format!(" ({low:.2} to {high:.2})")
            });
        said +=
            &format!("; it generates {:.2} times as fast as {}{interval}", c.ratio, name(first));
    }
    let is_faster = |trial: &&&Trial| rate(trial) > rate(chosen);
    let beyond: Vec<String> = whole
        .iter()
        .filter(is_faster)
        .filter(|trial| !is_near(trial, limits))
        .map(|trial| told(trial))
        .collect();
    if !beyond.is_empty() {
        let beyond = beyond.join(", ");
        said += &format!("; faster, but not shown to be as near as that: {beyond}");
    }
    said
}

#[cfg(test)]
mod tests {
    use super::super::testing::{trial, trials};
    use super::*;

    fn advice(trials: &[Trial], max_kld: f64) -> (Option<String>, String) {
        let Advice { name, reason } = advise(trials, &Limits { max_kld });
        (name, reason)
    }

    #[test]
    fn the_fastest_that_is_near_enough() {
        let (name, reason) = advice(&trials(), 0.05);
        assert_eq!(name.as_deref(), Some("Q4_K_M"), "{reason}");
        assert!(reason.contains("not shown to be as near as that: Q2_K (40.0 t/s"), "{reason}");
        assert!(reason.contains("3.00 times as fast as F16"), "{reason}");
        assert_eq!(advice(&trials(), 0.005).0.as_deref(), Some("Q8_0"));
        assert_eq!(advice(&trials(), 1.0).0.as_deref(), Some("Q2_K"));
    }

    #[test]
    fn of_those_that_are_as_fast_the_nearest() {
        let as_fast = [trial("A", 30.0, 0.04), trial("BC", 29.99, 0.01)];
        let (name, reason) = advice(&as_fast, 0.05);
        assert_eq!(name.as_deref(), Some("BC"), "{reason}");
        assert!(reason.contains("cannot be told from the fastest"), "{reason}");
    }

    #[test]
    fn nothing_is_recommended_without_grounds() {
        let (name, reason) = advice(&trials(), 0.0001);
        assert!(name.is_none() && reason.contains("F16 is nearest"), "{reason}");
        assert_eq!(advice(&[], 1.0), (None, "too little was measured to say".to_owned()));
    }
}
