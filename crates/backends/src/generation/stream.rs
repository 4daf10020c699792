//! Requests in progress: one, or several that are computed together.
//!
//! All prompts come first, several in one step as far as they fit; then each step computes one
//! token of every sequence.

use super::{Engine, Host, Item, Kept, Machine, State, Wanted, failed, same_tokens};
use pacemark_backend::{BackendError, Event, FinishReason, GenerateRequest, TokenId};
use std::collections::VecDeque;
use std::time::Instant;

/// The stream of a batch: state between two events.
pub(super) struct Stream<'a, E: Engine> {
    host: &'a Host<E>,
    slots: Vec<Slot<E::Sequence>>,
    started: bool,
    /// Events that are known and not yet taken.
    ready: VecDeque<(usize, Event)>,
}

/// One request.
struct Slot<S> {
    index: usize,
    machine: Machine,
    /// `None` before it starts and after it ended.
    sequence: Option<S>,
    /// Tokens in `sequence`.
    n_computed: usize,
    /// Prompt and generated tokens.
    tokens: Vec<TokenId>,
}

impl<'a, E: Engine> Stream<'a, E> {
    pub(super) fn new(host: &'a Host<E>, requests: Vec<GenerateRequest>) -> Self {
        let mut stream = Stream { host, slots: Vec::new(), started: false, ready: VecDeque::new() };
        for (index, request) in requests.into_iter().enumerate() {
            let machine = match host.terms.begin(request) {
                Ok(machine) => machine,
                Err(error) => {
                    stream.ready.push_back((index, failed(&error)));
                    continue;
                }
            };
            stream.ready.push_back((index, Event::Queued { at: Instant::now() }));
            let tokens = machine.request().prompt.clone();
            stream.slots.push(Slot { index, machine, sequence: None, n_computed: 0, tokens });
        }
        stream
    }

    /// Gives each request a sequence: the kept one as far as it agrees, else an empty one.
    fn start(&mut self) {
        self.started = true;
        let mut guard = self.host.state.borrow_mut();
        let state = &mut *guard;
        let ready = &mut self.ready;
        self.slots.retain_mut(|slot| {
            let request = slot.machine.request();
            let kept = if request.reuse_prefix { state.kept.take() } else { None };
            let (useful, useless) = match kept {
                Some(kept) if slot.machine.can_continue(&kept) => (Some(kept), None),
                other => (None, other),
            };
            useless.into_iter().for_each(|kept| state.close(kept.sequence));
            if let Some(Kept { mut sequence, tokens, .. }) = useful {
                let prompt = &request.prompt;
                let same = same_tokens(&tokens, prompt);
                // The last prompt token is always computed: its logits are wanted.
                slot.n_computed = state.engine.truncate(&mut sequence, same.min(prompt.len() - 1));
                slot.sequence = Some(sequence);
            } else {
                match state.open(&self.host.terms.limits, slot.machine.keeping()) {
                    Ok(sequence) => slot.sequence = Some(sequence),
                    Err(error) => {
                        ready.push_back((slot.index, failed(&error)));
                        return false;
                    }
                }
            }
            true
        });
        let at = Instant::now();
        for slot in &mut self.slots {
            let started = slot.machine.start(at, slot.n_computed);
            ready.extend(started.map(|event| (slot.index, event)));
        }
    }

    /// Computes one step, and samples where a sequence has caught up with its tokens.
    fn step(&mut self) -> Result<(), BackendError> {
        let started = Instant::now();
        let mut guard = self.host.state.borrow_mut();
        let state = &mut *guard;
        // Prompts first; then those that have generated least.
        let prompts = self.slots.iter().any(|slot| slot.machine.in_prompt());
        self.slots.sort_by_key(|slot| slot.machine.n_tokens());
        let mut left = self.host.terms.limits.n_step;
        let mut items = Vec::with_capacity(self.slots.len());
        for slot in self.slots.iter_mut().filter(|slot| !prompts || slot.machine.in_prompt()) {
            let n = left.min(slot.tokens.len() - slot.n_computed);
            let Some(sequence) = slot.sequence.as_mut().filter(|_| n > 0) else { break };
            let to = slot.n_computed + n;
            let wanted = to == slot.tokens.len() && !slot.machine.is_prompt_only();
            let wanted = if wanted { Wanted::Last } else { Wanted::None };
            items.push(Item { sequence, tokens: &slot.tokens[slot.n_computed..to], wanted });
            left -= n;
        }
        state.engine.forward(&mut items)?;
        let counts: Vec<_> = items.iter().map(|item| (item.tokens.len(), item.wanted)).collect();
        drop(items);
        let computed = Instant::now();
        let mut row = 0;
        let slots = self.slots.iter_mut().filter(|slot| !prompts || slot.machine.in_prompt());
        for (slot, (n, wanted)) in slots.zip(counts) {
            slot.n_computed += n;
            slot.machine.took(computed - started);
            if slot.n_computed < slot.tokens.len() {
                let progress = slot.machine.progress(slot.n_computed, computed);
                self.ready.extend(progress.map(|event| (slot.index, event)));
            } else if wanted == Wanted::None {
                finish(state, slot, FinishReason::Length, computed, &mut self.ready);
            } else {
                sample(state, slot, row, &mut self.ready);
                row += 1;
            }
        }
        self.slots.retain(|slot| slot.sequence.is_some());
        if self.slots.is_empty() {
            state.engine.rest();
        }
        Ok(())
    }

    /// Ends every request that is left, with `error`, or silently.
    fn abort(&mut self, error: Option<&BackendError>) {
        let mut state = self.host.state.borrow_mut();
        for mut slot in self.slots.drain(..) {
            if let Some(sequence) = slot.sequence.take() {
                state.close(sequence);
            }
            if let Some(error) = error {
                self.ready.push_back((slot.index, failed(error)));
            }
        }
        state.engine.rest();
    }
}

/// Chooses the next token of `slot` from logits row `row`, and ends the request if it was the last.
fn sample<E: Engine>(
    state: &mut State<E>,
    slot: &mut Slot<E::Sequence>,
    row: usize,
    ready: &mut VecDeque<(usize, Event)>,
) {
    let engine = &state.engine;
    let chosen = slot
        .machine
        .choose(engine.logits(row), |logits, id, n_top| engine.logprobs(logits, id, n_top));
    match chosen {
        Ok(chosen) => {
            slot.tokens.push(chosen.id);
            ready.push_back((slot.index, chosen.event));
            if let Some(reason) = chosen.finished {
                finish(state, slot, reason, Instant::now(), ready);
            }
        }
        Err(error) => {
            slot.sequence.take().into_iter().for_each(|sequence| state.close(sequence));
            ready.push_back((slot.index, failed(&error)));
        }
    }
}

fn finish<E: Engine>(
    state: &mut State<E>,
    slot: &mut Slot<E::Sequence>,
    reason: FinishReason,
    at: Instant,
    ready: &mut VecDeque<(usize, Event)>,
) {
    let Some(mut sequence) = slot.sequence.take() else { return };
    let kv = state.engine.held(&sequence);
    ready.push_back((slot.index, slot.machine.finish(reason, at, kv)));
    if slot.machine.request().reuse_prefix {
        state.drop_kept();
        state.engine.keep(&mut sequence);
        slot.tokens.truncate(slot.n_computed);
        let tokens = std::mem::take(&mut slot.tokens);
        let kv = slot.machine.request().kv.clone().filter(|_| slot.machine.request().has_policy());
        state.kept = Some(Kept { sequence, tokens, kv });
    } else {
        state.close(sequence);
    }
}

impl<E: Engine> Iterator for Stream<'_, E> {
    type Item = (usize, Event);

    fn next(&mut self) -> Option<(usize, Event)> {
        while self.ready.is_empty() && !self.slots.is_empty() {
            if !self.started {
                self.start();
            } else if let Err(error) = self.step() {
                self.abort(Some(&error));
            }
        }
        self.ready.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ready.len(), None)
    }
}

impl<E: Engine> Drop for Stream<'_, E> {
    fn drop(&mut self) {
        if !self.slots.is_empty() {
            self.abort(None);
        }
    }
}
