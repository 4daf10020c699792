//! One request in progress.

use super::{NativeBackend, failed};
use pacemark_backend::{BackendError, Event, FinishReason, GenerateRequest, Phases, SamplingParams, TokenId, Usage};
use pacemark_engine::{BatchItem, EngineError, LogitRows, Sampler, SamplerConfig, SequenceKv};
use pacemark_tokenizer::{DecodeOptions, Detokenizer, Tokenizer};
use std::collections::VecDeque;
use std::time::Instant;

/// The stream of a request: state between two events.
pub(super) struct Generation<'a> {
    backend: &'a NativeBackend,
    request: GenerateRequest,
    sampler: Sampler,
    detokenizer: Option<Detokenizer<&'a Tokenizer>>,
    kv: SequenceKv,
    /// Prompt and generated tokens.
    tokens: Vec<TokenId>,
    step: Step,
    /// Events that are known and not yet taken.
    ready: VecDeque<Event>,
    phases: Phases,
    cached_tokens: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Start,
    Compute,
    End,
}

impl<'a> Generation<'a> {
    pub(super) fn new(backend: &'a NativeBackend, request: GenerateRequest) -> Self {
        let ready = VecDeque::from([Event::Queued { at: Instant::now() }]);
        let options = DecodeOptions { special: false, start_of_text: false };
        Generation {
            sampler: Sampler::new(config(&request.sampling), &request.prompt),
            detokenizer: backend.tokenizer.as_ref().map(|t| Detokenizer::new(t, options)),
            kv: SequenceKv::default(),
            tokens: request.prompt.clone(),
            step: Step::Start,
            ready,
            phases: Phases::default(),
            cached_tokens: 0,
            backend,
            request,
        }
    }

    fn n_output(&self) -> usize {
        self.tokens.len() - self.request.prompt.len()
    }

    /// Takes over kept KV as far as it agrees, and makes sure that there is room.
    fn start(&mut self) {
        let mut state = self.backend.state.borrow_mut();
        let kept = if self.request.reuse_prefix { state.kept.take() } else { None };
        if let Some((mut kv, tokens)) = kept {
            let prompt = &self.request.prompt;
            let same = tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
            // The last prompt token is always computed: its logits are wanted.
            self.cached_tokens = same.min(prompt.len() - 1);
            state.decoder.kv_mut().truncate(&mut kv, self.cached_tokens);
            self.kv = kv;
        }
        let room = state.decoder.kv().n_free_blocks() * pacemark_engine::KV_BLOCK;
        if room < self.tokens.len() + self.request.max_tokens - self.kv.len() {
            state.drop_kept();
        }
        drop(state);
        self.step = Step::Compute;
        self.ready.push_back(Event::Started { at: Instant::now(), cached_tokens: self.cached_tokens });
    }

    /// Computes one chunk of what is not computed yet, and samples when nothing is left.
    fn compute(&mut self) -> Result<(), EngineError> {
        let started = Instant::now();
        let from = self.kv.len();
        let to = self.tokens.len().min(from + self.backend.n_ubatch);
        let last = to == self.tokens.len();
        let wanted = last && self.request.max_tokens > 0;
        let mut state = self.backend.state.borrow_mut();
        let logits = if wanted { LogitRows::Last } else { LogitRows::None };
        let item = BatchItem { kv: &mut self.kv, tokens: &self.tokens[from..to], logits };
        let logits = state.decoder.forward(&mut [item])?;
        let computed = Instant::now();
        let phase = if self.tokens.len() == self.request.prompt.len() {
            &mut self.phases.prefill
        } else {
            &mut self.phases.decode
        };
        *phase += computed - started;
        if !last {
            self.ready.push_back(Event::Prefill { computed: to, of: self.tokens.len(), at: computed });
            return Ok(());
        }
        if !wanted {
            drop(state);
            self.finish(FinishReason::Length, computed);
            return Ok(());
        }
        let id = self.sampler.sample(logits);
        let at = Instant::now();
        self.phases.sample += at - computed;
        let n_top = self.request.top_logprobs;
        let logprobs = match n_top {
            Some(n_top) => {
                let logits = logits.to_vec();
                Some(state.decoder.model().logprobs(&logits, id, n_top))
            }
            None => None,
        };
        drop(state);
        self.tokens.push(id);
        let text = self.text(id);
        self.phases.detokenize += at.elapsed();
        let (logprob, top) = logprobs.map_or((None, Vec::new()), |l| (Some(l.chosen), l.top));
        self.ready.push_back(Event::Token { id, text, logprob, top, at });
        let ended = self.backend.tokenizer.as_ref().is_some_and(|t| t.is_end_of_generation(id));
        if ended && !self.request.ignore_eos {
            self.finish(FinishReason::Stop, Instant::now());
        } else if self.n_output() == self.request.max_tokens {
            self.finish(FinishReason::Length, Instant::now());
        }
        Ok(())
    }

    /// Text that became certain with `id`.
    fn text(&mut self, id: TokenId) -> String {
        // An id beyond the tokenizer (padding rows of the embedding) has no text.
        self.detokenizer.as_mut().and_then(|d| d.push(id).ok().map(str::to_string)).unwrap_or_default()
    }

    fn finish(&mut self, reason: FinishReason, at: Instant) {
        let usage = Usage {
            prompt_tokens: self.request.prompt.len(),
            cached_tokens: self.cached_tokens,
            output_tokens: self.n_output(),
        };
        let text = self.detokenizer.take().map(Detokenizer::finish).unwrap_or_default();
        self.ready.push_back(Event::Finished { reason, text, usage, phases: self.phases, at });
        self.release(self.request.reuse_prefix);
    }

    fn release(&mut self, keep: bool) {
        self.step = Step::End;
        let mut state = self.backend.state.borrow_mut();
        if keep && !self.kv.is_empty() {
            state.drop_kept();
            self.tokens.truncate(self.kv.len());
            state.kept = Some((std::mem::take(&mut self.kv), self.tokens.clone()));
        } else {
            state.decoder.kv_mut().release(&mut self.kv);
        }
    }

    fn fail(&mut self, error: BackendError) {
        self.ready.push_back(Event::Failed(error));
        self.release(false);
    }
}

impl Iterator for Generation<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        match self.step {
            Step::Start => self.start(),
            Step::Compute => {
                if let Err(error) = self.compute() {
                    self.fail(failed(&error));
                }
            }
            Step::End => {}
        }
        self.ready.pop_front()
    }
}

impl Drop for Generation<'_> {
    fn drop(&mut self) {
        if self.step != Step::End {
            self.release(false);
        }
    }
}

fn config(p: &SamplingParams) -> SamplerConfig {
    SamplerConfig {
        temperature: p.temperature,
        top_k: p.top_k,
        top_p: p.top_p,
        min_p: p.min_p,
        repetition_penalty: p.repetition_penalty,
        presence_penalty: p.presence_penalty,
        frequency_penalty: p.frequency_penalty,
        seed: p.seed,
    }
}
