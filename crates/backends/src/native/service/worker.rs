//! The engine's thread: takes commands, asks the scheduler for a step, computes it, samples, tells.

use super::draft;
use super::requests::{Embedding, Generation};
use super::residency::PolicyAccount;
use super::turn::{Turn, take_all};
use super::{Command, Loan, ServiceOptions, Shared};
use crate::gather::Gather;
use crate::native::engine::{forward, held, sequence};
use crate::native::error;
use pacemark_backend::layer::{self, StackLayer};
use pacemark_backend::{BackendError, Priority, ServiceStatus, TokenId};
use pacemark_engine::{BatchItem, Decoder, KV_BLOCK, LogitRows};
use pacemark_sched::{
    BlockPool, Class, NewRequest, PlanItem, Residency, Scheduler, SchedulerConfig,
};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

/// Tokens of a step up to which guesses are added: beyond, they cost more than they save, for a
/// step is then bound by arithmetic and no longer by reading the weights.
const MAX_DRAFT_STEP: usize = 16;

/// The thread's state.
pub(in crate::native) struct Worker {
    decoder: Decoder,
    scheduler: Scheduler,
    /// The cache's blocks; the scheduler's numbers are indices into it.
    blocks: Vec<u32>,
    generations: HashMap<u64, Generation>,
    embeddings: HashMap<u64, Embedding>,
    /// Loans that wait for everything else to end.
    loans: Vec<Loan>,
    /// What came after them, and waits for them: they would wait for ever for who always asks for more.
    behind_loans: Vec<Command>,
    options: ServiceOptions,
    queue: Receiver<Command>,
    gather: Gather,
    shared: Arc<Shared>,
    status: ServiceStatus,
    /// Counters of schedulers before this one.
    past: pacemark_sched::Counters,
}

impl Worker {
    pub(crate) fn new(
        mut decoder: Decoder,
        options: ServiceOptions,
        queue: Receiver<Command>,
        shared: Arc<Shared>,
    ) -> Worker {
        let blocks = decoder.kv_mut().lease();
        Worker {
            scheduler: scheduler(options, blocks.len()),
            decoder,
            blocks,
            generations: HashMap::new(),
            embeddings: HashMap::new(),
            loans: Vec::new(),
            behind_loans: Vec::new(),
            options,
            queue,
            gather: Gather::default(),
            shared,
            status: ServiceStatus::default(),
            past: pacemark_sched::Counters::default(),
        }
    }

    /// Until it is told to stop.
    pub(crate) fn run(mut self) {
        while self.take_commands() {
            if self.scheduler.is_idle() {
                self.lend();
            } else {
                self.step();
            }
            self.publish();
        }
    }

    /// Takes all commands there are, and waits for one if there is nothing to compute. `false` for
    /// the end.
    fn take_commands(&mut self) -> bool {
        loop {
            let idle = self.scheduler.is_idle() && self.loans.is_empty();
            let n_running = self.scheduler.running().len();
            let received = match self.gather.wait(n_running, Instant::now()) {
                Some(wait) => self.queue.recv_timeout(wait),
                None if idle => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                None => self.queue.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
            };
            match received {
                Ok(command) => {
                    self.shared.n_commands.fetch_sub(1, Ordering::Relaxed);
                    if self.obey(command).is_break() {
                        return false;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.gather.give_up(n_running);
                    if !idle {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn obey(&mut self, command: Command) -> ControlFlow<()> {
        let is_request = matches!(command, Command::Generate(_) | Command::Embed(_));
        if is_request && !self.loans.is_empty() {
            self.behind_loans.push(command);
            return ControlFlow::Continue(());
        }
        match command {
            Command::Generate(generation) => {
                layer::pass(StackLayer::Queue);
                self.gather.came();
                self.add(*generation);
            }
            Command::Embed(embedding) => self.add_embedding(embedding),
            Command::Abort(id) => self.forget(id),
            Command::Lend(work) => self.loans.push(work),
            Command::Ping(done) => {
                self.publish();
                let _ = done.send(());
            }
            Command::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Queues a generation.
    pub(crate) fn add(&mut self, mut generation: Generation) {
        let request = generation.machine.request();
        let new = NewRequest {
            tokens: request.prompt.clone(),
            max_tokens: request.max_tokens,
            class: match request.priority {
                Priority::Interactive => Class::Interactive,
                Priority::Batch => Class::Batch,
            },
            reuse_prefix: request.reuse_prefix,
            residency: generation
                .machine
                .keeping()
                .map(|keeping| Arc::new(PolicyAccount::new(keeping)) as Arc<dyn Residency>),
        };
        generation.kv = sequence(&self.decoder, generation.machine.keeping());
        match self.scheduler.add(generation.id, new) {
            Ok(()) => drop(self.generations.insert(generation.id, generation)),
            Err(error) => {
                generation.fail(error::of_scheduler(error));
                self.shared.bells.ring();
            }
        }
    }

    fn add_embedding(&mut self, embedding: Embedding) {
        // The states of all tokens are wanted, so none may be found.
        let tokens = embedding.prompt.clone();
        let new = NewRequest { tokens, ..NewRequest::default() };
        match self.scheduler.add(embedding.id, new) {
            Ok(()) => drop(self.embeddings.insert(embedding.id, embedding)),
            Err(error) => embedding.fail(error::of_scheduler(error)),
        }
    }

    fn forget(&mut self, id: u64) {
        if self.scheduler.end(id) {
            // The thread may have nothing else to do, and would not tell until the next request.
            self.publish();
        }
        self.generations.remove(&id);
        self.embeddings.remove(&id);
        self.behind_loans.retain(|command| match command {
            Command::Generate(generation) => generation.id != id,
            Command::Embed(embedding) => embedding.id != id,
            _ => true,
        });
    }

    /// Lends the decoder to those who asked; the blocks hold what they left there, so what was in
    /// them is forgotten.
    fn lend(&mut self) {
        if self.loans.is_empty() {
            return;
        }
        for work in std::mem::take(&mut self.loans) {
            work(self);
        }
        self.past = sum(self.past, self.scheduler.counters());
        self.scheduler = scheduler(self.options, self.blocks.len());
        for command in std::mem::take(&mut self.behind_loans) {
            let _ = self.obey(command); // a request, which ends nothing
        }
    }

    /// Whether nothing is left to compute.
    pub(crate) fn is_idle(&self) -> bool {
        self.scheduler.is_idle()
    }

    /// The decoder and all blocks of its cache, for work that goes round the scheduler.
    pub(crate) fn decoder(&mut self) -> (&mut Decoder, &[u32]) {
        (&mut self.decoder, &self.blocks)
    }

    /// Plans and computes one step.
    pub(crate) fn step(&mut self) {
        self.guess();
        let plan = self.scheduler.plan();
        layer::pass(StackLayer::Scheduler);
        let started = Instant::now();
        for item in &plan.items {
            let cached = self.scheduler.n_cached(item.id).unwrap_or(0);
            if let Some(generation) = self.generations.get_mut(&item.id)
                && let Some(event) = generation.machine.start(started, cached)
            {
                self.status.prompt_tokens += generation.machine.request().prompt.len() as u64;
                generation.tell([event]);
            }
        }
        self.status.steps += 1;
        let of = |id: u32| self.blocks[id as usize];
        let copies: Vec<_> = plan.copies.iter().map(|(from, to)| (of(*from), of(*to))).collect();
        self.decoder.kv_mut().copy_blocks(&copies);
        let (embedded, mut generated): (Vec<PlanItem>, Vec<PlanItem>) =
            plan.items.iter().partition(|item| self.embeddings.contains_key(&item.id));
        match self.forward(&generated) {
            Ok(()) => self.sample(&generated, started),
            // Whatever is wrong with one request must not hurt the others: each alone.
            Err(_) => generated.drain(..).for_each(|item| match self.forward(&[item]) {
                Ok(()) => self.sample(&[item], started),
                Err(error) => self.fail(item.id, error),
            }),
        }
        embedded.iter().for_each(|item| self.embed(item));
        self.shared.bells.ring();
    }

    /// Guesses what follows, where a step has room for it.
    fn guess(&mut self) {
        let ids = self.scheduler.running().to_vec();
        let room = MAX_DRAFT_STEP.saturating_sub(ids.len()) / ids.len().max(1);
        for id in ids {
            // What a policy lets go of for a wrong guess would not come back.
            let is_guessed = |generation: &&Generation| {
                self.options.n_draft.min(room) > 0 && generation.machine.keeping().is_none()
            };
            let Some(generation) = self.generations.get(&id).filter(is_guessed) else { continue };
            let n =
                self.options.n_draft.min(room).min(generation.machine.n_left().saturating_sub(1));
            let guessed = draft::guess(self.scheduler.tokens(id), n);
            self.scheduler.draft(id, guessed);
        }
    }

    fn forward(&mut self, items: &[PlanItem]) -> Result<(), BackendError> {
        if items.is_empty() {
            return Ok(());
        }
        let (scheduler, blocks) = (&self.scheduler, &self.blocks);
        // Each item's sequence and tokens, taken out so that all can be lent at once.
        let mut inputs: Vec<_> = items
            .iter()
            .map(|item| {
                let mut kv = self
                    .generations
                    .get_mut(&item.id)
                    .map(|g| std::mem::take(&mut g.kv))
                    .unwrap_or_default();
                place(&mut kv, scheduler, blocks, item);
                (kv, tokens_of(scheduler, item))
            })
            .collect();
        let mut batch: Vec<BatchItem<'_>> = inputs
            .iter_mut()
            .zip(items)
            .map(|((kv, tokens), item)| {
                let logits =
                    if item.samples { LogitRows::From(item.n_tokens - 1) } else { LogitRows::None };
                BatchItem { kv, tokens, logits }
            })
            .collect();
        layer::pass(StackLayer::Assembly);
        let result = forward(&mut self.decoder, &mut batch);
        for ((kv, _), item) in inputs.into_iter().zip(items) {
            if let Some(generation) = self.generations.get_mut(&item.id) {
                generation.kv = kv;
            }
        }
        result
    }

    /// Takes the tokens of what was computed, tells them, and ends those who are complete.
    fn sample(&mut self, items: &[PlanItem], started: Instant) {
        let computed = Instant::now();
        let (mut turns, mut of_turns, mut row) =
            (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()), 0);
        for item in items {
            let Some(mut generation) = self.generations.remove(&item.id) else { continue };
            generation.machine.took(computed - started);
            if item.samples {
                let turn = Turn::new(
                    generation,
                    row,
                    self.scheduler.drafted(item.id)[..item.n_draft].to_vec(),
                );
                row += turn.n_rows();
                turns.push(turn);
                of_turns.push(item);
                continue;
            }
            self.scheduler.complete(item, &[]);
            let progress = generation.machine.progress(item.from + item.n_tokens, computed);
            generation.tell(progress);
            self.generations.insert(item.id, generation);
        }
        take_all(&self.decoder, &mut turns);
        let mut ended = Vec::new();
        for (item, turn) in of_turns.into_iter().zip(turns) {
            match turn.end() {
                (mut generation, Ok(advance)) => {
                    self.status.generated_tokens += advance.sampled.len() as u64;
                    self.status.drafted_tokens += item.n_draft as u64;
                    self.status.accepted_tokens += advance.sampled.len().saturating_sub(1) as u64;
                    self.scheduler.complete(item, &advance.sampled);
                    generation.tell(advance.events);
                    match advance.finished {
                        Some(reason) => {
                            self.scheduler.end(item.id);
                            ended.push((generation, reason));
                        }
                        None => drop(self.generations.insert(item.id, generation)),
                    }
                }
                (generation, Err(error)) => {
                    self.scheduler.end(item.id);
                    generation.fail(error);
                }
            }
        }
        if !ended.is_empty() {
            self.gather.ended(ended.len(), Instant::now());
            // Whoever hears the end may look at the status next, and it should agree.
            self.publish();
            for (generation, reason) in ended {
                let held = held(&self.decoder, &generation.kv);
                generation.finish(reason, Some(held));
            }
        }
    }

    /// Computes one item of an embedding's prompt.
    fn embed(&mut self, item: &PlanItem) {
        let Some(mut embedding) = self.embeddings.remove(&item.id) else { return };
        let n_embd = self.decoder.model().config().n_embd;
        let tokens = tokens_of(&self.scheduler, item);
        place(&mut embedding.kv, &self.scheduler, &self.blocks, item);
        let batch =
            &mut [BatchItem { kv: &mut embedding.kv, tokens: &tokens, logits: LogitRows::None }];
        match self.decoder.states(batch) {
            Ok(states) => embedding.add(states, n_embd),
            Err(error) => {
                self.scheduler.end(item.id);
                return embedding.fail(error::of_engine(error));
            }
        }
        self.status.prompt_tokens += item.n_tokens as u64;
        if item.samples {
            self.scheduler.end(item.id);
            embedding.finish();
        } else {
            self.scheduler.complete(item, &[]);
            self.embeddings.insert(item.id, embedding);
        }
    }

    fn fail(&mut self, id: u64, error: BackendError) {
        self.scheduler.end(id);
        if let Some(generation) = self.generations.remove(&id) {
            generation.fail(error);
        }
    }

    fn publish(&mut self) {
        let counters = sum(self.past, self.scheduler.counters());
        let pool = self.scheduler.pool();
        self.status = ServiceStatus {
            running: self.scheduler.running().len(),
            waiting: self.scheduler.n_waiting(),
            kv_blocks_used: pool.n_blocks() - pool.n_free(),
            kv_blocks: pool.n_blocks(),
            prefix_queries: counters.prefix_queries,
            prefix_hits: counters.prefix_hits,
            preemptions: counters.preemptions,
            ..self.status
        };
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = self.status;
    }
}

impl Drop for Worker {
    /// Whatever was told last is heard, also when the thread has panicked.
    fn drop(&mut self) {
        self.shared.bells.ring();
    }
}

/// The tokens that `item` computes: its own, then its guesses.
fn tokens_of(scheduler: &Scheduler, item: &PlanItem) -> Vec<TokenId> {
    let own = &scheduler.tokens(item.id)[item.from..item.from + item.n_tokens];
    [own, &scheduler.drafted(item.id)[..item.n_draft]].concat()
}

/// Gives the sequence the blocks that the scheduler assigned, holding the tokens before `item`.
fn place(
    kv: &mut pacemark_engine::SequenceKv,
    scheduler: &Scheduler,
    blocks: &[u32],
    item: &PlanItem,
) {
    let ids: Vec<u32> = scheduler.blocks(item.id).iter().map(|&id| blocks[id as usize]).collect();
    kv.place(&ids, item.from);
}

fn scheduler(options: ServiceOptions, n_blocks: usize) -> Scheduler {
    let config = SchedulerConfig {
        max_num_seqs: options.max_num_seqs,
        max_num_batched_tokens: options.max_num_batched_tokens,
        max_overtakes: options.max_overtakes,
    };
    Scheduler::new(config, BlockPool::new(n_blocks as u32, KV_BLOCK, options.prefix_cache))
}

fn sum(a: pacemark_sched::Counters, b: pacemark_sched::Counters) -> pacemark_sched::Counters {
    pacemark_sched::Counters {
        prefix_queries: a.prefix_queries + b.prefix_queries,
        prefix_hits: a.prefix_hits + b.prefix_hits,
        preemptions: a.preemptions + b.preemptions,
    }
}
