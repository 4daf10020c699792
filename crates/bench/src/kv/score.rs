//! One text under one policy.

use crate::BenchError;
use pacemark_backend::{Backend, KvHeld, ScoreRequest, TokenId};
use pacemark_record::{Held, ScoredText};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// A text to score.
pub(super) struct Piece<'a> {
    /// Its number.
    pub index: u64,
    pub tokens: &'a [TokenId],
    /// How many of them are a prompt, which is not scored.
    pub n_prompt: Option<usize>,
    /// What of the keys and values is kept.
    pub kv: Option<&'a str>,
}

/// Scores a text; `progress(computed, of)` is told meanwhile. An interrupt leaves fewer scores than
/// tokens.
pub(super) fn score(
    backend: &dyn Backend,
    piece: &Piece<'_>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<ScoredText, BenchError> {
    let request = ScoreRequest {
        tokens: piece.tokens.to_vec(),
        // What the prompt's last token predicts comes after it.
        first: piece.n_prompt.map_or(0, |n| n.saturating_sub(1)),
        kv: piece.kv.map(str::to_owned),
        n_prompt: piece.n_prompt,
    };
    let started = Instant::now();
    let mut n_computed = 0;
    let scores = backend.score_text(&request, &mut |computed, of| {
        n_computed = computed as u64;
        progress(computed, of);
        if stop.load(Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(ScoredText {
        index: piece.index,
        logprobs: scores.logprobs,
        hits: scores.hits,
        n_computed,
        elapsed_ns: started.elapsed().as_nanos() as u64,
        held: scores.kv.map(held),
        continued: None,
    })
}

/// What the record keeps of what is held.
pub(super) fn held(kv: KvHeld) -> Held {
    Held {
        lane_tokens: kv.lane_tokens,
        n_lanes: kv.n_lanes,
        most_tokens: kv.most_tokens,
        resident_bytes: kv.resident_bytes,
        page_bytes: kv.page_bytes,
    }
}
