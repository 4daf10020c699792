//! How far a model's predictions are from a reference's: the same text cut as for [perplexity](crate::perplexity), predicted
//! by both, token by token.
//!
//! The reference may be the same weights in exact arithmetic, a file of higher precision, or the
//! same file with all keys and values; which it is, is the caller's choice. What two predictions of
//! a token come to is `divergence`'s, what those of a text do `record`'s ([`Distances`]).

mod divergence;
pub(crate) mod figures;
mod reference;

use crate::experiment::{Case, How, Subject, Text, mismatch};
use crate::memory;
use crate::parameter::KV;
use crate::perplexity::Chunks;
use crate::repeat::{CutShort, now_unix_s};
use crate::{BenchError, Experiment, Params, describe};
use divergence::divergence;
use pacemark_backend::{BackendInfo, ScoreRequest, TokenId};
use pacemark_record::env::StealWatch;
use pacemark_record::{Apart, Chunk, Distances, Measured, Metric, Scores, Trial, stats};
use pacemark_report::{Form, layout};
pub use reference::{Predictions, Reference};
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How far predictions are from a reference's.
pub struct Distance;

/// A text, how it is cut, and what predicts it.
#[derive(Clone, Debug, Default)]
pub struct Apartness {
    /// The text and how it is cut, and how the candidate is loaded and run.
    pub chunks: Chunks,
    /// What of the candidate's keys and values is kept, as a policy's spec. A chunk's first half is
    /// the prompt.
    pub kv: Option<String>,
    /// What the reference is, in a word or by its file.
    pub reference: String,
    /// How it stores keys and values: the names of both types.
    pub reference_cache: [String; 2],
}

impl Apartness {
    /// The chunks of a text as they are asked of a backend, with a policy or with all keys and
    /// values.
    pub fn requests(
        &self,
        tokens: &[TokenId],
        bos: Option<TokenId>,
        kv: Option<&str>,
    ) -> Result<Vec<ScoreRequest>, BenchError> {
        let first = self.chunks.first();
        let request = |tokens| ScoreRequest {
            tokens,
            first,
            kv: kv.map(str::to_owned),
            n_prompt: kv.map(|_| first),
        };
        Ok(self.chunks.cut(tokens, bos)?.map(request).collect())
    }

    fn params(&self, candidate: &BackendInfo, reference: &BackendInfo) -> Params {
        let mut params = self.chunks.params(candidate);
        let [k, v] = &self.reference_cache;
        let more: [(&str, Value); 5] = [
            (KV.name, self.kv.as_deref().unwrap_or("full").into()),
            ("reference", self.reference.as_str().into()),
            ("reference_type", reference.model_type.as_str().into()),
            ("reference_type_k", k.as_str().into()),
            ("reference_type_v", v.as_str().into()),
        ];
        params.extend(more.map(|(name, value)| (name.to_owned(), value)));
        params
    }
}

impl Experiment for Distance {
    fn name(&self) -> &'static str {
        "kld"
    }

    fn help(&self) -> &'static str {
        "how far a model's predictions are from a reference's"
    }

    /// An interrupt keeps the chunks until then.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Distance(case), Subject::Pair(reference, text)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let started_unix_s = now_unix_s();
        let steal = StealWatch::begin();
        let mut distances = Distances::default();
        let result = compare(case, *reference, text, how, &mut distances);
        let info = text.backend.info();
        let trial = Trial {
            experiment: self.name().to_owned(),
            started_unix_s,
            model: describe(&info),
            params: case.params(&info, &reference.info()),
            repetitions: distances.candidate.n_chunks as usize,
            measured: Measured::Distances(distances),
            peak_rss_bytes: memory::peak_rss_bytes(text.backend),
            steal_share: steal.share(),
            ..Trial::default()
        };
        match result {
            Ok(()) => Ok(vec![trial]),
            Err(error) if trial.measured.is_empty() => Err(CutShort { partial: Vec::new(), error }),
            Err(error) => Err(CutShort { partial: vec![trial], error }),
        }
    }

    fn format(&self) -> &'static str {
        "table"
    }

    fn metrics(&self) -> &'static [Metric] {
        figures::METRICS
    }

    fn form(&self) -> &'static Form {
        &layout::DISTANCE
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Distances(_))
    }

    fn streams(&self) -> bool {
        false
    }
}

/// Chunk after chunk, by both.
fn compare(
    case: &Apartness,
    reference: Reference<'_>,
    text: &Text<'_>,
    how: &mut How<'_>,
    distances: &mut Distances,
) -> Result<(), BenchError> {
    let bos = text.backend.info().bos;
    let asked = case.requests(text.tokens, bos, case.kv.as_deref())?;
    let of_reference = case.requests(text.tokens, bos, None)?;
    let n_ctx = case.chunks.n_ctx as u64;
    let head = Scores {
        n_ctx,
        n_tokens: text.tokens.len() as u64,
        n_chunks: asked.len() as u64,
        chunks: Vec::new(),
    };
    (distances.candidate, distances.reference) = (head.clone(), head);
    let mut logits = Vec::new();
    for (i, (asked, of_reference)) in asked.iter().zip(&of_reference).enumerate() {
        if how.stop.load(Relaxed) {
            return Err(BenchError::Interrupted);
        }
        let began = Instant::now();
        let rows = match reference {
            Reference::Known(known) => known.chunk(i),
            Reference::Live(backend) => {
                reference::predict(backend, of_reference, how.stop, &mut logits)?;
                &logits
            }
        };
        let by_reference = began.elapsed();
        let mut found = chunk(rows, text, asked, how.stop)?;
        found.reference.elapsed_ns = by_reference.as_nanos() as u64;
        distances.candidate.chunks.push(found.candidate);
        distances.reference.chunks.push(found.reference);
        distances.apart.push(found.apart);
        let mean = stats::mean(&distances.klds()).unwrap_or(f64::NAN);
        how.observer.chunk(i + 1, distances.candidate.n_chunks as usize, mean);
    }
    Ok(())
}

/// One chunk by both.
struct Pair {
    candidate: Chunk,
    reference: Chunk,
    apart: Apart,
}

/// The candidate's predictions of a chunk beside `rows`, the reference's.
fn chunk(
    rows: &[f32],
    text: &Text<'_>,
    asked: &ScoreRequest,
    stop: &AtomicBool,
) -> Result<Pair, BenchError> {
    let scored = &asked.tokens[asked.first + 1..];
    let n_bytes = scored.iter().map(|&token| (text.n_bytes)(token) as u64).sum();
    let empty = Chunk { n_bytes, n_computed: asked.tokens.len() as u64 - 1, ..Chunk::default() };
    let mut pair = Pair { candidate: empty.clone(), reference: empty, apart: Apart::default() };
    let (started, mut comparing) = (Instant::now(), Duration::ZERO);
    let mut wrong = None;
    text.backend.predict(asked, &mut |i, logits| {
        let began = Instant::now();
        let result = if stop.load(Relaxed) {
            Err(BenchError::Interrupted)
        } else {
            row(rows, logits, (i - asked.first, scored.len()), asked.tokens[i + 1], &mut pair)
        };
        comparing += began.elapsed();
        wrong = result.err();
        if wrong.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    pair.candidate.elapsed_ns = started.elapsed().saturating_sub(comparing).as_nanos() as u64;
    let (expected, found) = (scored.len(), pair.apart.kld.len());
    match wrong {
        Some(error) => Err(error),
        None if found < expected => Err(BenchError::TooFewTokens { expected, found }),
        None => Ok(pair),
    }
}

/// One row of the candidate beside the reference's row `i` of `of`.
fn row(
    rows: &[f32],
    logits: &[f32],
    (i, of): (usize, usize),
    next: TokenId,
    pair: &mut Pair,
) -> Result<(), BenchError> {
    let n_vocab = rows.len() / of;
    if n_vocab != logits.len() {
        return Err(BenchError::Vocabulary { expected: n_vocab, found: logits.len() });
    }
    let found = divergence(&rows[i * n_vocab..][..n_vocab], logits, next)
        .ok_or(BenchError::NotFinite { token: pair.apart.kld.len() })?;
    pair.candidate.logprobs.push(found.candidate as f32);
    pair.reference.logprobs.push(found.reference as f32);
    pair.apart.kld.push(found.kld as f32);
    pair.apart.same_top.push(found.same_top);
    Ok(())
}

#[cfg(test)]
mod tests;
