//! Sampling: the requests of a step choose their tokens side by side, on the threads that computed
//! the logits.
//!
//! Nothing is told here: events of all requests are handed over one after the other when all have
//! chosen, so that whoever listens is woken once.

use super::requests::Generation;
use pacemark_backend::{BackendError, Event, FinishReason, TokenId};
use pacemark_engine::{Decoder, Model};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One request's part in a step.
pub(in crate::native) struct Turn {
    pub generation: Generation,
    /// Its first row of logits.
    row: usize,
    /// Tokens that were guessed; row `row + i + 1` holds if the first `i + 1` of them are right.
    drafted: Vec<TokenId>,
    outcome: Result<Advance, BackendError>,
}

/// What a request made of its rows.
#[derive(Default)]
pub(in crate::native) struct Advance {
    /// The tokens: one, or one more for each guess that was right.
    pub sampled: Vec<TokenId>,
    /// One for each token.
    pub events: Vec<Event>,
    /// Why the last token ends the output.
    pub finished: Option<FinishReason>,
}

impl Turn {
    pub(super) fn new(generation: Generation, row: usize, drafted: Vec<TokenId>) -> Turn {
        Turn { generation, row, drafted, outcome: Ok(Advance::default()) }
    }

    /// Rows of logits it reads at most.
    pub(super) fn n_rows(&self) -> usize {
        self.drafted.len() + 1
    }

    /// The request, and what it chose.
    pub(super) fn end(self) -> (Generation, Result<Advance, BackendError>) {
        (self.generation, self.outcome)
    }

    fn take(&mut self, model: &Model, logits: &[f32]) {
        let n_vocab = model.config().n_vocab;
        let rows = logits[self.row * n_vocab..][..self.n_rows() * n_vocab].chunks_exact(n_vocab);
        let (generation, drafted) = (&mut self.generation, &self.drafted);
        let advance = AssertUnwindSafe(|| advance(model, generation, drafted, rows));
        self.outcome = catch_unwind(advance)
            .unwrap_or_else(|_| Err(BackendError::Engine("sampling panicked".into())));
    }
}

/// Takes all turns from the logits of the last pass.
pub(in crate::native) fn take_all(decoder: &Decoder, turns: &mut [Turn]) {
    let (model, logits) = (decoder.model(), decoder.logits());
    decoder.spread(turns, &|turn| turn.take(model, logits));
}

/// Samples from the logits of one item, `[n_vocab]` each: after its own tokens, and after each
/// guess as long as they are right.
fn advance<'l>(
    model: &Model,
    generation: &mut Generation,
    drafted: &[TokenId],
    rows: impl Iterator<Item = &'l [f32]>,
) -> Result<Advance, BackendError> {
    let mut advance = Advance::default();
    if generation.machine.is_prompt_only() {
        advance.finished = Some(FinishReason::Length);
        return Ok(advance);
    }
    for (i, logits) in rows.enumerate() {
        let chosen = generation
            .machine
            .choose(logits, |logits, id, n_top| model.logprobs(logits, id, n_top))?;
        advance.sampled.push(chosen.id);
        advance.events.push(chosen.event);
        advance.finished = chosen.finished;
        if advance.finished.is_some() || drafted.get(i) != Some(&chosen.id) {
            break;
        }
    }
    Ok(advance)
}
