//! How well a model predicts a text: llama.cpp's recipe (`tools/perplexity`), over any backend that
//! can score.
//!
//! The text is cut to chunks of `n_ctx` tokens that do not overlap; a rest is left out. BOS
//! replaces the first token of a chunk where the model wants one. The first half of a chunk is
//! context; the tokens at n_ctx/2 + 1 … n_ctx − 1 are scored, each given all before it in its
//! chunk. What the scores come to is in `record` ([`Scores`]).

use crate::experiment::{Case, How, Subject, Text, mismatch};
use crate::memory;
use crate::parameter::{N_THREADS, REPACK, TYPE_K, TYPE_V};
use crate::repeat::{CutShort, now_unix_s};
use crate::{BenchError, Experiment, Params, Warning, describe, warnings};
use pacemark_backend::{BackendInfo, TokenId};
use pacemark_record::env::StealWatch;
use pacemark_record::{
    Better, Chunk, Ends, Measured, Metric, Run, Scores, Series, Statistic, Trial, Unit,
};
use pacemark_report::{Document, Fact};
use pacemark_setup::Setup;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// How well the model predicts a text.
pub struct Perplexity;

/// A text, how it is cut, and how the model that predicts it is run.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    /// Tokens of a chunk; even, at least 4.
    pub n_ctx: usize,
    /// Chunks at most; `None` for all.
    pub max_chunks: Option<usize>,
    /// How the model is loaded and run.
    pub setup: Setup,
    /// The text's name.
    pub file: String,
}

impl Chunks {
    /// Number of the token that the first scored one follows.
    pub(crate) fn first(&self) -> usize {
        self.n_ctx / 2
    }

    /// The chunks of a text, each begun as a model wants that has `bos`.
    pub(crate) fn cut<'a>(
        &self,
        text: &'a [TokenId],
        bos: Option<TokenId>,
    ) -> Result<impl ExactSizeIterator<Item = Vec<TokenId>> + use<'a>, BenchError> {
        let n_ctx = self.n_ctx;
        if n_ctx < 4 || n_ctx % 2 == 1 {
            return Err(BenchError::ChunkLength(n_ctx));
        }
        let n_chunks = (text.len() / n_ctx).min(self.max_chunks.unwrap_or(usize::MAX));
        if n_chunks == 0 {
            return Err(BenchError::TextTooShort { found: text.len(), n_ctx });
        }
        let begun = move |chunk: &[TokenId]| {
            let mut chunk = chunk.to_vec();
            chunk[0] = bos.unwrap_or(chunk[0]);
            chunk
        };
        Ok(text.chunks_exact(n_ctx).take(n_chunks).map(begun))
    }

    /// The parameters as they are recorded: the threads are those that the backend has.
    pub(crate) fn params(&self, backend: &BackendInfo) -> Params {
        let [type_k, type_v] = self.setup.cache.names();
        let recorded: [(&str, Value); 5] = [
            ("n_ctx", self.n_ctx.into()),
            (N_THREADS.name, backend.n_threads.into()),
            (TYPE_K.name, type_k.into()),
            (TYPE_V.name, type_v.into()),
            ("file", self.file.as_str().into()),
        ];
        let recorded = recorded.into_iter().chain(unpacked(&self.setup));
        recorded.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Weights as they lie in the file; recorded only where they are.
pub(crate) fn unpacked(setup: &Setup) -> Option<(&'static str, Value)> {
    (!setup.weights.pack).then(|| (REPACK.name, Value::from(false)))
}

impl Experiment for Perplexity {
    fn name(&self) -> &'static str {
        "perplexity"
    }

    fn help(&self) -> &'static str {
        "how well the model predicts a text, llama.cpp's recipe"
    }

    /// An interrupt keeps the chunks until then.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Chunks(chunks), Subject::Text(text)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let started_unix_s = now_unix_s();
        let steal = StealWatch::begin();
        let mut scores = Scores::default();
        let result = score(chunks, text, how, &mut scores);
        let info = text.backend.info();
        let mut trial = Trial {
            experiment: self.name().to_owned(),
            started_unix_s,
            model: describe(&info),
            params: chunks.params(&info),
            repetitions: scores.n_chunks as usize,
            measured: Measured::Scores(scores),
            peak_rss_bytes: memory::peak_rss_bytes(text.backend),
            steal_share: steal.share(),
            ..Trial::default()
        };
        match result {
            Ok(note) => {
                trial.notes.extend(note);
                Ok(vec![trial])
            }
            Err(error) if trial.measured.is_empty() => Err(CutShort { partial: Vec::new(), error }),
            Err(error) => Err(CutShort { partial: vec![trial], error }),
        }
    }

    fn format(&self) -> &'static str {
        "table"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn row_name(&self, _: &Run, trial: &Trial) -> String {
        format!("chunks of {}", trial.scores().map_or(0, |scores| scores.n_ctx))
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Scores(_))
    }

    fn streams(&self) -> bool {
        false
    }

    /// Of the machine, and of how it ended.
    fn notes(&self, run: &Run) -> Vec<String> {
        let machine = warnings(&run.env, &[]);
        let said = run.trials.iter().flat_map(|trial| trial.notes.iter().cloned());
        machine.iter().map(Warning::to_string).chain(said).collect()
    }

    /// For people as llama.cpp prints it, then more; one object for programs.
    fn document(&self, run: &Run, _: &[&str]) -> Document {
        let scored = run.trials.iter().filter_map(|trial| Some((trial, trial.scores()?)));
        let facts = scored.flat_map(|(trial, scores)| facts(run, trial, scores));
        Document { facts: facts.collect(), ..Document::default() }
    }
}

/// Scores chunk after chunk; tells what is to be said of how it ended.
fn score(
    cut: &Chunks,
    text: &Text<'_>,
    how: &mut How<'_>,
    scores: &mut Scores,
) -> Result<Option<String>, BenchError> {
    let (n_ctx, first) = (cut.n_ctx, cut.first());
    let chunks = cut.cut(text.tokens, text.backend.info().bos)?;
    let n_chunks = chunks.len();
    let expected = n_ctx - 1 - first;
    scores.n_ctx = n_ctx as u64;
    scores.n_tokens = text.tokens.len() as u64;
    scores.n_chunks = n_chunks as u64;
    let began = Instant::now();
    let mut missed = None;
    for chunk in chunks {
        if how.stop.load(Ordering::Relaxed) {
            return Err(BenchError::Interrupted);
        }
        let started = Instant::now();
        let logprobs = text.backend.score(&chunk, first)?;
        let elapsed_ns = started.elapsed().as_nanos() as u64;
        if logprobs.len() != expected {
            return Err(BenchError::TooFewTokens { expected, found: logprobs.len() });
        }
        let n_bytes = chunk[first + 1..].iter().map(|&token| (text.n_bytes)(token) as u64).sum();
        let n_computed = n_ctx as u64 - 1;
        scores.chunks.push(Chunk { logprobs, n_bytes, n_computed, elapsed_ns });
        how.observer.chunk(scores.chunks.len(), n_chunks, scores.ppl().unwrap_or(f64::NAN));
        let Some(until) = how.repetitions.until else { continue };
        let width = scores.ppl_interval().zip(scores.ppl());
        let width = width.map(|(interval, ppl)| (interval.high - interval.low) / 2.0 / ppl);
        if until.is_met(width) || began.elapsed() >= until.max_time {
            scores.n_chunks = scores.chunks.len() as u64;
            return Ok(until.missed("mean", width, true));
        }
        missed = until.missed("mean", width, false);
    }
    // The text ended it.
    Ok(missed)
}

const METRICS: &[Metric] = &[
    Metric::new(&PPL, Statistic::Only)
        .within(|t| t.scores()?.ppl_interval())
        .with_ends(ENDS)
        .shown(),
    Metric::new(&PPL_ERROR, Statistic::Only),
    Metric::new(&BITS_PER_BYTE, Statistic::Only)
        .within(|t| t.scores()?.bits_per_byte_interval())
        .with_ends(ENDS)
        .shown(),
    Metric::new(&RATE, Statistic::Only).shown(),
];

const ENDS: Ends = Ends { infix: "_ci95", titles: None };

const PPL: Series = Series {
    name: "ppl",
    title: "PPL",
    unit: Unit::Number,
    better: Better::Lower,
    help: "perplexity: e to the mean negative log-probability of the scored tokens",
    of: |t| t.scores().and_then(Scores::ppl).into_iter().collect(),
};

const PPL_ERROR: Series = Series {
    name: "ppl_error",
    title: "error",
    help: "its standard error over tokens, as llama.cpp prints it",
    of: |t| t.scores().and_then(Scores::ppl_error).into_iter().collect(),
    ..PPL
};

const BITS_PER_BYTE: Series = Series {
    name: "bits_per_byte",
    title: "bits/byte",
    help: "bits per byte of text, which can be compared between tokenizers",
    of: |t| t.scores().and_then(Scores::bits_per_byte).into_iter().collect(),
    ..PPL
};

const RATE: Series = Series {
    name: "rate_ts",
    title: "t/s",
    unit: Unit::TokensPerSecond,
    better: Better::Higher,
    help: "computed tokens a second",
    of: |t| t.scores().map(Scores::rate_ts).into_iter().collect(),
};

fn facts(run: &Run, trial: &Trial, scores: &Scores) -> Vec<Fact> {
    let digits = |value: Option<f64>, n: usize| {
        value
            .filter(|value| value.is_finite())
            .map_or("-".to_owned(), |value| format!("{value:.n$}"))
    };
    let param = |name: &str| trial.params.get(name).cloned().unwrap_or_default();
    let (ppl, bits) = (scores.ppl_interval(), scores.bits_per_byte_interval());
    let interval = match ppl {
        Some(i) => format!(
            "95 % interval, over {} chunks: {:.4} to {:.4}",
            scores.chunks.len(),
            i.low,
            i.high
        ),
        None => "95 % interval: -, it takes 5 chunks".to_owned(),
    };
    let line = |text: String| Fact::told("", text);
    vec![
        line(format!(
            "Final estimate: PPL = {} +/- {}",
            digits(scores.ppl(), 4),
            digits(scores.ppl_error(), 5)
        )),
        line(interval),
        line(format!(
            "bits per byte: {}, over {} tokens of {} bytes",
            digits(scores.bits_per_byte(), 5),
            scores.n_scored(),
            scores.n_bytes()
        )),
        line(format!(
            "{} tokens computed in {:.2} s: {:.2} t/s",
            scores.n_computed(),
            scores.elapsed_s(),
            scores.rate_ts()
        )),
        Fact::value("ppl", scores.ppl()),
        Fact::value("ppl_ci95_low", ppl.map(|i| i.low)),
        Fact::value("ppl_ci95_high", ppl.map(|i| i.high)),
        Fact::value("ppl_error", scores.ppl_error()),
        Fact::value("bits_per_byte", scores.bits_per_byte()),
        Fact::value("bits_per_byte_ci95_low", bits.map(|i| i.low)),
        Fact::value("bits_per_byte_ci95_high", bits.map(|i| i.high)),
        Fact::value("running", scores.running()),
        Fact::value("n_tokens", scores.n_tokens),
        Fact::value("n_ctx", scores.n_ctx),
        Fact::value(TYPE_K.name, param(TYPE_K.name)),
        Fact::value(TYPE_V.name, param(TYPE_V.name)),
        Fact::value("kv_bytes_per_token", trial.model.kv_bytes_per_token),
        Fact::value("n_chunks", scores.chunks.len()),
        Fact::value("n_scored", scores.n_scored()),
        Fact::value("n_bytes_scored", scores.n_bytes()),
        Fact::value("n_computed", scores.n_computed()),
        Fact::value("duration_s", scores.elapsed_s()),
        Fact::value("rate_ts", scores.rate_ts()),
        Fact::value("model", trial.model.path.as_str()),
        Fact::value("model_type", trial.model.model_type.as_str()),
        Fact::value("isa", trial.model.isa.as_str()),
        Fact::value(N_THREADS.name, param(N_THREADS.name)),
        Fact::value("steal_share", trial.steal_share),
        Fact::value("env", json!(run.env)),
    ]
}

#[cfg(test)]
mod tests;
