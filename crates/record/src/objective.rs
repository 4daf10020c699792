//! What a search is to make as large as it can be: one rate of a run.

use crate::{Sample, Trial};
use serde_json::Value;

/// A rate, tokens a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// Prompt and generated tokens over the time of both, as llama-bench's `pp+tg` counts.
    #[default]
    Throughput,
    /// Tokens after the first over their time.
    Decode,
    /// Prompt tokens over the time to the first token.
    Prefill,
}

impl Objective {
    /// All of them, by name.
    pub const ALL: [(&'static str, Objective); 3] = [
        ("throughput", Objective::Throughput),
        ("decode_tps", Objective::Decode),
        ("prefill_tps", Objective::Prefill),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Objective::ALL.iter().find(|(_, other)| *other == self).map_or("", |(name, _)| name)
    }

    /// The one of that name.
    pub fn find(name: &str) -> Option<Objective> {
        Objective::ALL.iter().find(|(known, _)| *known == name).map(|(_, objective)| *objective)
    }

    /// What a trial was measured for, by its parameter `maximize`.
    pub fn of(trial: &Trial) -> Objective {
        let name = trial.params.get("maximize").and_then(Value::as_str);
        name.and_then(Objective::find).unwrap_or_default()
    }

    /// Its value in a run of a trial; absent where that took no time that a clock shows.
    pub fn value(self, trial: &Trial, sample: &Sample) -> Option<f64> {
        let (n_prompt, n_gen) = (trial.count("n_prompt"), trial.count("n_gen"));
        let (tokens, ns) = match self {
            Objective::Throughput => (n_prompt + n_gen, sample.elapsed_ns),
            Objective::Decode => (sample.gaps_ns.len() as u64, sample.gaps_ns.iter().sum()),
            Objective::Prefill => (n_prompt, sample.ttft_ns.unwrap_or(0)),
        };
        (ns > 0 && tokens > 0).then(|| tokens as f64 * 1e9 / ns as f64)
    }

    /// Its value in each run of a trial's rounds.
    pub fn values(trial: &Trial) -> Vec<f64> {
        let runs = trial.tuned().into_iter().flat_map(|tuned| tuned.of_rounds());
        runs.filter_map(|(_, sample)| Objective::of(trial).value(trial, sample)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_by_hand() {
        let mut trial = Trial::default();
        trial.params.insert("n_prompt".into(), 100.into());
        trial.params.insert("n_gen".into(), 2.into());
        let sample = Sample {
            elapsed_ns: 2_000_000_000,
            ttft_ns: Some(500_000_000),
            gaps_ns: vec![500_000_000, 1_000_000_000],
            ..Sample::default()
        };
        let found = Objective::ALL.map(|(_, objective)| objective.value(&trial, &sample));
        assert_eq!(found, [Some(51.0), Some(2.0 / 1.5), Some(200.0)]);
        assert_eq!(Objective::Decode.value(&trial, &Sample::default()), None);
        for (name, objective) in Objective::ALL {
            assert_eq!((objective.name(), Objective::find(name)), (name, Some(objective)));
        }
        assert_eq!(Objective::find("goodput"), None);
    }
}
