//! Policies of KV-cache compression: which tokens' keys and values stay when there is no room for
//! all. A policy says how many stay and how much each is worth; the mechanism that lets the others
//! go is the same for all (`residents.rs`).
//!
//! A token is let go after the forward pass that exceeded the budget, so a token sees the budget's
//! keys and its own.

mod args;
mod fix_size_l2;
mod h2o;
mod l2_compress;
mod random;
mod recent;
mod streaming;
mod tova;

use args::Args;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What a policy's scores are made of, besides the order of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// How much each token's query attended to each slot ([`Lane::last`], [`Lane::mass`]).
    pub attention: bool,
    /// All heads of a layer keep the same tokens: [`Lane::last`] is the mean over them.
    pub same_for_all_heads: bool,
    /// So many first tokens stay, and their keys are rotated as if nothing were missing between
    /// them and the rest.
    pub compact_sinks: usize,
}

/// What one KV head of one layer holds, slot by slot.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a> {
    /// Which layer.
    pub layer: usize,
    /// Which KV head.
    pub head: usize,
    /// Tokens that the sequence has had.
    pub n_tokens: usize,
    /// Number of each slot's token, from 0; [`Lane::HOLE`] where a slot holds none.
    pub tokens: &'a [u32],
    /// Euclidean length of its key, before it was quantized.
    pub norms: &'a [f32],
    /// How much the newest token attended to it: the mean over the head's queries.
    pub last: &'a [f32],
    /// The sum of that over all tokens that saw it.
    pub mass: &'a [f32],
}

impl Lane<'_> {
    /// The token of a slot that holds none.
    pub const HOLE: u32 = u32::MAX;

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

    /// How many of `n` tokens stay.
    fn keep(&self, n: usize) -> usize;

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
    random::ENTRY,
];

/// A spec that names no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("KV policy {spec}: {why}")]
pub struct PolicyError {
    spec: String,
    why: String,
}

/// A policy as a spec has it, e.g. `fix_size_l2:512,keep=0.5,sink=4,skip=0-1`.
#[derive(Clone, Debug)]
pub struct Policy {
    spec: String,
    kept: Arc<dyn KvPolicy>,
    /// Layers that keep everything.
    skip: Option<RangeInclusive<usize>>,
}

impl Policy {
    /// The policy that `spec` names; [`None`] for `full`.
    pub fn parse(spec: &str) -> Result<Option<Policy>, PolicyError> {
        let (name, _) = spec.split_once(':').unwrap_or((spec, ""));
        let mut args = Args::new(spec);
        if name == "full" {
            args.finish()?;
            return Ok(None);
        }
        let entry = POLICIES.iter().find(|entry| entry.name == name);
        let Some(entry) = entry else {
            let known: Vec<_> = POLICIES.iter().map(|entry| entry.name).collect();
            return Err(args.wrong(format!("expected full, {}", known.join(", "))));
        };
        let kept = (entry.new)(&mut args)?.into();
        let skip = args.range("skip")?;
        args.finish()?;
        Ok(Some(Policy { spec: spec.to_owned(), kept, skip }))
    }

    /// As it was asked for.
    pub fn spec(&self) -> &str {
        &self.spec
    }

    pub(super) fn kept(&self) -> &dyn KvPolicy {
        &*self.kept
    }

    /// Whether a layer keeps everything.
    pub(super) fn skips(&self, layer: usize) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip.contains(&layer))
    }

    /// How many of `n` tokens stay in a layer.
    pub(super) fn keep(&self, layer: usize, n: usize) -> usize {
        if self.skips(layer) { n } else { self.kept.keep(n).min(n) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_forms_parse() {
        for (i, entry) in POLICIES.iter().enumerate() {
            assert!(POLICIES[..i].iter().all(|other| other.name != entry.name), "{}", entry.name);
            let parsed = Policy::parse(entry.form).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(parsed.unwrap().spec(), entry.form);
        }
        assert!(Policy::parse("full").unwrap().is_none());
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for (spec, why) in [
            ("", "expected full"),
            ("recnt:4", "expected full, recent"),
            ("full:3", "it takes no sizes"),
            ("recent", "expected recent:N"),
            ("recent:0", "at least 1"),
            ("recent:x", "N: expected a number"),
            ("recent:4+4", "expected recent:N"),
            ("recent:99999999999999999999", "N: expected a number"),
            ("streaming:4+0", "R: expected at least 1"),
            ("streaming:4+8,positions=odd", "positions=odd: expected compact or original"),
            ("fix_size_l2:64,keep=1.5", "keep=1.5: expected a number from 0 to 1"),
            ("fix_size_l2:64,keep=NaN", "keep=NaN: expected a number from 0 to 1"),
            ("fix_size_l2:4,sink=4", "sink=4: it leaves no room"),
            ("fix_size_l2:64,colour=red", "it has no colour"),
            ("recent:4,skip=3-1", "skip=3-1: expected"),
            ("recent:4,skip", "skip: expected NAME=VALUE"),
            ("recent:4,skip=1,skip=2", "skip is there twice"),
        ] {
            let error = Policy::parse(spec).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(spec), "{spec}: {error}");
        }
    }

    #[test]
    fn a_budget_is_kept_to_and_layers_are_skipped() {
        let policy = Policy::parse("recent:4,skip=0-1").unwrap().unwrap();
        assert_eq!([0, 1, 2].map(|layer| policy.keep(layer, 9)), [9, 9, 4]);
        assert_eq!(policy.keep(2, 3), 3);
    }
}
