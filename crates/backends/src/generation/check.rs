//! Which requests an engine can serve: looked at before anything is computed.

use pacemark_backend::{BackendError, GenerateRequest, TokenId};
use pacemark_engine::{ModelConfig, Policy};
use std::sync::Arc;

/// What may be asked of an engine.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The backend's name.
    pub backend: &'static str,
    /// The model whose keys and values policies may let go of; `None` where there are no policies.
    pub policies: Option<Arc<ModelConfig>>,
    /// Tokens of the longest sequence.
    pub n_ctx: usize,
    /// Sequences at once.
    pub n_seqs: usize,
    /// Tokens of a step.
    pub n_step: usize,
    /// Tokens of the vocabulary.
    pub n_vocab: usize,
}

impl Limits {
    /// The policy of that spec for this model; `None` where all is kept.
    pub(crate) fn policy(&self, spec: Option<&str>) -> Result<Option<Policy>, BackendError> {
        let Some(spec) = spec.filter(|spec| *spec != "full") else { return Ok(None) };
        let Some(config) = &self.policies else {
            let ability = "let go of keys and values";
            return Err(BackendError::Unsupported {
                backend: self.backend,
                ability: ability.into(),
            });
        };
        let policy = Policy::parse(spec)
            .and_then(|policy| policy.map(|policy| policy.on(config)).transpose());
        policy.map_err(|error| BackendError::InvalidRequest(error.to_string()))
    }

    /// Whether a sequence of `n_prompt` tokens and `max_tokens` more fits.
    pub(crate) fn fits(
        &self,
        policy: Option<&Policy>,
        n_prompt: usize,
        max_tokens: usize,
    ) -> Result<(), BackendError> {
        self.fits_after(policy, n_prompt, (n_prompt, max_tokens))
    }

    /// The same where the prompt ends for the policy after `kv_prompt` tokens.
    fn fits_after(
        &self,
        policy: Option<&Policy>,
        kv_prompt: usize,
        (n_prompt, max_tokens): (usize, usize),
    ) -> Result<(), BackendError> {
        let n_ctx = self.n_ctx;
        let n_total = n_prompt.saturating_add(max_tokens);
        let Some(policy) = policy else {
            let fits = n_total <= n_ctx;
            let error = BackendError::ContextExceeded { prompt: n_prompt, max_tokens, n_ctx };
            return if fits { Ok(()) } else { Err(error) };
        };
        let most_tokens = self.most_tokens();
        if n_total > most_tokens {
            let found = format!(
                "{n_prompt} tokens of a prompt and {max_tokens} to be generated: the model has \
                 {most_tokens} positions"
            );
            return Err(BackendError::TooLong { found, n_ctx: most_tokens });
        }
        let most = policy.most(Some(kv_prompt), n_total);
        if most <= n_ctx {
            return Ok(());
        }
        let spec = policy.spec();
        let found = format!(
            "of {n_prompt} tokens of a prompt and {max_tokens} to be generated, {spec} holds up to \
             {most} at once, but the context holds {n_ctx}"
        );
        Err(BackendError::TooLong { found, n_ctx })
    }

    /// Tokens that may follow a prompt.
    pub(crate) fn room(
        &self,
        policy: Option<&Policy>,
        n_prompt: usize,
    ) -> Result<usize, BackendError> {
        let Some(policy) = policy else { return Ok(self.n_ctx.saturating_sub(n_prompt)) };
        self.fits(Some(policy), n_prompt, 0)?;
        let fits = |n: usize| self.fits(Some(policy), n_prompt, n).is_ok();
        // What is held grows with what was generated, if at all.
        let (mut low, mut high) = (0, self.most_tokens().saturating_sub(n_prompt) + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            *(if fits(middle) { &mut low } else { &mut high }) = middle;
        }
        Ok(low)
    }

    /// Tokens of a sequence, whatever is held of them: as many as there are positions, which are
    /// signed numbers of 32 bits, or a table that the model has learned.
    fn most_tokens(&self) -> usize {
        let learned = self.policies.as_ref().filter(|config| config.learned_positions);
        learned.map_or(i32::MAX as usize, |config| config.n_ctx_train)
    }

    /// Why the request cannot be served under the policy.
    pub(crate) fn check(
        &self,
        request: &GenerateRequest,
        policy: Option<&Policy>,
    ) -> Result<(), BackendError> {
        if request.prompt.is_empty() {
            return Err(BackendError::InvalidRequest("the prompt is empty".into()));
        }
        let (n_prompt, kv_prompt) = (request.prompt.len(), request.n_kv_prompt());
        if !(1..=n_prompt).contains(&kv_prompt) {
            return Err(BackendError::InvalidRequest(format!(
                "kv_prompt: expected 1 to {n_prompt}, the tokens of the prompt, found {kv_prompt}"
            )));
        }
        self.fits_after(policy, kv_prompt, (n_prompt, request.max_tokens))?;
        self.check_tokens(&request.prompt)?;
        self.check_tokens(&request.stop_tokens)?;
        let s = &request.sampling;
        let numbers = [
            ("temperature", s.temperature, 0.0, f32::MAX),
            ("top_p", s.top_p, 0.0, 1.0),
            ("min_p", s.min_p, 0.0, 1.0),
            ("typical_p", s.typical_p, 0.0, 1.0),
            ("top_n_sigma", s.top_n_sigma, 0.0, f32::MAX),
            ("xtc_probability", s.xtc_probability, 0.0, 1.0),
            ("xtc_threshold", s.xtc_threshold, 0.0, 1.0),
            ("repetition_penalty", s.repetition_penalty, f32::MIN_POSITIVE, f32::MAX),
            ("presence_penalty", s.presence_penalty, f32::MIN, f32::MAX),
            ("frequency_penalty", s.frequency_penalty, f32::MIN, f32::MAX),
        ];
        if let Some((name, value, ..)) =
            numbers.iter().find(|(_, value, min, max)| !(min..=max).contains(&value))
        {
            return Err(BackendError::InvalidRequest(format!("{name}: {value} is out of range")));
        }
        for &(token, bias) in &s.logit_bias {
            self.check_tokens(&[token])?;
            if !bias.is_finite() {
                return Err(BackendError::InvalidRequest(format!(
                    "logit_bias of token {token}: {bias} is out of range"
                )));
            }
        }
        Ok(())
    }

    /// Whether the model has all of `tokens`.
    pub(crate) fn check_tokens(&self, tokens: &[TokenId]) -> Result<(), BackendError> {
        let n_vocab = self.n_vocab;
        match tokens.iter().find(|&&token| token as usize >= n_vocab) {
            Some(token) => Err(BackendError::InvalidRequest(format!(
                "token {token} is outside the vocabulary of {n_vocab}"
            ))),
            None => Ok(()),
        }
    }
}
