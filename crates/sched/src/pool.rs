//! The blocks of the KV cache: who holds which, and which full ones may be shared.
//!
//! A full block is known by the chain of blocks before it and by its tokens. Chains have numbers
//! that are given once and never again, so a lookup compares tokens, not hashes of tokens: two
//! prompts never share a block by accident or by design of an attacker. A block that nobody holds
//! keeps its content, and may be found again, until its turn to be reused comes: the least recently
//! released goes first, and of one sequence its last block.

use crate::TokenId;
use std::collections::HashMap;

/// A chain of full blocks from the start of a sequence; [`ROOT`] is the empty one.
type ChainId = u64;

/// What a full block is known by: the chain before it and its tokens.
type Key = (ChainId, Box<[TokenId]>);

const ROOT: ChainId = 0;
const NIL: u32 = u32::MAX;

/// What is known of one block.
#[derive(Clone, Debug)]
struct Block {
    /// Sequences that hold it. At zero it is in the list of free blocks.
    holders: u32,
    /// Under which key others find it, and the chain that it ends.
    key: Option<Key>,
    chain: ChainId,
    /// Neighbours in the list of free blocks.
    previous: u32,
    next: u32,
}

/// Blocks with their holders, a list of free ones in order of release, and an index of full ones.
#[derive(Clone, Debug)]
pub struct BlockPool {
    block_size: usize,
    blocks: Vec<Block>,
    /// First and last free block.
    first: u32,
    last: u32,
    n_free: usize,
    /// Chain and tokens of a full block to the block and the chain that it ends.
    index: HashMap<Key, (u32, ChainId)>,
    next_chain: ChainId,
    share: bool,
    n_lookups: u64,
}

/// Full blocks at the start of a sequence that are in the index, and the chains that they end.
/// Nothing of it is held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found(Vec<(u32, ChainId)>);

impl Found {
    /// Blocks.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The blocks of one sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holding {
    pub blocks: Vec<u32>,
    /// Blocks from the start that are full and entered in the index, and the chain they make.
    n_entered: usize,
    chain: ChainId,
}

impl BlockPool {
    /// `n_blocks` free blocks of `block_size` tokens; with `share`, full ones are found by those
    /// that begin alike.
    pub fn new(n_blocks: u32, block_size: usize, share: bool) -> BlockPool {
        let block = Block { holders: 0, key: None, chain: ROOT, previous: NIL, next: NIL };
        let mut pool = BlockPool {
            block_size,
            blocks: vec![block; n_blocks as usize],
            first: NIL,
            last: NIL,
            n_free: 0,
            index: HashMap::new(),
            next_chain: ROOT + 1,
            share,
            n_lookups: 0,
        };
        (0..n_blocks).for_each(|id| pool.append_free(id));
        pool
    }

    /// Blocks there are.
    pub fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Blocks that nobody holds.
    pub fn n_free(&self) -> usize {
        self.n_free
    }

    /// Tokens of a block.
    pub fn block_size(&self) -> usize {
        self.block_size
    }

    /// Blocks that `n_tokens` take.
    pub(crate) fn blocks_for(&self, n_tokens: usize) -> usize {
        n_tokens.div_ceil(self.block_size)
    }

    /// Whether full blocks are found by those that begin alike.
    pub fn shares(&self) -> bool {
        self.share
    }

    /// Blocks that were looked up by their tokens so far.
    pub fn n_lookups(&self) -> u64 {
        self.n_lookups
    }

    /// Full blocks at the start of `tokens` that are in the index, the last token left out: it is
    /// always computed, for its logits. Nothing is taken yet.
    ///
    /// `before` is what was found for the same tokens some time ago. As a chain's number never
    /// comes again, a block that still ends its chain is still right, and only what may follow
    /// those is looked up: who waits long is not looked up again and again.
    pub(crate) fn find(&mut self, tokens: &[TokenId], before: Found) -> Found {
        let Found(mut found) = before;
        let is_known = |&&(id, chain): &&(u32, ChainId)| {
            let block = &self.blocks[id as usize];
            block.key.is_some() && block.chain == chain
        };
        found.truncate(found.iter().take_while(is_known).count());
        let mut chain = found.last().map_or(ROOT, |&(_, chain)| chain);
        let shareable = if self.share { &tokens[..tokens.len().saturating_sub(1)] } else { &[] };
        for block in shareable.chunks_exact(self.block_size).skip(found.len()) {
            self.n_lookups += 1;
            let Some(&(id, next)) = self.index.get(&(chain, Box::from(block))) else { break };
            found.push((id, next));
            chain = next;
        }
        Found(found)
    }

    /// Of the blocks found, those that are free now and would be no longer.
    pub(crate) fn n_free_of(&self, found: &Found) -> usize {
        found.0.iter().filter(|(id, _)| self.blocks[*id as usize].holders == 0).count()
    }

    /// Holds the blocks that [`Self::find`] has just given.
    pub(crate) fn hold_found(&mut self, holding: &mut Holding, found: Found) {
        debug_assert!(holding.blocks.is_empty());
        holding.n_entered = found.len();
        for (id, chain) in found.0 {
            if self.blocks[id as usize].holders == 0 {
                self.remove_free(id);
            }
            self.blocks[id as usize].holders += 1;
            holding.blocks.push(id);
            holding.chain = chain;
        }
    }

    /// Adds blocks until `n_tokens` fit; `false`, and no change, if there are not enough.
    pub(crate) fn grow(&mut self, holding: &mut Holding, n_tokens: usize) -> bool {
        let more = self.blocks_for(n_tokens).saturating_sub(holding.blocks.len());
        if more > self.n_free {
            return false;
        }
        for _ in 0..more {
            let id = self.take_free();
            holding.blocks.push(id);
        }
        true
    }

    /// Adds blocks until `n_slots` fit, and sees to it that nobody else has any of them: what
    /// others hold is to be copied, from the first to the second of each pair, in that order.
    /// `None`, and no change, if there are not enough.
    ///
    /// What only others may find is copied as well while there is room, else it is found no longer.
    pub(crate) fn grow_alone(
        &mut self,
        holding: &mut Holding,
        n_slots: usize,
    ) -> Option<Vec<(u32, u32)>> {
        let more = self.blocks_for(n_slots).saturating_sub(holding.blocks.len());
        let is_held = |id: &&u32| self.blocks[**id as usize].holders > 1;
        let n_held = holding.blocks.iter().filter(is_held).count();
        let mut room = self.n_free.checked_sub(more + n_held)?;
        let mut copies = Vec::new();
        for at in 0..holding.blocks.len() {
            let from = holding.blocks[at];
            let Block { holders, key, .. } = &mut self.blocks[from as usize];
            match key {
                _ if *holders > 1 => {}
                None => continue,
                Some(_) if room > 0 => room -= 1,
                Some(_) => {
                    if let Some(key) = key.take() {
                        self.index.remove(&key);
                    }
                    continue;
                }
            }
            let to = self.take_free();
            self.let_go(from);
            holding.blocks[at] = to;
            copies.push((from, to));
        }
        let grown = self.grow(holding, n_slots);
        debug_assert!(grown, "counted above");
        Some(copies)
    }

    /// Takes back the blocks beyond `n_slots`.
    pub(crate) fn shrink(&mut self, holding: &mut Holding, n_slots: usize) {
        while holding.blocks.len() > self.blocks_for(n_slots) {
            let last = holding.blocks.pop();
            last.into_iter().for_each(|id| self.let_go(id));
        }
        holding.n_entered = holding.n_entered.min(holding.blocks.len());
    }

    /// The free block whose turn it is, which is found no longer.
    fn take_free(&mut self) -> u32 {
        let id = self.first;
        self.remove_free(id);
        let block = &mut self.blocks[id as usize];
        block.holders = 1;
        if let Some(key) = block.key.take() {
            self.index.remove(&key);
        }
        id
    }

    /// One holder less.
    fn let_go(&mut self, id: u32) {
        let block = &mut self.blocks[id as usize];
        block.holders -= 1;
        if block.holders == 0 {
            if block.key.is_some() { self.append_free(id) } else { self.prepend_free(id) }
        }
    }

    /// Enters the blocks that `n_computed` of `tokens` have filled, so that others find them.
    pub(crate) fn enter(&mut self, holding: &mut Holding, tokens: &[TokenId], n_computed: usize) {
        while self.share && (holding.n_entered + 1) * self.block_size <= n_computed {
            let from = holding.n_entered * self.block_size;
            let key = (holding.chain, Box::from(&tokens[from..from + self.block_size]));
            let id = holding.blocks[holding.n_entered];
            let chain = match self.index.get(&key) {
                // Somebody computed the same at the same time: this copy stays unknown, what
                // follows it is shared.
                Some(&(_, chain)) => chain,
                None => {
                    let chain = self.next_chain;
                    self.next_chain += 1;
                    (self.blocks[id as usize].key, self.blocks[id as usize].chain) =
                        (Some(key.clone()), chain);
                    self.index.insert(key, (id, chain));
                    chain
                }
            };
            holding.chain = chain;
            holding.n_entered += 1;
        }
    }

    /// Takes back all blocks of `holding`, its last first, so that what others may share lives
    /// longest.
    pub(crate) fn release(&mut self, holding: &mut Holding) {
        for id in std::mem::take(holding).blocks.into_iter().rev() {
            self.let_go(id);
        }
    }

    fn append_free(&mut self, id: u32) {
        (self.blocks[id as usize].previous, self.blocks[id as usize].next) = (self.last, NIL);
        match self.last {
            NIL => self.first = id,
            last => self.blocks[last as usize].next = id,
        }
        self.last = id;
        self.n_free += 1;
    }

    /// For blocks without content worth keeping.
    fn prepend_free(&mut self, id: u32) {
        (self.blocks[id as usize].previous, self.blocks[id as usize].next) = (NIL, self.first);
        match self.first {
            NIL => self.last = id,
            first => self.blocks[first as usize].previous = id,
        }
        self.first = id;
        self.n_free += 1;
    }

    fn remove_free(&mut self, id: u32) {
        let Block { previous, next, .. } = self.blocks[id as usize];
        match previous {
            NIL => self.first = next,
            previous => self.blocks[previous as usize].next = next,
        }
        match next {
            NIL => self.last = previous,
            next => self.blocks[next as usize].previous = previous,
        }
        self.n_free -= 1;
    }

    /// Whether the list, the counts and the index agree with `holdings`, all there are; the error
    /// says what does not.
    pub(crate) fn check<'a>(
        &self,
        holdings: impl Iterator<Item = &'a Holding>,
    ) -> Result<(), String> {
        let mut held = vec![0u32; self.blocks.len()];
        for holding in holdings {
            holding.blocks.iter().for_each(|&id| held[id as usize] += 1);
        }
        let mut free = vec![false; self.blocks.len()];
        let (mut id, mut previous) = (self.first, NIL);
        while id != NIL {
            let block = &self.blocks[id as usize];
            if free[id as usize] || block.previous != previous {
                return Err(format!("the list of free blocks is broken at {id}"));
            }
            free[id as usize] = true;
            (previous, id) = (id, block.next);
        }
        for (id, block) in self.blocks.iter().enumerate() {
            if block.holders != held[id] || free[id] != (held[id] == 0) {
                let Block { holders, .. } = block;
                return Err(format!(
                    "block {id}: {holders} holders counted, {} found, free: {}",
                    held[id], free[id]
                ));
            }
            let entered = (id as u32, block.chain);
            if block.key.as_ref().is_some_and(|key| self.index.get(key) != Some(&entered)) {
                return Err(format!("block {id} is not where the index has it"));
            }
        }
        let n_free = free.iter().filter(|&&is| is).count();
        if n_free != self.n_free
            || self.blocks.iter().filter(|block| block.key.is_some()).count() != self.index.len()
        {
            return Err(format!(
                "{n_free} blocks are free, {} counted; or the index has others",
                self.n_free
            ));
        }
        Ok(())
    }
}
