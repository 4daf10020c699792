//! Plans: continuous batching under budgets, with chunked prompts, prefix hits and preemption.

use crate::TokenId;
use crate::pool::BlockPool;
use crate::queue::Queue;
use crate::request::{Class, Entry, NewRequest, RequestId};
use std::collections::HashMap;

/// Limits and habits.
#[derive(Clone, Copy, Debug)]
pub struct SchedulerConfig {
    /// Requests computed at once.
    pub max_num_seqs: usize,
    /// Tokens of a step, over all requests. At least `max_num_seqs`, so that whoever generates
    /// always advances.
    pub max_num_batched_tokens: usize,
    /// Interactive requests that may start before a batch request that is first of its class.
    pub max_overtakes: usize,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// It could never be computed, alone on the whole cache.
    #[error("{needed} blocks of KV cache are needed, there are {n_blocks}")]
    TooLong {
        /// Blocks of the prompt and of all that may be generated.
        needed: usize,
        /// Blocks there are.
        n_blocks: usize,
    },
    /// Nothing to compute.
    #[error("the prompt is empty")]
    Empty,
    /// The number is in use.
    #[error("request {0} exists")]
    Exists(RequestId),
}

/// What one request computes in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanItem {
    /// The request.
    pub id: RequestId,
    /// Tokens that are in the cache.
    pub from: usize,
    /// Tokens to compute: the request's own from `from` on.
    pub n_tokens: usize,
    /// Guessed tokens to compute after them.
    pub n_draft: usize,
    /// Whether this catches up with the request's tokens, so that the logits of the last of
    /// `n_tokens` and of every guess are wanted.
    pub samples: bool,
}

/// A step.
#[derive(Clone, Debug, Default)]
pub struct StepPlan {
    /// Blocks to copy before, from the first to the second of each pair, in this order.
    pub copies: Vec<(u32, u32)>,
    /// What to compute, in order of service.
    pub items: Vec<PlanItem>,
    /// Requests that lost their blocks and wait again; they go on where they were, after computing
    /// it all again.
    pub preempted: Vec<RequestId>,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Prompt tokens of requests that started.
    pub prefix_queries: u64,
    /// Of those, tokens found in the cache.
    pub prefix_hits: u64,
    /// Times a request lost its blocks.
    pub preemptions: u64,
}

/// All requests that have not ended.
///
/// ```
/// use pacemark_sched::{BlockPool, NewRequest, Scheduler, SchedulerConfig};
///
/// let config = SchedulerConfig { max_num_seqs: 4, max_num_batched_tokens: 4, max_overtakes: 8 };
/// let mut scheduler = Scheduler::new(config, BlockPool::new(8, 16, true));
/// let tokens = vec![1, 2, 3, 4, 5, 6];
/// scheduler.add(7, NewRequest { tokens, max_tokens: 2, ..NewRequest::default() })?;
///
/// // Six tokens of a prompt, four to a step: the second step has its last, and samples.
/// let plan = scheduler.plan();
/// assert_eq!((plan.items[0].n_tokens, plan.items[0].samples), (4, false));
/// scheduler.complete(&plan.items[0], &[]);
/// let plan = scheduler.plan();
/// assert_eq!((plan.items[0].n_tokens, plan.items[0].samples), (2, true));
///
/// // What was sampled is computed next.
/// scheduler.complete(&plan.items[0], &[42]);
/// assert_eq!(scheduler.plan().items[0].n_tokens, 1);
/// scheduler.end(7);
/// assert!(scheduler.is_idle());
/// # Ok::<(), pacemark_sched::AddError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scheduler {
    config: SchedulerConfig,
    pool: BlockPool,
    entries: HashMap<RequestId, Entry>,
    waiting: Queue,
    /// In order of rank.
    running: Vec<RequestId>,
    arrivals: u64,
    counters: Counters,
}

impl Scheduler {
    /// A scheduler over the blocks of `pool`.
    pub fn new(config: SchedulerConfig, pool: BlockPool) -> Scheduler {
        let max_num_seqs = config.max_num_seqs.max(1);
        let max_num_batched_tokens = config.max_num_batched_tokens.max(max_num_seqs);
        Scheduler {
            config: SchedulerConfig { max_num_seqs, max_num_batched_tokens, ..config },
            pool,
            entries: HashMap::new(),
            waiting: Queue::default(),
            running: Vec::new(),
            arrivals: 0,
            counters: Counters::default(),
        }
    }

    /// Queues a request.
    pub fn add(&mut self, id: RequestId, new: NewRequest) -> Result<(), AddError> {
        let n_total = new.tokens.len().saturating_add(new.max_tokens);
        let most = new.residency.as_ref().map_or(n_total, |residency| residency.most(n_total));
        let needed = self.pool.blocks_for(most);
        let n_blocks = self.pool.n_blocks();
        if new.tokens.is_empty() {
            return Err(AddError::Empty);
        }
        if needed > n_blocks {
            return Err(AddError::TooLong { needed, n_blocks });
        }
        if self.entries.contains_key(&id) {
            return Err(AddError::Exists(id));
        }
        let rank = (new.class, self.arrivals);
        self.arrivals += 1;
        self.waiting.push(rank, id);
        self.entries.insert(id, Entry::new(rank, new));
        Ok(())
    }

    /// Guesses at the tokens that follow; they are computed in the next step as far as budget and
    /// blocks allow, and forgotten after it.
    pub fn draft(&mut self, id: RequestId, tokens: Vec<TokenId>) {
        if let Some(entry) =
            self.entries.get_mut(&id).filter(|entry| entry.running && entry.n_pending() == 1)
        {
            entry.draft = tokens;
        }
    }

    /// Decides the next step. Whoever generates goes first, so that no prompt delays them beyond
    /// its chunk; then the prompts that have begun; then those who wait, as long as their whole
    /// prompts fit.
    ///
    /// As long as there are requests, the plan has an item: the first in order can take the blocks
    /// of all others.
    pub fn plan(&mut self) -> StepPlan {
        let mut plan = StepPlan::default();
        let mut budget = self.config.max_num_batched_tokens;
        for prompts in [false, true] {
            let mut at = 0;
            while let Some(&id) = self.running.get(at) {
                if (self.entries[&id].n_pending() > 1) == prompts && budget > 0 {
                    self.schedule(id, &mut budget, &mut plan);
                }
                // Whoever lost its blocks is gone from here on: `id` itself or one after it.
                if self.running.get(at) == Some(&id) {
                    at += 1;
                }
            }
        }
        if plan.preempted.is_empty() {
            self.admit(&mut budget, &mut plan);
        }
        plan
    }

    /// Puts `id` into the plan, taking blocks from the last in order where there are none free.
    fn schedule(&mut self, id: RequestId, budget: &mut usize, plan: &mut StepPlan) {
        // A token of the budget is left for each request that is not in the plan yet.
        let others = self.running.len().saturating_sub(plan.items.len() + 1);
        let entry = &self.entries[&id];
        let mut n_tokens = entry.n_pending().min(*budget);
        let until_changed = entry.whole().saturating_sub(entry.n_computed);
        if entry.reuse_prefix && self.pool.shares() && until_changed > 0 {
            // As long as its blocks are as anybody's, others may find them after the step.
            n_tokens = n_tokens.min(until_changed);
        }
        let samples = n_tokens == entry.n_pending();
        let mut n_draft = if samples {
            entry.draft.len().min(budget.saturating_sub(n_tokens + others))
        } else {
            0
        };
        loop {
            let entry = entry_mut(&mut self.entries, id);
            let from = entry.n_computed;
            let (to, n_slots) = (from + n_tokens, entry.peak(from + n_tokens + n_draft));
            let copies = match to <= entry.whole() {
                true => self.pool.grow(&mut entry.holding, n_slots).then(Vec::new),
                false => self.pool.grow_alone(&mut entry.holding, n_slots),
            };
            if let Some(copies) = copies {
                plan.copies.extend(copies);
                plan.items.push(PlanItem { id, from, n_tokens, n_draft, samples });
                *budget -= n_tokens + n_draft;
                return;
            }
            if n_draft > 0 {
                n_draft = 0;
                continue;
            }
            let planned = |id: &RequestId| plan.items.iter().any(|item| item.id == *id);
            let victim = self.running.iter().rev().copied().find(|id| !planned(id)).unwrap_or(id);
            if victim == id && !plan.items.is_empty() {
                // The others advance, so blocks will come free.
                return;
            }
            self.preempt(victim, plan);
            if victim == id {
                return;
            }
        }
    }

    fn preempt(&mut self, id: RequestId, plan: &mut StepPlan) {
        let entry = entry_mut(&mut self.entries, id);
        self.pool.release(&mut entry.holding);
        (entry.n_computed, entry.running) = (0, false);
        entry.draft.clear();
        self.waiting.push(entry.rank, id);
        self.running.retain(|other| *other != id);
        self.counters.preemptions += 1;
        plan.preempted.push(id);
    }

    /// Starts those who wait, in order: the first that does not fit, or that another computes the
    /// prompt of, holds up the others, so that it comes to its turn.
    fn admit(&mut self, budget: &mut usize, plan: &mut StepPlan) {
        while *budget > 0 && self.running.len() < self.config.max_num_seqs {
            let Some(next) = self.waiting.next(self.config.max_overtakes) else { return };
            let entry = entry_mut(&mut self.entries, next.id);
            if entry.reuse_prefix {
                let before = std::mem::take(&mut entry.found);
                entry.found = self.pool.find(entry.findable(), before);
            }
            if self.is_being_computed(next.id) {
                return;
            }
            let entry = entry_mut(&mut self.entries, next.id);
            // One token more than there are: else the first generated token could cost it all that
            // it computed.
            let room =
                if self.running.is_empty() { entry.tokens.len() } else { entry.tokens.len() + 1 };
            // What it would change of what it finds is copied, and no gain.
            let n_kept = if room <= entry.whole() { entry.found.len() } else { 0 };
            if self.pool.blocks_for(entry.peak(room)).saturating_sub(n_kept)
                > self.pool.n_free() - self.pool.n_free_of(&entry.found)
            {
                return;
            }
            self.waiting.admit(next.rank);
            if next.overdue {
                // From now on it keeps what it has against all who came later.
                entry.rank.0 = Class::Interactive;
            }
            entry.n_computed = entry.found.len() * self.pool.block_size();
            self.pool.hold_found(&mut entry.holding, std::mem::take(&mut entry.found));
            entry.running = true;
            if entry.n_cached.is_none() {
                entry.n_cached = Some(entry.n_computed);
                self.counters.prefix_queries +=
                    if entry.reuse_prefix { entry.tokens.len() as u64 } else { 0 };
                self.counters.prefix_hits += entry.n_computed as u64;
            }
            let rank = entry.rank;
            let at = self.running.partition_point(|other| self.entries[other].rank < rank);
            self.running.insert(at, next.id);
            self.schedule(next.id, budget, plan);
        }
    }

    /// Whether one of those who run is computing at least half of what `id` would compute now. Then
    /// it waits for those blocks: the answers of one prompt that are asked for together compute it
    /// once.
    fn is_being_computed(&self, id: RequestId) -> bool {
        let entry = &self.entries[&id];
        if !entry.reuse_prefix || !self.pool.shares() {
            return false;
        }
        let (block, findable) = (self.pool.block_size(), entry.findable());
        let findable = &findable[..findable.len() - 1];
        let n_found = entry.found.len() * block;
        self.running
            .iter()
            .map(|other| &self.entries[other])
            .filter(|other| other.n_pending() > 1)
            .any(|other| {
                let n_alike =
                    findable.iter().zip(other.shareable()).take_while(|(a, b)| a == b).count()
                        / block
                        * block;
                n_alike > n_found && 2 * (n_alike - n_found) >= entry.tokens.len() - n_found
            })
    }

    /// Reports that `item` was computed, and what was sampled: nothing where [`PlanItem::samples`]
    /// is false, else the token after the request's own, and one more for each guess that was
    /// right. A request that ended meanwhile is passed over.
    pub fn complete(&mut self, item: &PlanItem, sampled: &[TokenId]) {
        let Some(entry) = self.entries.get_mut(&item.id).filter(|entry| entry.running) else {
            return;
        };
        let n_right = sampled.len().saturating_sub(1).min(item.n_draft);
        entry.n_computed = item.from + item.n_tokens + n_right;
        entry.tokens.extend_from_slice(sampled);
        entry.draft.clear();
        if entry.n_computed <= entry.whole() {
            self.pool.enter(&mut entry.holding, &entry.tokens, entry.n_computed);
        } else {
            let n_slots = entry.slots(entry.n_computed);
            self.pool.shrink(&mut entry.holding, n_slots);
        }
    }

    /// Ends a request, wherever it is; its blocks are free. `false` if there is none of that
    /// number.
    pub fn end(&mut self, id: RequestId) -> bool {
        let Some(mut entry) = self.entries.remove(&id) else { return false };
        self.pool.release(&mut entry.holding);
        if entry.running {
            self.running.retain(|other| *other != id);
        } else {
            self.waiting.remove(entry.rank);
        }
        true
    }

    /// Prompt and generated tokens of a request.
    pub fn tokens(&self, id: RequestId) -> &[TokenId] {
        self.entries.get(&id).map_or(&[], |entry| &entry.tokens)
    }

    /// Its guessed tokens.
    pub fn drafted(&self, id: RequestId) -> &[TokenId] {
        self.entries.get(&id).map_or(&[], |entry| &entry.draft)
    }

    /// Its blocks, in order of position.
    pub fn blocks(&self, id: RequestId) -> &[u32] {
        self.entries.get(&id).map_or(&[], |entry| &entry.holding.blocks)
    }

    /// Prompt tokens that were in the cache when it first started; `None` before.
    pub fn n_cached(&self, id: RequestId) -> Option<usize> {
        self.entries.get(&id)?.n_cached
    }

    /// Requests that are being computed, in order of service.
    pub fn running(&self) -> &[RequestId] {
        &self.running
    }

    /// Requests that wait.
    pub fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    /// The blocks.
    pub fn pool(&self) -> &BlockPool {
        &self.pool
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether all its books agree; the error says which do not. For tests: it looks at every
    /// block.
    pub fn check(&self) -> Result<(), String> {
        self.pool.check(self.entries.values().map(|entry| &entry.holding))?;
        let n_running = self.entries.values().filter(|entry| entry.running).count();
        if n_running != self.running.len() || self.entries.len() != n_running + self.waiting.len() {
            return Err(format!(
                "{} requests, {n_running} run, {} wait",
                self.entries.len(),
                self.waiting.len()
            ));
        }
        let in_order = self.running.is_sorted_by_key(|id| self.entries[id].rank);
        if in_order { Ok(()) } else { Err("those who run are not in order".into()) }
    }
}

fn entry_mut(entries: &mut HashMap<RequestId, Entry>, id: RequestId) -> &mut Entry {
    entries.get_mut(&id).expect("every number in the line or in `running` has an entry")
}
