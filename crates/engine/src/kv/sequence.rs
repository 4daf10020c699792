//! One sequence's share of the cache: its blocks, and what is held in them.

use super::ledger::Ledger;
use super::policy::Policy;
use super::residents::{Residents, Slots};

/// One sequence's share of the cache. Give it back with [`KvCache::release`](super::KvCache::release).
#[derive(Debug, Default)]
pub struct SequenceKv {
    pub(super) blocks: Vec<u32>,
    pub(super) positions: Vec<i32>,
    /// The blocks are the caller's ([`KvCache::lease`](super::KvCache::lease)): the cache neither adds any nor takes them
    /// back.
    pub(super) leased: bool,
    /// What is held of each lane, where a policy decides that.
    pub(super) residents: Option<Box<Residents>>,
}

impl SequenceKv {
    /// Tokens that it has had: the position of the next one. Without a policy all are held.
    pub fn len(&self) -> usize {
        self.residents.as_ref().map_or(self.positions.len(), |held| held.ledger.n_tokens())
    }

    /// Whether it has had none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The policy that decides what is held.
    pub fn policy(&self) -> Option<&Policy> {
        self.residents.as_ref().map(|residents| residents.policy())
    }

    /// Tokens held in each layer, the mean over its heads; [`None`] where all layers hold all.
    pub fn held_by_layer(&self) -> Option<Vec<f64>> {
        self.residents.as_ref().map(|residents| residents.held())
    }

    /// Its blocks and account, and of a layer what is held in each KV head.
    pub(crate) fn under_policy(&mut self, layer: usize) -> Option<(&[u32], &Ledger, &mut [Slots])> {
        let (ledger, slots) = self.residents.as_mut()?.layer(layer);
        Some((&self.blocks, ledger, slots))
    }

    /// Whether every token of the pass sees all before it, each in the slot of its number.
    pub(crate) fn sees_all(&self) -> bool {
        self.residents.is_none() || self.positions.len() == self.len()
    }

    /// Has the sequence hold `len` tokens, at positions from 0, in leased blocks, and room for more
    /// as far as those go. Which tokens are in them, and whether other sequences hold the same
    /// blocks, is the caller's account; what it must see to is that no two sequences write to one
    /// slot.
    pub fn place(&mut self, blocks: &[u32], len: usize) {
        self.leased = true;
        self.blocks.clear();
        self.blocks.extend_from_slice(blocks);
        if let Some(residents) = &mut self.residents {
            if residents.ledger.n_tokens() == len {
                return;
            }
            // Others may have computed these: what is to be known of them is read from the pages.
            residents.clear();
            residents.ledger.advance(len);
        }
        self.positions.truncate(len);
        self.positions.extend(self.positions.len() as i32..len as i32);
    }

    pub(crate) fn blocks(&self) -> &[u32] {
        &self.blocks
    }

    pub(crate) fn positions(&self) -> &[i32] {
        &self.positions
    }
}
