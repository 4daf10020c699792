//! How many slots a sequence under a policy takes as its tokens come: what it will hold is known
//! before anything is computed, because budgets depend on counts alone.

use super::policy::{Moment, Policy};

/// The account of one sequence.
#[derive(Clone, Debug)]
pub struct Ledger {
    policy: Policy,
    n_prompt: Option<usize>,
    n_tokens: usize,
    layers: Vec<Count>,
}

/// What each lane of one layer has.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Tokens; the mean over the heads.
    held: usize,
    /// Slots from the first to the last that holds one, in the lane that has most.
    slots: usize,
}

impl Ledger {
    /// Of a sequence that is to have no tokens yet, under a policy of a model ([`Policy::on`]). The
    /// first `n_prompt` will be a prompt.
    pub fn new(policy: Policy, n_prompt: Option<usize>) -> Ledger {
        let layers = vec![Count::default(); policy.n_layers()];
        Ledger { policy, n_prompt, n_tokens: 0, layers }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many of the tokens are a prompt.
    pub fn n_prompt(&self) -> Option<usize> {
        self.n_prompt
    }

    /// Tokens that came.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// Slots that a lane takes at most now.
    pub fn n_slots(&self) -> usize {
        self.layers.iter().map(|count| count.slots).max().unwrap_or(0)
    }

    /// Slots that a lane takes at most while `n` more tokens come one after the other.
    pub fn n_slots_with(&self, n: usize) -> usize {
        if self.n_tokens + n <= self.policy.whole(self.n_prompt) {
            return self.n_tokens + n;
        }
        self.clone().advance(n)
    }

    /// `n` tokens come; says how many slots a lane took at most meanwhile.
    pub fn advance(&mut self, n: usize) -> usize {
        let most = self.advance_by_layer(n).into_iter().max().unwrap_or(0);
        most.max(self.n_slots())
    }

    /// The same, layer by layer.
    pub fn advance_by_layer(&mut self, n: usize) -> Vec<usize> {
        let (policy, n_prompt, n_layers) = (&self.policy, self.n_prompt, self.layers.len());
        let mut most_by_layer = Vec::with_capacity(n_layers);
        for (layer, count) in self.layers.iter_mut().enumerate() {
            let mut most = count.slots;
            for n_tokens in self.n_tokens + 1..=self.n_tokens + n {
                count.held += 1;
                count.slots = count.slots.max(policy.of_one_head(count.held).min(n_tokens));
                most = most.max(count.slots);
                let at = Moment { n_tokens, n_prompt, layer, n_layers };
                let keep = policy.keep(count.held, &at);
                // A slot that one token leaves is for the next; where many go, the rest close
                // ranks.
                if count.held - keep > 1 {
                    count.slots = count.slots.min(policy.of_one_head(keep));
                }
                count.held = keep;
            }
            most_by_layer.push(most);
        }
        self.n_tokens += n;
        most_by_layer
    }
}
