//! A text continued under one policy: how long it takes, and what memory.

use crate::BenchError;
use crate::kv::score::held;
use pacemark_backend::{Backend, Event, GenerateRequest};
use pacemark_record::{Continued, Sample, env};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// Runs the request, whose output is as long as it may be. Memory that holds nothing is given back
/// before, so that the peak is this request's and not the last one's.
pub(crate) fn generate(
    backend: &dyn Backend,
    request: GenerateRequest,
    stop: &AtomicBool,
) -> Result<Continued, BenchError> {
    backend.trim();
    let is_anew = env::reset_peak_rss();
    let expected = request.max_tokens;
    let mut started = None;
    let mut tokens: Vec<Instant> = Vec::with_capacity(expected);
    let mut kept = None;
    for event in backend.generate(request) {
        match event {
            Event::Started { at, cached_tokens } => started = Some((at, cached_tokens)),
            Event::Token { at, .. } => tokens.push(at),
            Event::Finished { usage, .. } => kept = usage.kv,
            Event::Failed(error) => return Err(error.into()),
            Event::Queued { .. } | Event::Prefill { .. } => {}
        }
        if stop.load(Relaxed) {
            return Err(BenchError::Interrupted);
        }
    }
    let peak_rss_bytes = if is_anew { env::peak_rss_bytes() } else { None };
    let found = tokens.len();
    let (Some((started, cached_tokens)), Some(first), Some(last)) =
        (started.filter(|_| found == expected), tokens.first(), tokens.last())
    else {
        return Err(BenchError::TooFewTokens { expected, found });
    };
    let ns = |from: Instant, to: Instant| to.saturating_duration_since(from).as_nanos() as u64;
    let sample = Sample {
        elapsed_ns: ns(started, *last),
        ttft_ns: Some(ns(started, *first)),
        gaps_ns: tokens.windows(2).map(|pair| ns(pair[0], pair[1])).collect(),
        cached_tokens: cached_tokens as u64,
        early_tokens: 0,
    };
    Ok(Continued { sample, held: kept.map(held), peak_rss_bytes })
}
