//! Settings with made-up runs.

use super::{ALIKE, COMMAND, MAXIMIZE, N_CHANGES, RESOLUTION, SETTING, TARGETS};
use pacemark_record::{Fate, Measured, Model, Sample, Trial, Tuned};

/// A run whose first token comes after so many milliseconds, with nine more after it, each a tenth of
/// that later.
pub(super) fn sample(ttft_ms: u64) -> Sample {
    let (ttft_ns, gap) = (ttft_ms * 1_000_000, ttft_ms * 100_000);
    Sample {
        elapsed_ns: ttft_ns + 9 * gap,
        ttft_ns: Some(ttft_ns),
        gaps_ns: vec![gap; 9],
        ..Sample::default()
    }
}

/// A setting's trial with these runs, a round each; the race is not over.
pub(super) fn trial(name: &str, ttft_ms: &[u64]) -> Trial {
    let mut tuned = Tuned::default();
    ttft_ms.iter().zip(1..).for_each(|(ms, round)| tuned.push(round, sample(*ms)));
    let mut trial = Trial {
        experiment: "tune".into(),
        model: Model { model_type: "llama 135M".into(), ..Model::default() },
        repetitions: ttft_ms.len(),
        measured: Measured::Tuned(tuned),
        ..Trial::default()
    };
    let n_changes = if name == "default" { 0 } else { name.split(" -").count() };
    let params = [
        (SETTING, name.into()),
        (N_CHANGES, n_changes.into()),
        (COMMAND, format!("pacemark bench -m model.gguf {name}").into()),
        (MAXIMIZE, "throughput".into()),
        (TARGETS, "".into()),
        (RESOLUTION, 0.01.into()),
        (ALIKE, true.into()),
        ("source", "model.gguf".into()),
        ("n_prompt", 100.into()),
        ("n_gen", 9.into()),
    ];
    trial.params.extend(params.map(|(name, value)| (name.to_owned(), value)));
    trial
}

/// The same after the race.
pub(super) fn with_fate(mut trial: Trial, fate: Fate, round: u64) -> Trial {
    if let Some(tuned) = trial.tuned_mut() {
        (tuned.fate, tuned.fate_round) = (fate, round);
    }
    trial
}
