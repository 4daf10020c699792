//! What a sequence under a policy holds, lane by lane: which token is in which slot, and what the
//! policy asked to know of it. What happens to it as tokens come is `pass.rs`.

use super::KV_BLOCK;
use super::ledger::Ledger;
use super::policy::future::QuerySums;
use super::policy::{Attention, Lane, Needs, Policy};
use pacemark_kernels::HOLE;

/// What a sequence holds of all layers.
#[derive(Debug)]
pub(crate) struct Residents {
    pub(super) ledger: Ledger,
    /// The account before the tokens that came last, until they are computed.
    before: Option<Ledger>,
    /// A lane each: `[layer][KV head]`.
    lanes: Vec<Slots>,
    n_kv_heads: usize,
}

/// One lane's slots. Columns that the policy does not ask for are empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    pub(super) tokens: Vec<u32>,
    pub(super) positions: Vec<i32>,
    pub(super) norms: Vec<f32>,
    pub(super) value_norms: Vec<f32>,
    pub(super) last: Vec<f32>,
    pub(super) mass: Vec<f32>,
    /// Keys of the first tokens as they were rotated when they came, `[token][head_dim]`, where a
    /// policy moves them.
    pub(super) sinks: Vec<f32>,
    /// Queries of the last tokens, `[token % window][group, head_dim]`.
    pub(super) queries: Vec<f32>,
    /// Sums over the prompt's queries, for each query head of the group.
    pub(super) sums: Vec<QuerySums>,
    pub(super) n_held: usize,
    /// Slots that were written since their memory was last given back.
    pub(super) n_touched: usize,
    /// A slot that was let go last.
    free: Option<usize>,
}

impl Residents {
    pub(super) fn new(policy: Policy, n_prompt: Option<usize>, n_kv_heads: usize) -> Residents {
        let lanes = vec![Slots::default(); policy.n_layers() * n_kv_heads];
        Residents { ledger: Ledger::new(policy, n_prompt), before: None, lanes, n_kv_heads }
    }

    pub(super) fn policy(&self) -> &Policy {
        self.ledger.policy()
    }

    pub(super) fn clear(&mut self) {
        let (policy, n_prompt) = (self.policy().clone(), self.ledger.n_prompt());
        *self = Residents::new(policy, n_prompt, self.n_kv_heads);
    }

    /// `n` tokens are to come.
    pub(super) fn come(&mut self, n: usize) {
        self.before = Some(self.ledger.clone());
        self.ledger.advance(n);
    }

    /// They did not.
    pub(super) fn retract(&mut self) {
        self.ledger = self.before.take().expect("tokens came");
    }

    /// Whether the tokens that came see all before them: nothing was let go before the last of
    /// them, and nothing is to be known of each one's attention.
    pub(super) fn all_see_all(&self) -> bool {
        let policy = self.policy();
        let whole = policy.whole(self.ledger.n_prompt());
        policy.needs().attention != Attention::Mass
            && self.ledger.n_tokens() <= whole.saturating_add(1)
    }

    /// Tokens held in each layer, the mean over its heads.
    pub(super) fn held(&self) -> Vec<f64> {
        let mean = |lanes: &[Slots]| {
            lanes.iter().map(|lane| lane.n_held as f64).sum::<f64>() / lanes.len() as f64
        };
        self.lanes.chunks_exact(self.n_kv_heads).map(mean).collect()
    }

    /// Slots that all lanes together hold.
    pub(super) fn n_held(&self) -> usize {
        self.lanes.iter().map(|lane| lane.n_held).sum()
    }

    /// Pages that they are in.
    pub(super) fn n_pages(&self) -> usize {
        self.lanes.iter().map(|lane| lane.tokens.len().div_ceil(KV_BLOCK)).sum()
    }

    /// Layer, KV head and slots of each lane.
    pub(super) fn lanes_mut(&mut self) -> impl Iterator<Item = (usize, usize, &mut Slots)> {
        let n = self.n_kv_heads;
        self.lanes.iter_mut().enumerate().map(move |(at, slots)| (at / n, at % n, slots))
    }

    /// The lanes of a layer, a KV head each.
    pub(super) fn layer(&mut self, layer: usize) -> (&Ledger, &mut [Slots]) {
        let n = self.n_kv_heads;
        (&self.ledger, &mut self.lanes[layer * n..][..n])
    }
}

impl Slots {
    /// A slot for a token: one that was let go, or another.
    pub(super) fn insert(&mut self, needs: &Needs, token: u32) -> usize {
        let slot = self.hole().unwrap_or(self.tokens.len());
        if slot == self.tokens.len() {
            self.tokens.push(token);
            self.positions.push(0);
            for (column, asked) in [
                (&mut self.norms, needs.norms),
                (&mut self.value_norms, needs.value_norms),
                (&mut self.last, matches!(needs.attention, Attention::Last | Attention::Mass)),
                (&mut self.mass, needs.attention == Attention::Mass),
            ] {
                column.extend(asked.then_some(0.0));
            }
        }
        self.tokens[slot] = token;
        self.positions[slot] = token as i32;
        for column in [&mut self.last, &mut self.mass] {
            column.get_mut(slot).into_iter().for_each(|value| *value = 0.0);
        }
        self.n_held += 1;
        self.n_touched = self.n_touched.max(slot + 1);
        slot
    }

    fn hole(&mut self) -> Option<usize> {
        if self.n_held == self.tokens.len() {
            return None;
        }
        let last = self.free.take().filter(|slot| self.tokens.get(*slot) == Some(&Lane::HOLE));
        last.or_else(|| self.tokens.iter().position(|token| *token == Lane::HOLE))
    }

    pub(super) fn remove(&mut self, slot: usize) {
        self.tokens[slot] = Lane::HOLE;
        self.positions[slot] = HOLE;
        self.n_held -= 1;
        self.free = Some(slot);
    }

    /// Drops what was noted of queries.
    pub(super) fn forget_queries(&mut self) {
        self.queries = Vec::new();
        self.sums = Vec::new();
    }

    /// Drops holes at the end.
    pub(super) fn trim(&mut self) {
        while self.tokens.last() == Some(&Lane::HOLE) {
            self.tokens.pop();
            self.positions.pop();
            for column in self.columns() {
                column.pop();
            }
        }
    }

    /// Lets two slots change what is known of them.
    pub(super) fn swap(&mut self, a: usize, b: usize) {
        self.tokens.swap(a, b);
        self.positions.swap(a, b);
        self.columns().filter(|column| !column.is_empty()).for_each(|column| column.swap(a, b));
    }

    fn columns(&mut self) -> impl Iterator<Item = &mut Vec<f32>> {
        [&mut self.norms, &mut self.value_norms, &mut self.last, &mut self.mass].into_iter()
    }
}
