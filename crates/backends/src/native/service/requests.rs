//! What the engine's thread keeps of each request beside what the scheduler knows.

use crate::generation::Machine;
use pacemark_backend::{
    BackendError, EmbeddingSink, Event, FinishReason, KvHeld, Pooling, Sink, TokenId,
};
use pacemark_engine::SequenceKv;
use std::time::Instant;

/// A request to generate, and who listens.
pub(in crate::native) struct Generation {
    pub id: u64,
    pub machine: Machine,
    pub kv: SequenceKv,
    sink: Sink,
}

impl Generation {
    pub(crate) fn new(id: u64, machine: Machine, sink: Sink) -> Generation {
        Generation { id, machine, kv: SequenceKv::default(), sink }
    }

    /// Hands events to whoever listens.
    pub(crate) fn tell(&mut self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(&mut self.sink);
    }

    /// The last event.
    pub(crate) fn finish(mut self, reason: FinishReason, held: Option<KvHeld>) {
        let last = self.machine.finish(reason, Instant::now(), held);
        self.tell([last]);
    }

    /// The last event, where there is no result.
    pub(crate) fn fail(mut self, error: BackendError) {
        self.tell([Event::Failed(error)]);
    }
}

/// A request for an embedding.
pub(in crate::native) struct Embedding {
    pub id: u64,
    pub prompt: Vec<TokenId>,
    pub kv: SequenceKv,
    pooling: Pooling,
    sink: EmbeddingSink,
    /// Sum of the states so far, or the first or last one.
    sum: Vec<f32>,
}

impl Embedding {
    pub(crate) fn new(
        id: u64,
        prompt: Vec<TokenId>,
        pooling: Pooling,
        sink: EmbeddingSink,
    ) -> Embedding {
        Embedding { id, prompt, kv: SequenceKv::default(), pooling, sink, sum: Vec::new() }
    }

    /// Takes the states of the tokens of one step, `[n_tokens, n_embd]`.
    pub(crate) fn add(&mut self, states: &[f32], n_embd: usize) {
        match self.pooling {
            Pooling::Mean => {
                self.sum.resize(n_embd, 0.0);
                for state in states.chunks_exact(n_embd) {
                    self.sum.iter_mut().zip(state).for_each(|(sum, x)| *sum += x);
                }
            }
            Pooling::Cls if self.sum.is_empty() => self.sum = states[..n_embd].to_vec(),
            Pooling::Cls => {}
            Pooling::Last => self.sum = states[states.len() - n_embd..].to_vec(),
        }
    }

    /// Hands over the embedding, scaled to length 1 as OpenAI's are.
    pub(crate) fn finish(mut self) {
        // The mean's division by the number of tokens is lost in the scaling.
        let length = self.sum.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
        if length > 0.0 {
            self.sum.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
        }
        (self.sink)(Ok(self.sum));
    }

    /// Tells that there is none.
    pub(crate) fn fail(self, error: BackendError) {
        (self.sink)(Err(error));
    }
}
