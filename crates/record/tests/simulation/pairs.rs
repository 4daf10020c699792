//! Two things measured in turn (A B B A): the same called different, and a difference found.

use crate::draw::{Draw, Noise};
use crate::{QUICK, THOROUGH, percent, share};
use pacemark_record::stats::{CONFIDENCE, paired_ratio};
use pacemark_record::{Better, Sample, Series, Trial, Unit, Verdict, compare};

/// Repetitions of `bench` alone, and with several backends.
const ALONE: usize = 5;
const IN_TURN: usize = 16;

const RATE: Series = Series {
    name: "rate",
    title: "rate",
    unit: Unit::TokensPerSecond,
    better: Better::Higher,
    help: "",
    of: |trial| trial.samples().iter().map(|s| 1e12 / s.elapsed_ns as f64).collect(),
};

/// Rates of both sides, `pairs` of each; the first is faster by `effect` (as a logarithm).
fn measured(
    draw: &mut Draw,
    noise: Noise,
    pairs: usize,
    deviation: f64,
    effect: f64,
) -> [Vec<f64>; 2] {
    let over_time = noise.of(draw, 2 * pairs, deviation);
    let side = |side: usize| {
        let logs = (0..pairs).map(|i| over_time[2 * i + (i + side) % 2]);
        logs.map(|log| (log + if side == 0 { effect } else { 0.0 }).exp()).collect()
    };
    [side(0), side(1)]
}

fn trial(rates: &[f64]) -> Trial {
    let sample =
        |rate: &f64| Sample { elapsed_ns: (1e9 / rate).round() as u64, ..Sample::default() };
    Trial { measured: rates.iter().map(sample).collect::<Vec<_>>().into(), ..Trial::default() }
}

/// How often the verdict is one of `called`.
fn verdicts(
    (noise, pairs, deviation, effect): (Noise, usize, f64, f64),
    called: &[Verdict],
    repetitions: usize,
) -> f64 {
    share(repetitions, |draw| {
        let [first, second] = measured(draw, noise, pairs, deviation, effect).map(|r| trial(&r));
        called.contains(&compare(&first, &second, &RATE).unwrap().verdict)
    })
}

/// Called different, and nothing is.
fn false_alarms(noise: Noise, pairs: usize, repetitions: usize) -> f64 {
    verdicts((noise, pairs, 0.015, 0.0), &[Verdict::Faster, Verdict::Slower], repetitions)
}

/// The second is slower by 3 %, and that is said.
fn found(pairs: usize, deviation: f64, repetitions: usize) -> f64 {
    let slower = (1.0 / 0.97_f64).ln();
    verdicts((Noise::Independent, pairs, deviation, slower), &[Verdict::Faster], repetitions)
}

const ALL: [Noise; 8] = [
    Noise::Independent,
    Noise::TwoSpeeds,
    Noise::Fading(0.5),
    Noise::Fading(0.8),
    Noise::Fading(0.95),
    Noise::Step,
    Noise::Drift,
    Noise::Bursts,
];

#[test]
fn the_same_is_seldom_called_different() {
    for noise in [Noise::Independent, Noise::TwoSpeeds] {
        let found = false_alarms(noise, IN_TURN, QUICK);
        assert!(found <= 0.05, "{noise:?}: {}", percent(found));
        // Five in a hundred, and as much again as a thousand may be off by chance.
        let found = false_alarms(noise, ALONE, QUICK);
        assert!(found <= 0.06, "{noise:?}, {ALONE} pairs: {}", percent(found));
    }
}

/// Over blocks, not more often than of independent noise; the rest is chance of the seeds.
#[test]
fn nor_under_noise_that_lasts() {
    for noise in [Noise::Fading(0.5), Noise::Fading(0.8), Noise::Step, Noise::Bursts] {
        let found = false_alarms(noise, IN_TURN, QUICK);
        assert!(found <= 0.06, "{noise:?}: {}", percent(found));
    }
}

#[test]
fn a_slowdown_of_three_percent_is_found() {
    for (pairs, deviation) in [(ALONE, 0.01), (IN_TURN, 0.01), (IN_TURN, 0.02)] {
        let found = found(pairs, deviation, QUICK);
        assert!(found >= 0.9, "{pairs} pairs, {deviation}: {}", percent(found));
    }
}

#[test]
fn intervals_of_ratios_hold_the_truth() {
    for pairs in [ALONE, IN_TURN] {
        for noise in [Noise::Independent, Noise::TwoSpeeds, Noise::Fading(0.8)] {
            let held = share(QUICK, |draw| {
                let [first, second] = measured(draw, noise, pairs, 0.02, 0.03);
                let interval = paired_ratio(&first, &second, CONFIDENCE).unwrap().interval.unwrap();
                (interval.low..=interval.high).contains(&0.03_f64.exp())
            });
            assert!((0.93..=0.97).contains(&held), "{noise:?}, {pairs}: {}", percent(held));
        }
    }
}

#[test]
#[ignore = "minutes: for the documentation"]
fn table_of_verdicts() {
    const PAIRS: [usize; 5] = [5, 8, 12, 16, 30];
    println!("| called different | {} |", PAIRS.map(|n| n.to_string()).join(" | "));
    for noise in ALL {
        let found = PAIRS.map(|pairs| percent(false_alarms(noise, pairs, THOROUGH)));
        println!("| {noise:?} | {} |", found.join(" | "));
    }
    for deviation in [0.01, 0.015, 0.02] {
        let found = PAIRS.map(|pairs| percent(found(pairs, deviation, THOROUGH)));
        println!("| 3 % found, noise {deviation} | {} |", found.join(" | "));
    }
}
