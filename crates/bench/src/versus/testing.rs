//! Engines with made-up figures.

use super::fair::TERMS;
use super::{ENGINE, N_TOGETHER};
use pacemark_record::{
    Chunk, Contender, EngineRun, FreshRun, Measured, Model, Sample, Scores, Trial,
};
use serde_json::Value;

/// An engine that generates at a rate and has a perplexity, measured in six rounds and chunks.
pub(crate) fn trial(name: &str, rate_ts: f64, ppl: f64) -> Trial {
    // Another spread for each, so that ratios have an interval.
    let spread = |round: usize| [1.0, 1.01, 0.99, 1.02, 0.98, 1.0][(round + name.len()) % 6];
    let ns = |round: usize| (1e9 / rate_ts * spread(round)) as u64;
    let sample = |round: usize| Sample {
        elapsed_ns: 20 * ns(round),
        ttft_ns: Some(10 * ns(round)),
        gaps_ns: vec![ns(round); 9],
        ..Sample::default()
    };
    let run = |round: usize| EngineRun {
        alone: FreshRun {
            load_ns: 250_000_000,
            loaded_rss_bytes: Some(150 << 20),
            peak_rss_bytes: Some(200 << 20),
            n_prompt: 256,
            sample: sample(round),
        },
        together: Some(sample(round)),
        n_parallel: 4,
        n_gen: 9,
    };
    let chunk =
        || Chunk { logprobs: vec![-(ppl.ln() as f32); 60], n_bytes: 240, ..Chunk::default() };
    let scores = Scores {
        n_ctx: 122,
        n_tokens: 732,
        n_chunks: 6,
        chunks: (0..6).map(|_| chunk()).collect(),
    };
    let contender = Contender {
        runs: (0..6).map(run).collect(),
        scores: Some(scores),
        terms: TERMS.map(|term| (term.to_owned(), "same".to_owned())).into(),
        ..Contender::default()
    };
    let params = [
        (ENGINE, Value::from(name)),
        ("model", "model.gguf".into()),
        ("n_prompt", 256.into()),
        ("n_gen", 9.into()),
        (N_TOGETHER, 4.into()),
        ("file", "text.txt".into()),
    ];
    Trial {
        experiment: "versus".into(),
        model: Model { model_type: "llama 135M".into(), ..Model::default() },
        repetitions: 6,
        params: params.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
        measured: Measured::Contender(Box::new(contender)),
        ..Trial::default()
    }
}

/// One that is the baseline, one that predicts otherwise, a server that does not score, and one that is
/// not here.
pub(crate) fn trials() -> Vec<Trial> {
    let mut all = [
        trial("native", 100.0, 20.0),
        trial("openvino", 80.0, 24.0),
        trial("server", 90.0, 20.0),
        trial("broken", 1.0, 1.0),
    ];
    let of = |trial: &mut Trial, change: &dyn Fn(&mut Contender)| {
        trial.contender_mut().into_iter().for_each(change);
    };
    of(&mut all[1], &|of| drop(of.terms.insert("precision".into(), "bf16".into())));
    of(&mut all[2], &|of| {
        of.scores = None;
        of.terms.clear();
        of.lacks.insert("ppl".into(), "the server does not score".into());
    });
    of(&mut all[3], &|of| {
        *of = Contender { failure: Some("it is not here".into()), ..Contender::default() };
    });
    for (turn, trial) in all.iter_mut().enumerate() {
        trial.turn = turn as u64;
    }
    all.into()
}
