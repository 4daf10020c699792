//! Letting go: when a policy keeps fewer tokens than are held, those that are worth least leave
//! their slots. A single slot waits for the next token; where many come free at once, the rest
//! close ranks so that blocks come free.

use super::pass::{HeadWork, Pass};
use super::policy::{Lane, Moment, Policy};
use pacemark_kernels::move_slot;

impl Pass<'_> {
    /// Lets go of what the policy does not keep at that moment: of each head by itself, or of all
    /// together where they share.
    pub(crate) fn let_go(&self, policy: &Policy, works: &mut [HeadWork<'_>], at: &Moment) {
        let needs = self.needs(policy);
        let Some(first) = works.first() else { return };
        match needs.shared_floor {
            Some(floor) => {
                let held: usize = works.iter().map(|work| work.slots.n_held).sum();
                let keep = policy.keep(held / works.len(), at);
                let mean_is_more = held > keep * works.len();
                if mean_is_more {
                    self.let_go_shared(policy, works, at, keep, (keep as f64 * floor) as usize);
                }
            }
            None => {
                let n_held = first.slots.n_held;
                let keep = policy.keep(n_held, at);
                if keep < n_held {
                    works.iter_mut().for_each(|work| self.let_go_of(policy, work, at, keep));
                }
            }
        }
    }

    fn let_go_of(&self, policy: &Policy, work: &mut HeadWork<'_>, at: &Moment, keep: usize) {
        let n_gone = work.slots.n_held - keep;
        let scores = self.scores(policy, work, at);
        let tokens = &work.slots.tokens;
        let order = |a: &usize, b: &usize| {
            scores[*a].total_cmp(&scores[*b]).then(tokens[*a].cmp(&tokens[*b]))
        };
        let held = (0..tokens.len()).filter(|&slot| tokens[slot] != Lane::HOLE);
        if n_gone == 1 {
            let least = held.min_by(order);
            least.into_iter().for_each(|slot| work.slots.remove(slot));
            return;
        }
        let mut held: Vec<usize> = held.collect();
        held.select_nth_unstable_by(n_gone - 1, order);
        held[..n_gone].iter().for_each(|&slot| work.slots.remove(slot));
        self.close_ranks(work);
    }

    /// Keeps `keep` a head on the mean: of each head its best `floor`, of the layer the best.
    fn let_go_shared(
        &self,
        policy: &Policy,
        works: &mut [HeadWork<'_>],
        at: &Moment,
        keep: usize,
        floor: usize,
    ) {
        // Score, head, slot: of what may go.
        let mut others: Vec<(f32, u32, usize, usize)> = Vec::new();
        let mut n_held = 0;
        for (head, work) in works.iter_mut().enumerate() {
            let scores = self.scores(policy, work, at);
            let tokens = &work.slots.tokens;
            let mut held: Vec<(f32, u32, usize, usize)> = (0..tokens.len())
                .filter(|&slot| tokens[slot] != Lane::HOLE)
                .map(|slot| (scores[slot], tokens[slot], head, slot))
                .collect();
            n_held += held.len();
            held.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
            others.extend(held.drain(floor.min(held.len())..));
        }
        let n_gone = n_held - keep * works.len();
        others.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (_, _, head, slot) in others.into_iter().take(n_gone) {
            works[head].slots.remove(slot);
        }
        works.iter_mut().for_each(|work| self.close_ranks(work));
    }

    /// Moves tokens from the end to holes, until there are none.
    fn close_ranks(&self, work: &mut HeadWork<'_>) {
        let mut hole = 0;
        loop {
            work.slots.trim();
            let n = work.slots.tokens.len();
            while hole < n && work.slots.tokens[hole] != Lane::HOLE {
                hole += 1;
            }
            if hole >= n {
                return;
            }
            let pages = (&mut *work.keys, &mut *work.values);
            move_slot(self.shape.kv, self.shape.head_dim, pages, work.blocks, n - 1, hole);
            work.slots.swap(n - 1, hole);
        }
    }
}
