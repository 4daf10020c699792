//! Writes one request's output: from logits to a token, its text, and whether that was the last.

use super::constraint::{Form, Grammars};
use super::stop::StopTexts;
use pacemark_backend::layer::{self, StackLayer};
use pacemark_backend::{
    BackendError, Event, FinishReason, GenerateRequest, SamplingParams, TokenId,
};
use pacemark_engine::{Sampler, SamplerConfig, TokenLogprobs};
use pacemark_tokenizer::{DecodeOptions, Detokenizer, Tokenizer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one request has generated so far, and all that decides how it goes on.
pub(crate) struct Writer {
    sampler: Sampler,
    /// `None` where the model has no tokenizer: then there is no text.
    detokenizer: Option<Detokenizer<Arc<Tokenizer>>>,
    tokenizer: Option<Arc<Tokenizer>>,
    stop_texts: StopTexts,
    form: Option<Form>,
    stop_tokens: Vec<TokenId>,
    logit_bias: Vec<(TokenId, f32)>,
    ignore_eos: bool,
    min_tokens: usize,
    max_tokens: usize,
    top_logprobs: Option<usize>,
    n_tokens: usize,
    /// Logits that are not the model's own any more.
    changed: Vec<f32>,
    /// Time spent choosing.
    pub sample: Duration,
    /// Time spent on text.
    pub detokenize: Duration,
}

/// A chosen token.
pub(crate) struct Chosen {
    pub id: TokenId,
    /// [`Event::Token`].
    pub event: Event,
    /// Why the output ends with it.
    pub finished: Option<FinishReason>,
}

impl Writer {
    /// Of a request that was found to be one that can be served.
    pub(super) fn new(
        request: &GenerateRequest,
        tokenizer: Option<&Arc<Tokenizer>>,
        grammars: &Grammars,
    ) -> Result<Writer, BackendError> {
        let needs_text = !request.stop.is_empty() || request.constraint.is_some();
        if needs_text && tokenizer.is_none() {
            let what = "stop texts and constraints need a tokenizer, which this model's file lacks";
            return Err(BackendError::InvalidRequest(what.into()));
        }
        let form = match (&request.constraint, tokenizer) {
            (Some(constraint), Some(tokenizer)) => Some(grammars.start(tokenizer, constraint)?),
            _ => None,
        };
        let options = DecodeOptions { special: false, start_of_text: false };
        Ok(Writer {
            sampler: Sampler::new(sampler_config(&request.sampling), &request.prompt),
            detokenizer: tokenizer.map(|tokenizer| Detokenizer::new(tokenizer.clone(), options)),
            tokenizer: tokenizer.cloned(),
            stop_texts: StopTexts::new(&request.stop),
            form,
            stop_tokens: request.stop_tokens.clone(),
            logit_bias: request.sampling.logit_bias.clone(),
            ignore_eos: request.ignore_eos,
            min_tokens: request.min_tokens,
            max_tokens: request.max_tokens,
            top_logprobs: request.top_logprobs,
            n_tokens: 0,
            changed: Vec::new(),
            sample: Duration::ZERO,
            detokenize: Duration::ZERO,
        })
    }

    /// Tokens so far.
    pub(super) fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// Chooses the next token from the model's `logits`; `logprobs(logits, chosen, n_top)` tells
    /// their log-probabilities.
    pub(super) fn choose(
        &mut self,
        logits: &[f32],
        logprobs: impl FnOnce(&[f32], TokenId, usize) -> TokenLogprobs,
    ) -> Result<Chosen, BackendError> {
        layer::pass(StackLayer::Sampling);
        let started = Instant::now();
        let id = if self.is_plain() {
            self.sampler.sample(logits)
        } else {
            self.sample_changed(logits)?
        };
        let at = Instant::now();
        self.sample += at - started;
        self.n_tokens += 1;
        let logprobs = self.top_logprobs.map(|n_top| logprobs(logits, id, n_top));
        let complete = match &mut self.form {
            Some(form) => form.push(id)?,
            None => false,
        };
        let ends = self.ends_generation(id);
        // An end is no text, and an id beyond the tokenizer (padding rows of the embedding) has
        // none.
        let detokenizer = self.detokenizer.as_mut().filter(|_| !ends);
        let text = detokenizer.and_then(|d| d.push(id).ok()).unwrap_or_default();
        let early = self.n_tokens < self.min_tokens;
        let (text, stopped) =
            if early { (text.to_string(), false) } else { self.stop_texts.push(text) };
        self.detokenize += at.elapsed();
        layer::pass(StackLayer::Output);
        let (logprob, top) = logprobs.map_or((None, Vec::new()), |l| (Some(l.chosen), l.top));
        let finished = if stopped || complete || ends || self.stop_tokens.contains(&id) {
            Some(FinishReason::Stop)
        } else {
            (self.n_tokens >= self.max_tokens).then_some(FinishReason::Length)
        };
        if stopped {
            self.detokenizer = None;
        }
        let last = finished.is_some();
        let text = if last { text + &self.rest() } else { text };
        Ok(Chosen { id, event: Event::Token { id, text, logprob, top, last, at }, finished })
    }

    /// Text that was held back when the output ends.
    fn rest(&mut self) -> String {
        let Some(detokenizer) = self.detokenizer.take() else { return String::new() };
        let (text, stopped) = self.stop_texts.push(&detokenizer.finish());
        if stopped { text } else { text + &self.stop_texts.finish() }
    }

    /// Whether the sampler may take the model's logits as they are.
    fn is_plain(&self) -> bool {
        self.form.is_none() && self.logit_bias.is_empty() && self.n_tokens >= self.min_tokens
    }

    fn sample_changed(&mut self, logits: &[f32]) -> Result<TokenId, BackendError> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.clear();
        changed.extend_from_slice(logits);
        for &(token, bias) in &self.logit_bias {
            if let Some(logit) = changed.get_mut(token as usize) {
                *logit += bias;
            }
        }
        if self.n_tokens < self.min_tokens {
            let ends = self
                .tokenizer
                .as_deref()
                .filter(|_| !self.ignore_eos)
                .map(Tokenizer::end_of_generation);
            for &token in self.stop_tokens.iter().chain(ends.unwrap_or_default()) {
                if let Some(logit) = changed.get_mut(token as usize) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        if let Some(form) = &mut self.form {
            form.mask(&mut changed)?;
        }
        let id = self.sampler.sample(&changed);
        self.changed = changed;
        Ok(id)
    }

    /// Whether the model says by `id` that it has said all, and is listened to.
    fn ends_generation(&self, id: TokenId) -> bool {
        !self.ignore_eos && self.tokenizer.as_ref().is_some_and(|t| t.is_end_of_generation(id))
    }
}

/// The engine's spelling of the same numbers.
fn sampler_config(p: &SamplingParams) -> SamplerConfig {
    SamplerConfig {
        temperature: p.temperature,
        top_k: p.top_k,
        top_p: p.top_p,
        min_p: p.min_p,
        typical_p: p.typical_p,
        top_n_sigma: p.top_n_sigma,
        xtc_probability: p.xtc_probability,
        xtc_threshold: p.xtc_threshold,
        repetition_penalty: p.repetition_penalty,
        repetition_window: p.repetition_window,
        presence_penalty: p.presence_penalty,
        frequency_penalty: p.frequency_penalty,
        seed: p.seed,
    }
}
