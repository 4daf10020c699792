//! The decoder as an engine of `generation`.

use super::error;
use crate::generation::{Engine, Item, Wanted};
use pacemark_backend::layer::{self, StackLayer};
use pacemark_backend::{BackendError, MemoryUsage, TokenId};
use pacemark_engine::{BatchItem, Decoder, LogitRows, SequenceKv, TokenLogprobs};

/// A forward pass, counted as one when it is done.
pub(super) fn forward(
    decoder: &mut Decoder,
    batch: &mut [BatchItem<'_>],
) -> Result<(), BackendError> {
    decoder.forward(batch).map_err(error::of_engine)?;
    layer::pass(StackLayer::Decoder);
    Ok(())
}

/// A decoder.
pub(super) struct NativeEngine(pub Decoder);

impl Engine for NativeEngine {
    type Sequence = SequenceKv;

    fn open(&mut self) -> SequenceKv {
        SequenceKv::default()
    }

    fn truncate(&mut self, sequence: &mut SequenceKv, len: usize) -> usize {
        self.0.kv_mut().truncate(sequence, len);
        sequence.len()
    }

    fn close(&mut self, mut sequence: SequenceKv) {
        self.0.kv_mut().release(&mut sequence);
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
        forward(&mut self.0, &mut batch)
    }

    fn logits(&self, row: usize) -> &[f32] {
        let n_vocab = self.0.model().config().n_vocab;
        &self.0.logits()[row * n_vocab..][..n_vocab]
    }

    fn logprobs(&self, logits: &[f32], chosen: TokenId, n_top: usize) -> TokenLogprobs {
        self.0.model().logprobs(logits, chosen, n_top)
    }

    fn memory(&self) -> Option<MemoryUsage> {
        let kv = self.0.kv();
        Some(MemoryUsage {
            model_bytes: self.0.model().packed_bytes(),
            kv_allocated_bytes: kv.allocated_bytes(),
            kv_used_bytes: kv.used_bytes(),
        })
    }
}
