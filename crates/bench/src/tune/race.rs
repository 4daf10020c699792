//! The race: settings are run in turn, round by round, and those that are shown to be worse, or to
//! miss a target, are dropped until one is left, or none that is left can be told from another.
//!
//! In a round every setting that is left runs once, every other round in the opposite order, so that
//! two settings have a pair of runs from the same minute in each round and what slows the machine slows
//! both. What decides is the mean of the pairs' log ratios and Student's interval of it, at the level
//! that `rules` leaves to one pair at one look. How a setting is run is left to [`Candidates`], what
//! the race came to to `outcome`.

use super::Candidates;
use super::outcome::recommended;
use super::rules::{ERROR, Rules};
use crate::experiment::How;
use crate::repeat::in_turns;
use crate::{BenchError, Phase};
use pacemark_record::{Fate, Objective, TargetVerdict, Trial, stats};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Further runs of a setting at most, so that its targets are decided; a 99th percentile takes 299.
const MOST_FURTHER: u64 = 400;

/// How often it is judged whether its targets are.
const JUDGEMENTS: usize = 4;

/// A race under way.
pub(super) struct Race<'r, 'h> {
    pub rules: &'r Rules,
    /// A trial for each setting.
    pub trials: &'r mut Vec<Trial>,
    pub candidates: &'r mut dyn Candidates,
    pub how: &'r mut How<'h>,
    looks: Vec<usize>,
    n_starters: usize,
    /// Rounds that are done.
    round: usize,
    /// Runs outside of rounds.
    n_further: usize,
    began: Instant,
}

/// Logarithms of a trial's rates by round.
fn logs(trial: &Trial) -> BTreeMap<u64, f64> {
    let objective = Objective::of(trial);
    let of_rounds = trial.tuned().into_iter().flat_map(|tuned| tuned.of_rounds());
    let log = |(round, sample)| Some((round, objective.value(trial, sample)?.ln()));
    of_rounds.filter_map(log).collect()
}

/// The rates of two trials in the rounds that both have, in order.
pub(super) fn pairs(first: &Trial, second: &Trial) -> (Vec<f64>, Vec<f64>) {
    let others = logs(second);
    let both = logs(first).into_iter();
    both.filter_map(|(round, log)| Some((log.exp(), others.get(&round)?.exp()))).unzip()
}

/// Log ratios of the pairs.
fn differences(first: &Trial, second: &Trial) -> Vec<f64> {
    let (first, second) = pairs(first, second);
    first.iter().zip(&second).map(|(a, b)| (a / b).ln()).collect()
}

impl<'r, 'h> Race<'r, 'h> {
    pub(super) fn new(
        rules: &'r Rules,
        trials: &'r mut Vec<Trial>,
        candidates: &'r mut dyn Candidates,
        how: &'r mut How<'h>,
    ) -> Race<'r, 'h> {
        let (looks, n_starters) = (rules.looks(), trials.len());
        let began = Instant::now();
        Race { rules, trials, candidates, how, looks, n_starters, round: 0, n_further: 0, began }
    }

    /// Until there is a setting to recommend whose targets are decided, or none is left.
    pub(super) fn run(&mut self) -> Result<(), BenchError> {
        loop {
            self.contest()?;
            let Some(chosen) = recommended(self.trials) else { return Ok(()) };
            if self.settle(chosen)? != TargetVerdict::Missed {
                return Ok(());
            }
            // It may have beaten others that keep the targets: those are back.
            self.set(chosen, Fate::Missed);
            for index in 0..self.trials.len() {
                if matches!(self.fate(index), Fate::Won | Fate::Even | Fate::Worse) {
                    self.set(index, Fate::Racing);
                }
            }
        }
    }

    /// Round by round until it is decided or there is no time for more.
    fn contest(&mut self) -> Result<(), BenchError> {
        if self.is_decided() {
            return Ok(());
        }
        while self.round < self.rules.max_rounds && self.has_time() {
            self.one_round()?;
            if self.looks.contains(&self.round) && self.is_decided() {
                return Ok(());
            }
        }
        // Too few rounds say nothing. There is no look between looks: each has its chance to err.
        if self.round >= self.looks[0] {
            self.racing().into_iter().for_each(|index| self.set(index, Fate::Even));
        }
        Ok(())
    }

    fn has_time(&self) -> bool {
        self.began.elapsed() < self.rules.max_time
    }

    fn one_round(&mut self) -> Result<(), BenchError> {
        self.round += 1;
        self.how.observer.phase(Phase::Repetition(self.round));
        let racing = self.racing();
        for at in in_turns(self.round, racing.len()) {
            self.one_run(racing[at], self.round, self.round)?;
        }
        self.how.observer.round(self.trials);
        Ok(())
    }

    /// Runs a setting: its record says `round`, what it runs on is of `number`.
    fn one_run(&mut self, index: usize, round: usize, number: usize) -> Result<(), BenchError> {
        if self.how.stop.load(Relaxed) {
            return Err(BenchError::Interrupted);
        }
        self.how.observer.turn(super::name(&self.trials[index]));
        let ran = self.candidates.run(index, number)?;
        super::keep(&mut self.trials[index], round, ran);
        Ok(())
    }

    fn fate(&self, index: usize) -> Fate {
        self.trials[index].tuned().map_or(Fate::Worse, |tuned| tuned.fate)
    }

    fn set(&mut self, index: usize, fate: Fate) {
        let round = self.round as u64;
        if let Some(tuned) = self.trials[index].tuned_mut() {
            (tuned.fate, tuned.fate_round) = (fate, round);
        }
    }

    fn racing(&self) -> Vec<usize> {
        (0..self.trials.len()).filter(|index| self.fate(*index) == Fate::Racing).collect()
    }

    /// Drops whoever can be dropped. Whether it is over.
    fn is_decided(&mut self) -> bool {
        if self.round < self.looks[0] {
            return self.racing().is_empty();
        }
        let error = self.rules.error_of_look();
        for index in self.racing() {
            let trial = &self.trials[index];
            if !super::is_near(trial, self.rules.max_kld) {
                self.set(index, Fate::TooFar);
            } else if self.rules.aims.iter().any(|aim| aim.is_missed(trial, error)) {
                self.set(index, Fate::Missed);
            }
        }
        let Some(best) = self.best() else { return true };
        if self.are_even(best) {
            self.racing().into_iter().for_each(|index| self.set(index, Fate::Even));
            return true;
        }
        let confidence = 1.0 - self.rules.error_of_pair(self.n_starters);
        for index in self.racing() {
            let behind = differences(&self.trials[best], &self.trials[index]);
            let interval = stats::student_interval(&behind, confidence);
            if index != best && interval.is_some_and(|interval| interval.low > 0.0) {
                self.set(index, Fate::Worse);
            }
        }
        let alone = self.racing().len() == 1;
        if alone {
            self.set(best, Fate::Won);
        }
        alone
    }

    /// Whoever is ahead in the rounds that all have.
    fn best(&self) -> Option<usize> {
        let of_all: Vec<(usize, BTreeMap<u64, f64>)> =
            self.racing().into_iter().map(|index| (index, logs(&self.trials[index]))).collect();
        let is_common = |round: &u64| of_all.iter().all(|(_, logs)| logs.contains_key(round));
        let sum = |logs: &BTreeMap<u64, f64>| -> f64 {
            logs.iter().filter(|(round, _)| is_common(round)).map(|(_, log)| log).sum()
        };
        let best = of_all.iter().max_by(|(_, a), (_, b)| sum(a).total_cmp(&sum(b)));
        best.map(|(index, _)| *index)
    }

    /// All are within the resolution of the best for certain; not where it is alone.
    fn are_even(&self, best: usize) -> bool {
        let confidence = 1.0 - 2.0 * ERROR / self.looks.len() as f64;
        let most = self.rules.resolution.ln_1p();
        let others: Vec<usize> = self.racing().into_iter().filter(|i| *i != best).collect();
        let is_even = |index: &usize| {
            let behind = differences(&self.trials[best], &self.trials[*index]);
            let interval = stats::student_interval(&behind, confidence);
            interval.is_some_and(|interval| interval.high < most && interval.low > -most)
        };
        !others.is_empty() && others.iter().all(is_even)
    }

    /// Runs the setting that is to be recommended until its targets are decided.
    fn settle(&mut self, index: usize) -> Result<TargetVerdict, BenchError> {
        for _ in 1..JUDGEMENTS {
            let more = match super::standing(&self.trials[index], &self.rules.aims) {
                TargetVerdict::Undecided(Some(more))
                    if self.n_further as u64 + more <= MOST_FURTHER =>
                {
                    more
                }
                decided => return Ok(decided),
            };
            for _ in 0..more {
                if !self.has_time() {
                    break;
                }
                self.n_further += 1;
                self.one_run(index, 0, self.rules.max_rounds + self.n_further)?;
            }
            self.how.observer.round(self.trials);
        }
        Ok(super::standing(&self.trials[index], &self.rules.aims))
    }
}
