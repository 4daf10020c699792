//! The decoder as an engine of `generation`.

use super::error;
use crate::generation::{Engine, Item, Keeping, Wanted};
use pacemark_backend::layer::{self, StackLayer};
use pacemark_backend::{BackendError, KvHeld, MemoryUsage, TokenId};
use pacemark_engine::{BatchItem, Decoder, LogitRows, SequenceKv, TokenLogprobs};
use std::borrow::BorrowMut;

/// A forward pass, counted as one when it is done.
pub(super) fn forward(
    decoder: &mut Decoder,
    batch: &mut [BatchItem<'_>],
) -> Result<(), BackendError> {
    decoder.forward(batch).map_err(error::of_engine)?;
    layer::pass(StackLayer::Decoder);
    Ok(())
}

/// An empty sequence.
pub(super) fn sequence(decoder: &Decoder, keeping: Option<Keeping>) -> SequenceKv {
    keeping.map_or_else(SequenceKv::default, |Keeping { policy, n_prompt }| {
        decoder.kv().sequence(policy, n_prompt)
    })
}

/// What is kept of a sequence.
pub(super) fn held(decoder: &Decoder, sequence: &SequenceKv) -> KvHeld {
    let config = decoder.model().config();
    let n_lanes = (config.layers.len() * config.n_kv_heads) as u64;
    let (resident_bytes, page_bytes) = decoder.kv().bytes_of(sequence);
    let (lane_tokens, most_tokens) = match sequence.held_by_layer() {
        Some(layers) => {
            let most = layers.iter().copied().fold(0.0, f64::max);
            let sum: f64 = layers.iter().sum();
            ((sum * config.n_kv_heads as f64).round() as u64, most.ceil() as u64)
        }
        None => (sequence.len() as u64 * n_lanes, sequence.len() as u64),
    };
    KvHeld { lane_tokens, n_lanes, most_tokens, resident_bytes, page_bytes }
}

/// A decoder, its own or one that is lent to it.
pub(super) struct NativeEngine<D = Decoder>(pub D);

impl<D: BorrowMut<Decoder>> Engine for NativeEngine<D> {
    type Sequence = SequenceKv;

    fn open(&mut self, keeping: Option<Keeping>) -> SequenceKv {
        sequence(self.0.borrow(), keeping)
    }

    fn held(&self, sequence: &SequenceKv) -> Option<KvHeld> {
        Some(held(self.0.borrow(), sequence))
    }

    fn truncate(&mut self, sequence: &mut SequenceKv, len: usize) -> usize {
        self.0.borrow_mut().kv_mut().truncate(sequence, len);
        sequence.len()
    }

    fn close(&mut self, mut sequence: SequenceKv) {
        self.0.borrow_mut().kv_mut().release(&mut sequence);
    }

    fn forward(&mut self, items: &mut [Item<'_, SequenceKv>]) -> Result<(), BackendError> {
        let batch = items.iter_mut().map(|item| {
            let logits = match item.wanted {
                Wanted::None => LogitRows::None,
                Wanted::Last => LogitRows::Last,
                Wanted::All => LogitRows::From(0),
            };
            BatchItem { kv: &mut *item.sequence, tokens: item.tokens, logits }
        });
        let mut batch: Vec<BatchItem<'_>> = batch.collect();
        forward(self.0.borrow_mut(), &mut batch)
    }

    fn logits(&self, row: usize) -> &[f32] {
        let n_vocab = self.0.borrow().model().config().n_vocab;
        &self.0.borrow().logits()[row * n_vocab..][..n_vocab]
    }

    fn logprobs(&self, logits: &[f32], chosen: TokenId, n_top: usize) -> TokenLogprobs {
        self.0.borrow().model().logprobs(logits, chosen, n_top)
    }

    fn trim(&mut self) {
        self.0.borrow_mut().kv_mut().trim();
    }

    fn memory(&self) -> Option<MemoryUsage> {
        let decoder = self.0.borrow();
        let kv = decoder.kv();
        Some(MemoryUsage {
            model_bytes: decoder.model().packed_bytes(),
            kv_allocated_bytes: kv.allocated_bytes(),
            kv_used_bytes: kv.used_bytes(),
        })
    }
}
