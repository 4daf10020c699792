//! Random arrivals, lengths, classes, guesses and aborts on tiny pools: whatever happens, the books
//! agree and everybody ends.
//!
//! The model is a function of all tokens before ([`next_token`]), computed from what the plan says
//! is in the blocks: a shadow of the cache keeps the token of every slot, so that a block given to
//! two, a stale slot or a wrong prefix shows as other text.

use pacemark_sched::{
    AddError, BlockPool, Class, NewRequest, RequestId, Residency, Scheduler, SchedulerConfig,
    StepPlan, TokenId,
};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
struct Job {
    arrival_step: usize,
    prompt: Vec<TokenId>,
    max_tokens: usize,
    class: Class,
    abort_after_steps: Option<usize>,
    /// Tokens that it keeps, the newest; all of them where there is none.
    keep: Option<usize>,
}

/// The slots of a request that keeps the last so many of its tokens: a token beyond takes the slot
/// of the one that was let go.
#[derive(Debug)]
struct Ring(usize);

impl Residency for Ring {
    fn peak(&self, _: usize, to: usize) -> usize {
        self.slots(to)
    }
    fn slots(&self, n: usize) -> usize {
        n.min(self.0 + 1)
    }
    fn whole(&self) -> usize {
        self.0
    }
    fn findable(&self, n: usize) -> usize {
        n.min(self.0)
    }
    fn most(&self, n: usize) -> usize {
        self.slots(n)
    }
}

/// The slot of token `at`.
fn slot(keep: Option<usize>, at: usize) -> usize {
    keep.map_or(at, |keep| at % (keep + 1))
}

/// The first token that is seen by the last of `n`.
fn first_seen(keep: Option<usize>, n: usize) -> usize {
    keep.map_or(0, |keep| n.saturating_sub(keep + 1))
}

/// What follows `tokens`: depends on all of them.
fn next_token(tokens: &[TokenId]) -> TokenId {
    tokens.iter().fold(17u32, |sum, &token| sum.wrapping_mul(31).wrapping_add(token)) % 5
}

fn alone(job: &Job) -> Vec<TokenId> {
    let mut tokens = job.prompt.clone();
    for _ in 0..job.max_tokens {
        tokens.push(next_token(&tokens[first_seen(job.keep, tokens.len())..]));
    }
    tokens
}

fn jobs() -> impl Strategy<Value = Vec<Job>> {
    // Few letters and common beginnings, so that prefixes are found.
    let prompt =
        (0usize..3, proptest::collection::vec(0u32..3, 1..20)).prop_map(|(common, own)| {
            let mut tokens: Vec<TokenId> = (0..common * 6).map(|i| i as u32 % 3).collect();
            tokens.extend(own);
            tokens
        });
    let job = (
        0usize..40,
        prompt,
        1usize..16,
        any::<bool>(),
        proptest::option::weighted(0.2, 0usize..30),
        proptest::option::weighted(0.4, 1usize..20),
    );
    let job =
        job.prop_map(|(arrival_step, prompt, max_tokens, batch, abort_after_steps, keep)| Job {
            arrival_step,
            prompt,
            max_tokens,
            class: if batch { Class::Batch } else { Class::Interactive },
            abort_after_steps,
            keep,
        });
    proptest::collection::vec(job, 1..25)
}

/// A scheduler, the slots of its cache, and what is asked of it.
struct World {
    scheduler: Scheduler,
    config: SchedulerConfig,
    /// The token computed into each slot, `[n_blocks][block_size]`.
    slots: Vec<Vec<Option<TokenId>>>,
    alive: HashMap<RequestId, Job>,
    started: HashSet<RequestId>,
    n_ended: usize,
}

const BLOCK: usize = 4;

impl World {
    fn compute(&mut self, plan: &StepPlan, guess_right: bool) {
        let total: usize = plan.items.iter().map(|item| item.n_tokens + item.n_draft).sum();
        assert!(
            total <= self.config.max_num_batched_tokens
                && plan.items.len() <= self.config.max_num_seqs
        );
        for &(from, to) in &plan.copies {
            self.slots[to as usize] = self.slots[from as usize].clone();
        }
        let ids: HashSet<_> = plan.items.iter().map(|item| item.id).collect();
        assert_eq!(ids.len(), plan.items.len(), "nobody is in a plan twice");
        for item in &plan.items {
            let mut tokens = self.scheduler.tokens(item.id).to_vec();
            let n_known = tokens.len();
            assert_eq!(item.samples, item.from + item.n_tokens == n_known);
            tokens.extend(&self.scheduler.drafted(item.id)[..item.n_draft]);
            let blocks = self.scheduler.blocks(item.id).to_vec();
            let keep = self.alive[&item.id].keep;
            let place =
                |at: usize| (blocks[slot(keep, at) / BLOCK] as usize, slot(keep, at) % BLOCK);
            let mut next = Vec::new();
            for at in item.from..item.from + item.n_tokens + item.n_draft {
                self.slots[place(at).0][place(at).1] = Some(tokens[at]);
                // What attention would see: the slots, not the tokens.
                let first = first_seen(keep, at + 1);
                let seen: Vec<TokenId> = (first..=at)
                    .map(|at| self.slots[place(at).0][place(at).1].expect("computed"))
                    .collect();
                assert_eq!(seen, tokens[first..=at], "the cache holds this request's tokens");
                next.push(next_token(&seen));
            }
            let mut sampled = Vec::new();
            for row in 0..if item.samples { item.n_draft + 1 } else { 0 } {
                sampled.push(next[n_known - 1 + row - item.from]);
                if row < item.n_draft && sampled[row] != tokens[n_known + row] {
                    break;
                }
            }
            let job = &self.alive[&item.id];
            sampled.truncate(job.prompt.len() + job.max_tokens - n_known);
            self.scheduler.complete(item, &sampled);
            let text = self.scheduler.tokens(item.id);
            if text.len() == job.prompt.len() + job.max_tokens {
                assert_eq!(text, alone(job), "the same text as alone");
                assert!(self.scheduler.end(item.id));
                self.alive.remove(&item.id);
                self.n_ended += 1;
            } else if item.samples {
                if keep.is_some() {
                    // What it lets go of for a wrong guess would not come back.
                    continue;
                }
                let mut guess = text.to_vec();
                (0..3).for_each(|_| guess.push(next_token(&guess)));
                let mut draft = guess.split_off(text.len());
                if !guess_right {
                    draft[1] = (draft[1] + 1) % 5;
                }
                self.scheduler.draft(item.id, draft);
            }
        }
    }

    /// Who starts: within a class in order of arrival, and a batch request that never ran is
    /// overtaken by a bounded number of interactive ones.
    fn check_order(&mut self, plan: &StepPlan, before: &[RequestId], overtaken: &mut usize) {
        // Those who start stand in the plan in the order in which they were let in.
        for id in plan.items.iter().map(|item| item.id).filter(|id| !before.contains(id)) {
            // Whoever comes back after losing its blocks started long ago.
            if self.started.insert(id) {
                let (class, arrival) = (self.alive[&id].class, (self.alive[&id].arrival_step, id));
                let passed_over = |(other, job): &(&RequestId, &Job)| {
                    job.class == class
                        && (job.arrival_step, **other) < arrival
                        && !self.started.contains(other)
                };
                assert_eq!(
                    self.alive.iter().find(passed_over),
                    None,
                    "first come, first served within {class:?}"
                );
            }
            let waits = |(id, job): (&RequestId, &Job)| {
                job.class == Class::Batch && !self.started.contains(id)
            };
            let overtakes =
                self.alive[&id].class == Class::Interactive && self.alive.iter().any(waits);
            *overtaken = if overtakes { *overtaken + 1 } else { 0 };
            assert!(*overtaken <= self.config.max_overtakes, "a batch request starves");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn books_agree_and_everybody_ends(
        jobs in jobs(),
        n_blocks in 9u32..24,
        max_num_seqs in 1usize..6,
        extra_budget in 0usize..12,
        max_overtakes in 0usize..4,
        share in any::<bool>(),
        guess_right in any::<bool>(),
    ) {
        let config = SchedulerConfig { max_num_seqs, max_num_batched_tokens: max_num_seqs + extra_budget, max_overtakes };
        let mut world = World {
            scheduler: Scheduler::new(config, BlockPool::new(n_blocks, BLOCK, share)),
            config,
            slots: vec![vec![None; BLOCK]; n_blocks as usize],
            alive: HashMap::new(),
            started: HashSet::new(),
            n_ended: 0,
        };
        let mut refused = 0;
        let mut overtaken = 0;
        for step in 0.. {
            prop_assert!(step < 5000, "somebody never ends: {:?}", world.alive);
            for (id, job) in jobs.iter().enumerate().filter(|(_, job)| job.arrival_step == step) {
                let new = NewRequest {
                    tokens: job.prompt.clone(),
                    max_tokens: job.max_tokens,
                    class: job.class,
                    reuse_prefix: true,
                    residency: job.keep.map(|keep| Arc::new(Ring(keep)) as Arc<dyn Residency>),
                };
                match world.scheduler.add(id as RequestId, new) {
                    Ok(()) => drop(world.alive.insert(id as RequestId, job.clone())),
                    Err(_) => refused += 1,
                }
            }
            for (id, job) in jobs.iter().enumerate() {
                if job.abort_after_steps.is_some_and(|after| step == job.arrival_step + after)
                    && world.alive.remove(&(id as RequestId)).is_some()
                {
                    prop_assert!(world.scheduler.end(id as RequestId));
                    world.n_ended += 1;
                    overtaken = 0;
                }
            }
            let before = world.scheduler.running().to_vec();
            let plan = world.scheduler.plan();
            prop_assert!(!plan.items.is_empty() || world.scheduler.is_idle() || !plan.preempted.is_empty());
            world.check_order(&plan, &before, &mut overtaken);
            world.compute(&plan, guess_right);
            world.scheduler.check().map_err(TestCaseError::fail)?;
            if step > 40 && world.scheduler.is_idle() {
                break;
            }
        }
        prop_assert_eq!(world.n_ended + refused, jobs.len());
        prop_assert_eq!(world.scheduler.pool().n_free(), n_blocks as usize, "no block is lost");
    }
}

fn scheduler(max_num_seqs: usize, budget: usize, n_blocks: u32) -> Scheduler {
    let config = SchedulerConfig { max_num_seqs, max_num_batched_tokens: budget, max_overtakes: 2 };
    Scheduler::new(config, BlockPool::new(n_blocks, BLOCK, true))
}

fn add(
    s: &mut Scheduler,
    id: RequestId,
    tokens: Vec<TokenId>,
    max_tokens: usize,
    class: Class,
) -> Result<(), AddError> {
    s.add(id, NewRequest { tokens, max_tokens, class, reuse_prefix: true, residency: None })
}

/// Plans and completes one step; every request that catches up samples a 9. Returns (request,
/// tokens computed).
fn step(scheduler: &mut Scheduler) -> Vec<(RequestId, usize)> {
    let plan = scheduler.plan();
    for item in &plan.items {
        scheduler.complete(item, if item.samples { &[9] } else { &[] });
    }
    plan.items.iter().map(|item| (item.id, item.n_tokens)).collect()
}

/// Two that begin alike and keep eight tokens: the second finds the first's first blocks although
/// the first has long written over its own.
#[test]
fn what_a_request_changes_of_its_blocks_is_its_own() {
    let mut scheduler = scheduler(2, 64, 12);
    let new = || NewRequest {
        tokens: (0..20).collect(),
        max_tokens: 4,
        reuse_prefix: true,
        residency: Some(Arc::new(Ring(8))),
        ..NewRequest::default()
    };
    scheduler.add(0, new()).unwrap();
    assert_eq!(step(&mut scheduler), [(0, 8)], "as far as its blocks are as anybody's");
    let plan = scheduler.plan();
    assert_eq!((plan.copies.len(), plan.items[0].n_tokens), (2, 12));
    scheduler.complete(&plan.items[0], &[9]);
    assert_eq!(scheduler.blocks(0).len(), 3, "nine slots, however many tokens");
    scheduler.add(1, new()).unwrap();
    step(&mut scheduler);
    assert_eq!((scheduler.n_cached(1), scheduler.counters().prefix_hits), (Some(8), 8));
    scheduler.check().unwrap();
}

#[test]
fn a_long_prompt_comes_in_chunks_beside_those_who_generate() {
    let mut s = scheduler(4, 8, 100);
    add(&mut s, 1, vec![1; 3], 50, Class::Interactive).unwrap();
    assert_eq!(step(&mut s), [(1, 3)]);
    add(&mut s, 2, (0..17).collect(), 5, Class::Interactive).unwrap();
    assert_eq!(step(&mut s), [(1, 1), (2, 7)]);
    assert_eq!(step(&mut s), [(1, 1), (2, 7)]);
    assert_eq!(step(&mut s), [(1, 1), (2, 3)]);
    assert_eq!(step(&mut s), [(1, 1), (2, 1)]);
}

#[test]
fn a_prefix_is_found_by_whole_blocks_and_its_last_token_is_computed() {
    let mut s = scheduler(4, 64, 100);
    add(&mut s, 1, (0..12).collect(), 5, Class::Interactive).unwrap();
    assert_eq!(step(&mut s), [(1, 12)]);
    s.end(1);
    // The same prompt: two of three blocks, for the last token is computed for its logits.
    add(&mut s, 2, (0..12).collect(), 5, Class::Interactive).unwrap();
    add(&mut s, 3, (0..13).collect(), 5, Class::Interactive).unwrap();
    add(&mut s, 4, [vec![7], (1..12).collect()].concat(), 5, Class::Interactive).unwrap();
    assert_eq!(step(&mut s), [(2, 4), (3, 1), (4, 12)]);
    assert_eq!((s.n_cached(2), s.n_cached(3), s.n_cached(4)), (Some(8), Some(12), Some(0)));
    assert_eq!(s.blocks(2)[..2], s.blocks(3)[..2]);
    assert_eq!((s.counters().prefix_queries, s.counters().prefix_hits), (12 + 12 + 13 + 12, 20));
}

#[test]
fn a_prompt_asked_for_several_times_is_computed_once() {
    let mut s = scheduler(8, 8, 100);
    for id in 1..4 {
        add(&mut s, id, (0..13).collect(), 5, Class::Interactive).unwrap();
    }
    // One block in common is not worth waiting for, and whoever does not look for others' blocks
    // waits for none.
    add(&mut s, 4, (0..4).chain(20..30).collect(), 5, Class::Interactive).unwrap();
    let own = NewRequest { tokens: (0..13).collect(), max_tokens: 5, ..NewRequest::default() };
    s.add(5, own).unwrap();
    assert_eq!(step(&mut s), [(1, 8)]);
    assert_eq!(step(&mut s), [(1, 5)]);
    assert_eq!(step(&mut s), [(1, 1), (2, 1), (3, 1), (4, 5)]);
    assert_eq!(step(&mut s), [(1, 1), (2, 1), (3, 1), (4, 5)]);
    assert_eq!(step(&mut s), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 4)]);
    assert_eq!(
        (s.n_cached(2), s.n_cached(3), s.n_cached(4), s.n_cached(5)),
        (Some(12), Some(12), Some(4), Some(0))
    );
}

#[test]
fn nobody_waits_for_blocks_that_are_not_shared() {
    let config = SchedulerConfig { max_num_seqs: 8, max_num_batched_tokens: 64, max_overtakes: 2 };
    let mut s = Scheduler::new(config, BlockPool::new(100, BLOCK, false));
    for id in 1..3 {
        add(&mut s, id, (0..13).collect(), 5, Class::Interactive).unwrap();
    }
    assert_eq!(step(&mut s), [(1, 13), (2, 13)]);
}

#[test]
fn a_prompt_of_one_who_leaves_is_computed_by_the_next() {
    let mut s = scheduler(8, 8, 100);
    for id in 1..4 {
        add(&mut s, id, (0..21).collect(), 5, Class::Interactive).unwrap();
    }
    assert_eq!(step(&mut s), [(1, 8)]);
    s.end(1);
    assert_eq!(step(&mut s), [(2, 8)]);
    assert_eq!(step(&mut s), [(2, 5)]);
    assert_eq!(step(&mut s), [(2, 1), (3, 1)]);
}

#[test]
fn who_waits_is_looked_up_once() {
    // A prompt of ten blocks, computed before, does not fit beside the one that generates and takes
    // a block every four steps.
    let mut s = scheduler(2, 64, 12);
    add(&mut s, 1, (0..40).collect(), 1, Class::Interactive).unwrap();
    step(&mut s);
    s.end(1);
    add(&mut s, 2, vec![1; 9], 30, Class::Interactive).unwrap();
    step(&mut s);
    add(&mut s, 3, (0..40).collect(), 5, Class::Interactive).unwrap();
    let mut lookups = Vec::new();
    for _ in 0..6 {
        let before = s.pool().n_lookups();
        assert_eq!(step(&mut s), [(2, 1)]);
        lookups.push(s.pool().n_lookups() - before);
    }
    // The fourth step takes the last of the blocks that were found: from then on only what may
    // follow the others is looked up.
    assert_eq!(lookups, [9, 0, 0, 1, 1, 1]);
    s.end(2);
    assert_eq!((step(&mut s), s.n_cached(3)), (vec![(3, 8)], Some(32)));
}

#[test]
fn the_last_to_come_gives_way_and_goes_on_where_it_was() {
    // Six blocks of four: two requests of 8 tokens, each growing to 16.
    let mut s = scheduler(2, 64, 6);
    add(&mut s, 1, vec![1; 8], 8, Class::Interactive).unwrap();
    add(&mut s, 2, vec![2; 8], 8, Class::Interactive).unwrap();
    let mut preempted = Vec::new();
    for _ in 0..8 {
        let plan = s.plan();
        preempted.extend(plan.preempted.clone());
        for item in &plan.items {
            s.complete(item, &[9]);
        }
    }
    assert_eq!(preempted, [2]);
    assert_eq!(s.tokens(1).len(), 16);
    s.end(1);
    // What it had generated is computed again with its prompt, as far as it is not found.
    let before = s.tokens(2).len();
    let plan = s.plan();
    assert_eq!(
        (plan.items[0].from + plan.items[0].n_tokens, plan.items[0].samples),
        (before, true)
    );
}

#[test]
fn what_can_never_fit_is_refused() {
    let mut s = scheduler(2, 64, 6);
    assert!(add(&mut s, 1, vec![1; 20], 5, Class::Batch).is_err());
    assert!(add(&mut s, 1, vec![], 5, Class::Batch).is_err());
    add(&mut s, 1, vec![1; 20], 4, Class::Batch).unwrap();
    assert!(add(&mut s, 1, vec![1; 2], 4, Class::Batch).is_err());
}

#[test]
fn a_guess_is_kept_as_far_as_it_is_right() {
    let mut s = scheduler(1, 64, 100);
    add(&mut s, 1, vec![1; 6], 50, Class::Interactive).unwrap();
    step(&mut s);
    s.draft(1, vec![5, 6, 7]);
    let plan = s.plan();
    assert_eq!((plan.items[0].n_tokens, plan.items[0].n_draft), (1, 3));
    s.complete(&plan.items[0], &[5, 8]);
    let plan = s.plan();
    assert_eq!((plan.items[0].from, plan.items[0].n_tokens, s.tokens(1).len()), (8, 1, 9));
}
