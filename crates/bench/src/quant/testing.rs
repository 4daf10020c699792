//! Types with made-up figures.

use super::{MAX_KLD, SOURCE, TYPE};
use pacemark_record::{
    Apart, Chunk, Distances, FreshRun, Measured, Model, Quantized, Sample, Scores, Trial,
};

/// A type that generates at a rate and is at a distance, measured in six rounds and chunks.
pub(crate) fn trial(name: &str, rate_ts: f64, kld: f64) -> Trial {
    // Another spread for each, so that ratios have an interval.
    let spread = |round: usize| [1.0, 1.01, 0.99, 1.02, 0.98, 1.0][(round + name.len()) % 6];
    let ns = |round: usize| (1e9 / rate_ts * spread(round)) as u64;
    let run = |round: usize| FreshRun {
        load_ns: 250_000_000,
        loaded_rss_bytes: Some(150 << 20),
        peak_rss_bytes: Some(200 << 20),
        n_prompt: 256,
        sample: Sample {
            ttft_ns: Some(10 * ns(round)),
            gaps_ns: vec![ns(round); 9],
            ..Sample::default()
        },
    };
    let chunk = |logprob: f64| Chunk {
        logprobs: vec![logprob as f32; 60],
        n_bytes: 240,
        ..Chunk::default()
    };
    let scores = |shift: f64| Scores {
        n_ctx: 122,
        n_tokens: 732,
        n_chunks: 6,
        chunks: (0..6).map(|i| chunk(-2.5 - 0.1 * f64::from(i) - shift)).collect(),
    };
    let apart = |i: u8| Apart {
        kld: vec![(kld * (1.0 + 0.02 * f64::from(i))) as f32; 60],
        same_top: (0..60).map(|j| kld < 0.001 || j % 20 > 0).collect(),
    };
    let quantized = Quantized {
        file_bytes: (100 << 20) + (1e6 / rate_ts) as u64,
        runs: (0..6).map(run).collect(),
        distances: Some(Distances {
            candidate: scores(kld),
            reference: scores(0.0),
            apart: (0..6).map(apart).collect(),
        }),
    };
    let mut trial = Trial {
        experiment: "quant".into(),
        model: Model {
            model_type: "llama 135M".into(),
            bytes: 100 << 20,
            n_params: 134_515_008,
            ..Model::default()
        },
        repetitions: 6,
        measured: Measured::Quantized(quantized),
        ..Trial::default()
    };
    let params = [(TYPE, name.into()), (SOURCE, "model.gguf".into()), (MAX_KLD, 0.05.into())];
    trial.params.extend(params.map(|(name, value)| (name.to_owned(), value)));
    let counts = [("n_prompt", 256), ("n_gen", 10), ("n_ctx", 122), ("n_threads", 2)];
    trial.params.extend(counts.map(|(name, value)| (name.to_owned(), value.into())));
    trial
}

/// Four types; the first is what the others are compared with.
pub(super) fn trials() -> Vec<Trial> {
    let of = [("F16", 10.0, 0.0002), ("Q8_0", 20.0, 0.002), ("Q4_K_M", 30.0, 0.04)];
    let mut trials: Vec<Trial> =
        of.into_iter().chain([("Q2_K", 40.0, 0.5)]).map(|(n, r, k)| trial(n, r, k)).collect();
    trials.iter_mut().enumerate().for_each(|(turn, trial)| trial.turn = turn as u64);
    trials
}
