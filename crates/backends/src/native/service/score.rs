//! Texts that are scored by the service: on the engine's thread, once nothing else is under way.

use super::worker::Worker;
use super::{Command, NativeService, gone};
use crate::generation::score_from;
use crate::native::engine::NativeEngine;
use pacemark_backend::{BackendError, Ticket, TokenId};
use pacemark_engine::{KV_BLOCK, SequenceKv};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Takes log-probabilities, or why there are none, on the engine's thread.
pub type ScoreSink = Box<dyn FnOnce(Result<Vec<f32>, BackendError>) + Send>;

impl NativeService {
    /// Log-probabilities as `Backend::score` has them: natural, of `tokens[i + 1]` given all before, for `i`
    /// from `first` on. They are computed once no request is under way, and the prefix cache is empty then.
    /// Dropping the ticket ends it soon; what was computed until then is told all the same. Where the service
    /// ends, nothing is told.
    pub fn score(&self, tokens: Vec<TokenId>, first: usize, sink: ScoreSink) -> Ticket {
        let limits = &self.terms.limits;
        let n_inputs = tokens.len().saturating_sub(1);
        let fits = limits.fits(None, n_inputs, 0).and_then(|()| limits.check_tokens(&tokens));
        if let Err(error) = fits {
            sink(Err(error));
            return Ticket::default();
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, shared, n_step) = (stop.clone(), self.shared.clone(), limits.n_step);
        let work = move |worker: &mut Worker| {
            let is_ending = || shared.is_ending.load(Relaxed);
            let is_over = || stopped.load(Relaxed) || is_ending();
            let scores = scored(worker, &tokens, first, n_step, &is_over);
            // What was cut off by the end is no score of the text.
            if !is_ending() {
                sink(scores);
            }
        };
        // Where the thread has ended the sink is dropped with the work, which tells whoever waits for it.
        match self.send(Command::Lend(Box::new(work))) {
            Ok(()) => Ticket::new(move || stop.store(true, Relaxed)),
            Err(_) => Ticket::default(),
        }
    }
}

fn scored(
    worker: &mut Worker,
    tokens: &[TokenId],
    first: usize,
    n_step: usize,
    is_over: &dyn Fn() -> bool,
) -> Result<Vec<f32>, BackendError> {
    let (decoder, blocks) = worker.decoder();
    let n_blocks = tokens.len().saturating_sub(1).div_ceil(KV_BLOCK);
    let own = blocks.get(..n_blocks).ok_or_else(gone)?;
    let mut sequence = SequenceKv::default();
    sequence.place(own, 0);
    let progress = &mut |_: usize, _: usize| match is_over() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let text = (tokens, first, 0);
    let scores = score_from(&mut NativeEngine(decoder), &mut sequence, text, n_step, progress)?;
    Ok(scores.logprobs)
}
