//! Which requests an engine can serve: looked at before anything is computed.

use pacemark_backend::{BackendError, GenerateRequest, TokenId};

/// What may be asked of an engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
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
    /// Why the request cannot be served.
    pub(crate) fn check(&self, request: &GenerateRequest) -> Result<(), BackendError> {
        let (prompt, max_tokens, n_ctx) = (request.prompt.len(), request.max_tokens, self.n_ctx);
        if prompt == 0 {
            return Err(BackendError::InvalidRequest("the prompt is empty".into()));
        }
        if prompt.saturating_add(max_tokens) > n_ctx {
            return Err(BackendError::ContextExceeded { prompt, max_tokens, n_ctx });
        }
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
