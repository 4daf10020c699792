//! Races of made-up settings under made-up noise: how often equals are told apart, and how often a
//! real gain is found.

use super::outcome::Verdict;
use super::{Candidates, Race, Ran, Rules, Search, Setting, outcome};
use crate::experiment::How;
use crate::{BenchError, Repetitions, Silent, Warmups};
use pacemark_record::rng::SplitMix64;
use pacemark_record::{Distances, Fate, Sample, Trial};
use std::f64::consts::PI;
use std::sync::atomic::AtomicBool;

/// How a machine's speed changes from run to run.
#[derive(Clone, Copy)]
enum Noise {
    /// Each run by itself.
    Alone,
    /// Half of what slowed a run slows the next.
    Fading,
    /// Each run a thousandth slower than the one before, besides.
    Drifting,
}

/// Settings with true speeds.
struct Machine {
    speeds: Vec<f64>,
    noise: Noise,
    random: SplitMix64,
    last: f64,
    n_runs: usize,
}

/// The standard deviation of a run.
const SPREAD: f64 = 0.02;

impl Machine {
    fn normal(&mut self) -> f64 {
        let mut uniform = || ((self.random.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (a, b) = (uniform(), uniform());
        (-2.0 * a.ln()).sqrt() * (2.0 * PI * b).cos()
    }
}

impl Candidates for Machine {
    fn run(&mut self, index: usize, _: usize) -> Result<Ran, BenchError> {
        let draw = self.normal();
        self.n_runs += 1;
        // The spread of both is the same.
        self.last = match self.noise {
            Noise::Fading => 0.5 * self.last + 0.75_f64.sqrt() * draw,
            Noise::Alone | Noise::Drifting => draw,
        };
        let drift =
            if matches!(self.noise, Noise::Drifting) { self.n_runs as f64 * 1e-3 } else { 0.0 };
        let seconds = (SPREAD * self.last + drift).exp() / self.speeds[index];
        let elapsed_ns = (seconds * 1e9) as u64;
        Ok(Ran { sample: Sample { elapsed_ns, ..Sample::default() }, ..Ran::default() })
    }

    fn distances(&mut self, _: usize, _: &mut How<'_>) -> Result<Distances, BenchError> {
        unreachable!("answers are the same")
    }
}

/// The trials of a race.
fn race(speeds: &[f64], noise: Noise, seed: u64) -> Vec<Trial> {
    let setting =
        |index: usize| Setting { name: index.to_string(), n_changes: index, ..Setting::default() };
    let settings = (0..speeds.len()).map(setting).collect();
    let mut search = Search { settings, rules: Rules::default(), ..Search::default() };
    search.params.insert("n_prompt".into(), 100.into());
    let mut trials: Vec<Trial> = (0..speeds.len()).map(|index| search.trial(index)).collect();
    let random = SplitMix64::new(SplitMix64::new(seed).next_u64());
    let mut machine = Machine { speeds: speeds.to_vec(), noise, random, last: 0.0, n_runs: 0 };
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut Silent,
        stop: &AtomicBool::new(false),
    };
    Race::new(&search.rules, &mut trials, &mut machine, &mut how).run().unwrap();
    trials
}

/// How often any of equals was dropped, which is more often than one of them wins.
fn wrong(n: usize, noise: Noise, races: u64) -> usize {
    let dropped = |trial: &Trial| trial.tuned().unwrap().fate == Fate::Worse;
    (0..races).filter(|seed| race(&vec![1.0; n], noise, *seed).iter().any(dropped)).count()
}

#[test]
fn equals_are_told_apart_in_at_most_one_of_twenty_races() {
    // 5 % of 1,000 are 50.
    for n in [2, 8] {
        let found = wrong(n, Noise::Alone, 1000);
        assert!(found <= 50, "{found} of 1000 races of {n}");
    }
}

#[test]
fn nor_where_noise_fades_or_drifts() {
    for noise in [Noise::Fading, Noise::Drifting] {
        for n in [2, 6] {
            let found = wrong(n, noise, 400);
            assert!(found <= 20, "{found} of 400 races of {n}");
        }
    }
}

#[test]
fn a_gain_of_five_percent_is_found_among_noise_of_two() {
    let mut speeds = [1.0; 8];
    speeds[5] = 1.05;
    let is_found = |seed: &u64| {
        let found = outcome(&race(&speeds, Noise::Alone, *seed));
        (found.verdict, found.recommended) == (Verdict::Winner, Some(5))
    };
    let n = (0..300).filter(is_found).count();
    assert!(n >= 270, "{n} of 300");
}
