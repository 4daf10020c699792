//! One request as the scheduler sees it.

use crate::TokenId;
use crate::pool::{Found, Holding};

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
        }
    }

    /// Tokens that are known and not computed.
    pub(crate) fn n_pending(&self) -> usize {
        self.tokens.len() - self.n_computed
    }
}
