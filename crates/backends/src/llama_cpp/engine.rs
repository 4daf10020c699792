//! A llama.cpp context as an engine of `generation`.

use super::ffi::{Context, DecodeError, Token, take_errors};
use crate::generation::{Engine, Item, Keeping, Wanted};
use pacemark_backend::{BackendError, MemoryUsage, TokenId};
use pacemark_engine::TokenLogprobs;
use std::sync::Arc;

/// What `llama_decode` gives where the cache has no room for a batch (llama.h).
const NO_KV_SLOT: i32 = 1;

/// A context and which of its sequences are free.
pub(super) struct LlamaEngine {
    context: Context,
    free: Vec<i32>,
    tokens: Vec<Token>,
}

/// One of the context's sequences.
pub(super) struct Sequence {
    id: i32,
    len: usize,
    /// What it held when it was first kept, for models that forget what leaves their window.
    saved: Option<Saved>,
}

struct Saved {
    len: usize,
    state: Arc<[u8]>,
}

impl LlamaEngine {
    /// Over a context for `n_seqs` sequences.
    pub(super) fn new(context: Context, n_seqs: usize) -> LlamaEngine {
        LlamaEngine { context, free: (0..n_seqs as i32).rev().collect(), tokens: Vec::new() }
    }

    /// Whether all layers hold what the token at position `len` sees.
    fn holds_window_before(&self, sequence: &Sequence, len: usize) -> bool {
        let window = self.context.model().window();
        let first = self.context.first_position(sequence.id);
        window == 0 || (first >= 0 && first as usize <= len.saturating_sub(window))
    }
}

impl Engine for LlamaEngine {
    type Sequence = Sequence;

    fn open(&mut self, _: Option<Keeping>) -> Sequence {
        let id = self.free.pop().expect("the host opens no more sequences than there are");
        Sequence { id, len: 0, saved: None }
    }

    fn truncate(&mut self, sequence: &mut Sequence, len: usize) -> usize {
        if len >= sequence.len {
            return sequence.len;
        }
        if sequence.saved.as_ref().is_some_and(|saved| saved.len > len) {
            sequence.saved = None;
        }
        if self.holds_window_before(sequence, len) && self.context.remove(sequence.id, len as i32) {
            sequence.len = len;
            return len;
        }
        self.context.remove(sequence.id, -1);
        sequence.len = match &sequence.saved {
            Some(saved) if self.context.restore(sequence.id, &saved.state) => saved.len,
            _ => 0,
        };
        sequence.len
    }

    fn keep(&mut self, sequence: &mut Sequence) {
        if self.context.model().window() > 0 && sequence.saved.is_none() {
            let len = sequence.len;
            sequence.saved =
                self.context.save(sequence.id).map(|state| Saved { len, state: state.into() });
        }
    }

    fn close(&mut self, sequence: Sequence) {
        self.context.remove(sequence.id, -1);
        self.free.push(sequence.id);
    }

    fn forward(&mut self, items: &mut [Item<'_, Sequence>]) -> Result<(), BackendError> {
        self.tokens.clear();
        for item in &*items {
            let last = item.tokens.len().saturating_sub(1);
            let tokens = item.tokens.iter().enumerate().map(|(i, &id)| Token {
                id: id as i32,
                position: (item.sequence.len + i) as i32,
                sequence: item.sequence.id,
                wanted: item.wanted == Wanted::All || (item.wanted == Wanted::Last && i == last),
            });
            self.tokens.extend(tokens);
        }
        let n_wanted = self.tokens.iter().filter(|token| token.wanted).count();
        self.context.decode(&self.tokens).map_err(|error| {
            let n = self.tokens.len();
            match error {
                DecodeError::Lost(why) => BackendError::Engine(why),
                DecodeError::Code(code) => {
                    let errors = take_errors();
                    let found =
                        format!("llama.cpp could not compute {n} tokens (code {code}): {errors}");
                    match code {
                        NO_KV_SLOT => BackendError::Full(found),
                        _ => BackendError::Engine(found),
                    }
                }
            }
        })?;
        for item in items {
            item.sequence.len += item.tokens.len();
        }
        if (0..n_wanted).any(|row| self.context.logits(row).is_none()) {
            return Err(BackendError::Engine(
                "llama.cpp returned fewer logits than were asked for".into(),
            ));
        }
        Ok(())
    }

    fn logits(&self, row: usize) -> &[f32] {
        self.context.logits(row).expect("forward has looked at all wanted rows")
    }

    fn logprobs(&self, logits: &[f32], chosen: TokenId, n_top: usize) -> TokenLogprobs {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
        let total = f64::from(max) + sum.ln();
        let of = |id: TokenId| {
            logits.get(id as usize).map_or(f32::NAN, |&logit| (f64::from(logit) - total) as f32)
        };
        let mut ids: Vec<TokenId> = (0..logits.len() as TokenId).collect();
        let likelier = |a: &TokenId, b: &TokenId| {
            logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b))
        };
        if n_top < ids.len() {
            ids.select_nth_unstable_by(n_top, likelier);
            ids.truncate(n_top);
        }
        ids.sort_by(likelier);
        TokenLogprobs { chosen: of(chosen), top: ids.into_iter().map(|id| (id, of(id))).collect() }
    }

    fn rest(&mut self) {
        self.context.rest();
    }

    /// llama.cpp's interface does not tell.
    fn memory(&self) -> Option<MemoryUsage> {
        None
    }
}
