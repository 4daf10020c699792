//! One request as the scheduler sees it.

use crate::TokenId;
use crate::pool::{Found, Holding};
use std::fmt;
use std::sync::Arc;

/// A request's number, the caller's choice; unique among those that have not ended.
pub type RequestId = u64;

/// Who goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Before any batch request that has not waited long enough.
    #[default]
    Interactive,
    /// After interactive ones.
    Batch,
}

/// Slots that a request takes, where that is not one a token: what it keeps of its tokens is
/// decided elsewhere, but by their number alone.
pub trait Residency: fmt::Debug + Send + Sync {
    /// Slots at most while its tokens from `from` up to `to` come, one after the other.
    fn peak(&self, from: usize, to: usize) -> usize;

    /// Slots after `n` tokens.
    fn slots(&self, n: usize) -> usize;

    /// Tokens up to which each is in the slot of its number, and the blocks are as anybody's.
    fn whole(&self) -> usize;

    /// Of `n` tokens, those that need not be computed if their blocks are found.
    fn findable(&self, n: usize) -> usize;

    /// Slots at most until there are `n` tokens.
    fn most(&self, n: usize) -> usize;
}

/// What is to be computed.
#[derive(Clone, Debug, Default)]
pub struct NewRequest {
    /// The prompt.
    pub tokens: Vec<TokenId>,
    /// Tokens that it will generate at most.
    pub max_tokens: usize,
    /// Who goes first.
    pub class: Class,
    /// Start from blocks of others that begin alike.
    pub reuse_prefix: bool,
    /// The slots it takes, where that is not one a token.
    pub residency: Option<Arc<dyn Residency>>,
}

/// Order of service: class, then arrival. A batch request that was overtaken often enough changes
/// class.
pub(crate) type Rank = (Class, u64);

/// Where a request is.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub rank: Rank,
    /// Prompt and generated tokens.
    pub tokens: Vec<TokenId>,
    /// Guesses at what follows; in the next plan if they fit.
    pub draft: Vec<TokenId>,
    /// Tokens whose keys and values are in `holding`.
    pub n_computed: usize,
    /// Prompt tokens that were found when it first started; `None` before.
    pub n_cached: Option<usize>,
    pub holding: Holding,
    /// While it waits: what was found of it when it was looked up last.
    pub found: Found,
    pub reuse_prefix: bool,
    pub running: bool,
    residency: Option<Arc<dyn Residency>>,
}

impl Entry {
    pub(crate) fn new(rank: Rank, new: NewRequest) -> Entry {
        Entry {
            rank,
            tokens: new.tokens,
            draft: Vec::new(),
            n_computed: 0,
            n_cached: None,
            holding: Holding::default(),
            found: Found::default(),
            reuse_prefix: new.reuse_prefix,
            running: false,
            residency: new.residency,
        }
    }

    /// Slots at most while its tokens up to `to` are computed from where it is.
    pub(crate) fn peak(&self, to: usize) -> usize {
        self.residency.as_ref().map_or(to, |residency| residency.peak(self.n_computed, to))
    }

    /// Slots it has when `n` tokens are computed.
    pub(crate) fn slots(&self, n: usize) -> usize {
        self.residency.as_ref().map_or(n, |residency| residency.slots(n))
    }

    /// Tokens up to which its blocks are as anybody's.
    pub(crate) fn whole(&self) -> usize {
        self.residency.as_ref().map_or(usize::MAX, |residency| residency.whole())
    }

    /// The tokens whose blocks others will find.
    pub(crate) fn shareable(&self) -> &[TokenId] {
        &self.tokens[..self.whole().min(self.tokens.len())]
    }

    /// The tokens that may be found, and one more, which is always computed.
    pub(crate) fn findable(&self) -> &[TokenId] {
        let n = self.tokens.len();
        let most = self.residency.as_ref().map_or(n, |residency| residency.findable(n) + 1);
        &self.tokens[..most.min(n)]
    }

    /// Tokens that are known and not computed.
    pub(crate) fn n_pending(&self) -> usize {
        self.tokens.len() - self.n_computed
    }
}
