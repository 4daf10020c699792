//! Policies of KV-cache compression: which tokens' keys and values stay when there is no room for
//! all. A policy says how many stay and how much each is worth; the mechanism that lets the others
//! go is the same for all (`pass.rs`, `let_go.rs`).
//!
//! A token is let go after the forward pass that exceeded the budget, so a token sees the budget's
//! keys and its own.

mod adakv;
mod args;
mod budget;
mod expected_attention;
mod fix_size_l2;
pub(super) mod future;
mod h2o;
mod keydiff;
mod knorm;
mod l2_compress;
mod random;
mod recent;
mod snapkv;
mod spec;
mod streaming;
mod tova;

use args::Args;
pub use budget::{Budget, Moment, Pyramid, Size};
pub use future::Future;
pub use spec::{Policy, PolicyError};
use std::fmt;

/// What a policy's scores are made of, besides the order of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needs {
    /// Whose attention.
    pub attention: Attention,
    /// Euclidean lengths of keys ([`Lane::norms`]).
    pub norms: bool,
    /// Euclidean lengths of values ([`Lane::value_norms`]).
    pub value_norms: bool,
    /// The keys themselves ([`Lane::keys`]).
    pub keys: bool,
    /// Mean and covariance of the prompt's queries but the first so many, turned to the next so
    /// many positions ([`Lane::future`]).
    pub queries: Option<(usize, usize)>,
    /// All heads of a layer keep the same tokens: [`Lane::last`] is the mean over them.
    pub same_for_all_heads: bool,
    /// The heads of a layer share what they keep; each has this share of its part for sure.
    pub shared_floor: Option<f64>,
    /// So many first tokens stay, and their keys are rotated as if nothing were missing between
    /// them and the rest.
    pub compact_sinks: usize,
}

/// Whose attention to each slot a policy asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attention {
    /// Nobody's.
    #[default]
    None,
    /// The newest token's ([`Lane::last`]).
    Last,
    /// That of all tokens since it came, summed ([`Lane::mass`]).
    Mass,
    /// That of the last so many tokens, when tokens are to go ([`Lane::window`]).
    Window(usize),
}

/// What one KV head of one layer holds, slot by slot. What a policy has not asked for is empty.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a> {
    /// Which layer.
    pub layer: usize,
    /// Which KV head.
    pub head: usize,
    /// Elements of a key.
    pub head_dim: usize,
    /// Tokens that the sequence has had.
    pub n_tokens: usize,
    /// Number of each slot's token, from 0; [`Lane::HOLE`] where a slot holds none.
    pub tokens: &'a [u32],
    /// Euclidean length of its key as it is stored.
    pub norms: &'a [f32],
    /// Likewise of its value.
    pub value_norms: &'a [f32],
    /// Its key, rotated to its position, `[slot][head_dim]`.
    pub keys: &'a [f32],
    /// How much the newest token attended to it: the mean over the head's queries.
    pub last: &'a [f32],
    /// The sum of that over all tokens that saw it.
    pub mass: &'a [f32],
    /// The mean of that over the last tokens.
    pub window: &'a [f32],
    /// Of each of the head's query heads, what its queries to come look like.
    pub future: &'a [Future],
}

impl Lane<'_> {
    /// The token of a slot that holds none.
    pub const HOLE: u32 = u32::MAX;

    /// Its slots that hold tokens, in order of those.
    pub fn in_order(&self) -> Vec<usize> {
        let holds = |slot: &usize| self.tokens[*slot] != Lane::HOLE;
        let mut slots: Vec<usize> = (0..self.tokens.len()).filter(holds).collect();
        slots.sort_unstable_by_key(|slot| self.tokens[*slot]);
        slots
    }

    /// Whether a token is one of the newest `n`.
    pub fn is_recent(&self, token: u32, n: usize) -> bool {
        token as usize + n >= self.n_tokens
    }
}

/// Which tokens stay.
pub trait KvPolicy: fmt::Debug + Send + Sync {
    /// What its scores are made of.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// How many tokens stay, and when the others go.
    fn budget(&self) -> Budget;

    /// What each slot's token is worth: the least goes first, of equals the oldest; infinite is
    /// never let go.
    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]);
}

/// A row of [`POLICIES`].
pub struct PolicyEntry {
    /// Its name in a spec.
    pub name: &'static str,
    /// How a spec of it looks.
    pub form: &'static str,
    /// One line on what it keeps.
    pub help: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    new: fn(&mut Args) -> Result<Box<dyn KvPolicy>, PolicyError>,
}

/// Every policy but `full`, which is to have none.
pub const POLICIES: &[PolicyEntry] = &[
    recent::ENTRY,
    streaming::ENTRY,
    fix_size_l2::ENTRY,
    l2_compress::ENTRY,
    h2o::ENTRY,
    tova::ENTRY,
    knorm::ENTRY,
    keydiff::ENTRY,
    snapkv::ENTRY,
    snapkv::PYRAMID,
    expected_attention::ENTRY,
    adakv::ENTRY,
    random::ENTRY,
];
