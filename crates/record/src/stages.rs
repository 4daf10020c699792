//! The ladder of the serving stack in figures: what each stage reaches, and what its own layer
//! costs.

use crate::stats::{CONFIDENCE, Interval, mean, mean_interval, paired_ratio};
use crate::{Measured, Trial};
use serde::Serialize;

/// Name of the experiment in trials: one for each stage, whose samples were taken in turn, round by
/// round.
pub const STAGES_EXPERIMENT: &str = "stages";

/// What a stage must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StageTarget {
    /// This share of stage 0's rate, 0 to 1.
    Share(f64),
    /// So many tokens a second.
    TokensPerSecond(f64),
}

/// What may be said of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StageVerdict {
    /// The whole interval is above the target.
    Met,
    /// The whole interval is below it.
    Missed,
    /// The target lies in the interval, or there are too few rounds for one.
    Undecided,
}

/// One row of the ladder. Intervals are at 95 %, over rounds; `None` for fewer than five.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageFigures {
    /// Its number.
    pub stage: u64,
    /// What it adds.
    pub name: String,
    /// Generated tokens of all requests over the time of the whole run, prompts included; mean of
    /// the rounds.
    pub tokens_per_second: f64,
    /// Where that mean lies.
    pub interval: Option<[f64; 2]>,
    /// Microseconds for each generated token that this layer adds to the stage before; `None` for
    /// the first.
    pub own_us_per_token: Option<f64>,
    /// Where that lies: from the differences within rounds.
    pub own_interval: Option<[f64; 2]>,
    /// That as a share of the stage before's time, 0 to 1.
    pub own_share: Option<f64>,
    /// One minus the rate's paired ratio to stage 0: 0.05 for a twentieth lost, negative where it
    /// is faster; not a number where either has no rate: nothing was generated, or in no time.
    pub loss: f64,
    /// Where that lies.
    pub loss_interval: Option<[f64; 2]>,
    /// Against the target.
    pub verdict: StageVerdict,
    /// Rounds.
    pub rounds: usize,
}

impl Trial {
    /// Number and name of the stage that it measured.
    pub fn stage(&self) -> Option<(u64, &str)> {
        match &self.measured {
            Measured::Ladder { stage, name, .. } => Some((*stage, name)),
            _ => None,
        }
    }

    /// Tokens that all requests of a run of a stage generate.
    fn generated_tokens(&self) -> f64 {
        (self.count("n_requests") * self.count("n_gen_tokens")) as f64
    }

    /// Generated tokens a second of each round of a stage, prompts included in the time.
    pub fn generated_rates_ts(&self) -> Vec<f64> {
        self.us_per_token().iter().map(|us| 1e6 / us).collect()
    }

    /// Microseconds a generated token of each round.
    fn us_per_token(&self) -> Vec<f64> {
        self.samples()
            .iter()
            .map(|sample| sample.elapsed_ns as f64 / 1e3 / self.generated_tokens())
            .collect()
    }
}

/// The rows of a ladder; those of stages that completed no round are left out.
pub fn stage_figures(trials: &[Trial], target: StageTarget) -> Vec<StageFigures> {
    let measured: Vec<&Trial> = trials
        .iter()
        .filter(|trial| trial.experiment == STAGES_EXPERIMENT && !trial.samples().is_empty())
        .collect();
    let Some(base) = measured.first().map(|first| first.generated_rates_ts()) else {
        return Vec::new();
    };
    let figures = |(i, trial): (usize, &&Trial)| {
        let own = i.checked_sub(1).map(|before| differences(trial, measured[before]));
        let rates = trial.generated_rates_ts();
        let against_base = paired_ratio(&rates, &base, CONFIDENCE);
        let interval = mean_interval(&rates, CONFIDENCE);
        let loss_interval = against_base.and_then(|ratio| ratio.interval);
        StageFigures {
            stage: trial.stage().map_or(0, |(stage, _)| stage),
            name: trial.stage().map_or("", |(_, name)| name).to_owned(),
            tokens_per_second: mean(&rates).unwrap_or(f64::NAN),
            interval: interval.map(ends),
            own_us_per_token: own.as_ref().and_then(|own| mean(own)).filter(|us| us.is_finite()),
            own_interval: own.as_ref().and_then(|own| mean_interval(own, CONFIDENCE)).map(ends),
            own_share: own.as_ref().and_then(|own| {
                let before = mean(&measured[i - 1].us_per_token()).filter(|us| *us > 0.0)?;
                Some(mean(own)? / before).filter(|share| share.is_finite())
            }),
            loss: against_base.map_or(f64::NAN, |ratio| 1.0 - ratio.ratio),
            loss_interval: loss_interval.map(|i| [1.0 - i.high, 1.0 - i.low]),
            verdict: match target {
                // Stage 0 is what the others are held to, if it has a rate.
                StageTarget::Share(share) if i == 0 && share <= 1.0 && against_base.is_some() => {
                    StageVerdict::Met
                }
                StageTarget::Share(share) => verdict(loss_interval, share),
                StageTarget::TokensPerSecond(rate) => verdict(interval, rate),
            },
            rounds: rates.len(),
        }
    };
    measured.iter().enumerate().map(figures).collect()
}

/// Microseconds a token that `trial` took longer than `before`, round by round.
fn differences(trial: &Trial, before: &Trial) -> Vec<f64> {
    trial
        .us_per_token()
        .iter()
        .zip(before.us_per_token())
        .map(|(this, before)| this - before)
        .collect()
}

fn ends(interval: Interval) -> [f64; 2] {
    [interval.low, interval.high]
}

fn verdict(interval: Option<Interval>, target: f64) -> StageVerdict {
    match interval {
        Some(i) if i.low >= target => StageVerdict::Met,
        Some(i) if i.high < target => StageVerdict::Missed,
        _ => StageVerdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;
    use serde_json::json;

    /// 1000 tokens a run; times in milliseconds.
    fn trial(stage: u64, times_ms: &[u64]) -> Trial {
        let params = json!({ "n_requests": 10, "n_gen_tokens": 100 });
        let samples = times_ms
            .iter()
            .map(|ms| Sample { elapsed_ns: ms * 1_000_000, ..Sample::default() })
            .collect();
        Trial {
            experiment: STAGES_EXPERIMENT.into(),
            params: params.as_object().unwrap().clone(),
            measured: Measured::Ladder { stage, name: "x".into(), samples, calls: Vec::new() },
            ..Trial::default()
        }
    }

    #[test]
    fn what_generated_nothing_meets_nothing() {
        let none = |stage| {
            let mut trial = trial(stage, &[1000; 6]);
            trial.params.insert("n_gen_tokens".into(), 0.into());
            trial
        };
        let timeless = |stage| trial(stage, &[0; 6]);
        for trials in [[none(0), none(1)], [timeless(0), timeless(1)]] {
            for target in [StageTarget::Share(0.8), StageTarget::TokensPerSecond(5.0)] {
                for row in stage_figures(&trials, target) {
                    assert_ne!(row.verdict, StageVerdict::Met, "{row:?}");
                    assert!(row.loss.is_nan() && row.loss_interval.is_none(), "{row:?}");
                    assert!(row.own_share.is_none(), "{row:?}");
                    assert!(row.own_us_per_token.is_none_or(f64::is_finite), "{row:?}");
                }
            }
        }
    }

    #[test]
    fn costs_are_differences_within_rounds() {
        // The machine is slower in every second round; stage 1 always takes 10 ms more, stage 2 as
        // long as stage 1.
        let base = [1000, 1200, 1000, 1200, 1000, 1200];
        let more: Vec<u64> = base.iter().map(|ms| ms + 10).collect();
        let trials = [trial(0, &base), trial(1, &more), trial(2, &more), trial(3, &[])];
        let rows = stage_figures(&trials, StageTarget::Share(0.95));
        assert_eq!(rows.iter().map(|row| row.stage).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(rows[0].own_us_per_token, None);
        assert!((rows[0].tokens_per_second - (1000.0 + 1000.0 / 1.2) / 2.0).abs() < 1e-6);
        let [low, high] = rows[1].own_interval.unwrap();
        assert!((rows[1].own_us_per_token.unwrap() - 10.0).abs() < 1e-9 && high - low < 1e-9);
        assert!((rows[1].own_share.unwrap() - 10.0 / 1100.0).abs() < 1e-9);
        // 1 - sqrt(1000/1010 * 1200/1210), the noise of the machine cancelled.
        assert!(
            (rows[1].loss - 0.009083).abs() < 1e-5 && rows[1].loss_interval.unwrap()[1] < 0.0105
        );
        assert_eq!(rows[2].own_us_per_token, Some(0.0));
        assert!(rows.iter().all(|row| row.verdict == StageVerdict::Met && row.rounds == 6));
        let rows = stage_figures(&trials, StageTarget::Share(0.995));
        assert_eq!((rows[0].verdict, rows[1].verdict), (StageVerdict::Met, StageVerdict::Missed));
        let rows = stage_figures(&trials, StageTarget::TokensPerSecond(930.0));
        assert_eq!(rows[1].verdict, StageVerdict::Undecided);
        assert!(
            stage_figures(&[trial(0, &[5, 5])], StageTarget::Share(2.0))[0].verdict
                == StageVerdict::Undecided
        );
        assert!(stage_figures(&[], StageTarget::Share(1.0)).is_empty());
    }
}
