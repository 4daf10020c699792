//! Texts that are scored: each token given those before it, or given what a policy keeps of them.

use super::{Engine, Host, Item, Keeping, Progress, Wanted, same_tokens};
use pacemark_backend::{BackendError, ScoreRequest, TextScores, TokenId};
use std::ops::ControlFlow;

/// Tokens whose logits are held at once while scoring: a quarter of a million logits each may be a
/// lot of memory.
const SCORE_CHUNK: usize = 128;

/// Told the logits after the token of that number; may end it.
type Row<'a, E> = dyn FnMut(&E, usize, &[f32]) -> ControlFlow<()> + 'a;

impl<E: Engine> Host<E> {
    /// As `Backend::score`.
    pub(crate) fn score(&self, tokens: &[TokenId], first: usize) -> Result<Vec<f32>, BackendError> {
        let n_ctx = self.terms.limits.n_ctx;
        if tokens.len() > n_ctx {
            return Err(BackendError::ContextExceeded {
                prompt: tokens.len(),
                max_tokens: 0,
                n_ctx,
            });
        }
        self.terms.limits.check_tokens(tokens)?;
        let mut state = self.state.borrow_mut();
        state.drop_kept();
        let mut sequence = state.open(&self.terms.limits, None)?;
        let go_on = &mut |_, _| ControlFlow::Continue(());
        let scores = self.score_in(&mut state.engine, &mut sequence, (tokens, first), go_on);
        state.close(sequence);
        state.engine.rest();
        scores.map(|scores| scores.logprobs)
    }

    /// As `Backend::predict`.
    pub(crate) fn predict(
        &self,
        request: &ScoreRequest,
        row: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        let text = (&request.tokens[..], request.first, 0);
        self.with_sequence(request, |host, engine, sequence| {
            let row = &mut |_: &E, i: usize, logits: &[f32]| row(i, logits);
            let n_step = host.terms.limits.n_step;
            let go_on = &mut |_, _| ControlFlow::Continue(());
            predict_from(engine, sequence, text, n_step, row, go_on)
        })
    }

    /// As `Backend::score_text`.
    pub(crate) fn score_text(
        &self,
        request: &ScoreRequest,
        progress: &mut Progress<'_>,
    ) -> Result<TextScores, BackendError> {
        let text = (&request.tokens[..], request.first);
        self.with_sequence(request, |host, engine, sequence| {
            let scores = host.score_in(engine, sequence, text, progress)?;
            Ok(TextScores { kv: engine.held(sequence), ..scores })
        })
    }

    /// Computes with a new sequence that keeps what the request asks for, once the request was
    /// checked.
    fn with_sequence<T>(
        &self,
        ScoreRequest { tokens, kv, n_prompt, .. }: &ScoreRequest,
        compute: impl FnOnce(&Self, &mut E, &mut E::Sequence) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let limits = &self.terms.limits;
        let policy = limits.policy(kv.as_deref())?;
        // The last token is not computed.
        limits.fits(policy.as_ref(), tokens.len().saturating_sub(1), 0)?;
        limits.check_tokens(tokens)?;
        let mut state = self.state.borrow_mut();
        state.drop_kept();
        let keeping = policy.map(|policy| Keeping { policy, n_prompt: *n_prompt });
        let mut sequence = state.open(limits, keeping)?;
        let result = compute(self, &mut state.engine, &mut sequence);
        state.close(sequence);
        state.engine.rest();
        result
    }

    /// As `Backend::score_texts`: texts under no policy that follow one another are computed from where
    /// they part.
    pub(crate) fn score_texts(
        &self,
        requests: &[ScoreRequest],
    ) -> Result<Vec<TextScores>, BackendError> {
        let go_on = &mut |_, _| ControlFlow::Continue(());
        // What a policy has let go of does not come back.
        let keeps_all =
            |request: &ScoreRequest| request.kv.as_deref().is_none_or(|kv| kv == "full");
        if !requests.iter().all(keeps_all) {
            return requests.iter().map(|request| self.score_text(request, go_on)).collect();
        }
        let limits = &self.terms.limits;
        for request in requests {
            limits.fits(None, request.tokens.len().saturating_sub(1), 0)?;
            limits.check_tokens(&request.tokens)?;
        }
        let mut state = self.state.borrow_mut();
        state.drop_kept();
        let mut sequence = state.open(limits, None)?;
        let mut there: &[TokenId] = &[];
        let mut scored = Vec::with_capacity(requests.len());
        for ScoreRequest { tokens, first, .. } in requests {
            // The last token of a text was not computed.
            let n_there = same_tokens(&there[..there.len().saturating_sub(1)], tokens).min(*first);
            let n_there = state.engine.truncate(&mut sequence, n_there);
            let text = (&tokens[..], *first, n_there);
            let scores = score_from(&mut state.engine, &mut sequence, text, limits.n_step, go_on);
            scored.push(
                scores.map(|scores| TextScores { kv: state.engine.held(&sequence), ..scores }),
            );
            if scored.last().is_some_and(Result::is_err) {
                break;
            }
            there = tokens;
        }
        state.close(sequence);
        state.engine.rest();
        scored.into_iter().collect()
    }

    fn score_in(
        &self,
        engine: &mut E,
        sequence: &mut E::Sequence,
        (tokens, first): (&[TokenId], usize),
        progress: &mut Progress<'_>,
    ) -> Result<TextScores, BackendError> {
        score_from(engine, sequence, (tokens, first, 0), self.terms.limits.n_step, progress)
    }
}

/// Scores the tokens behind `first` where the sequence holds the first `n_there` tokens, at most `first`;
/// `n_step` of them are computed at once at most.
pub(crate) fn score_from<E: Engine>(
    engine: &mut E,
    sequence: &mut E::Sequence,
    (tokens, first, n_there): (&[TokenId], usize, usize),
    n_step: usize,
    progress: &mut Progress<'_>,
) -> Result<TextScores, BackendError> {
    let mut scores = TextScores::default();
    let row = &mut |engine: &E, i: usize, logits: &[f32]| {
        let next = tokens[i + 1];
        scores.logprobs.push(engine.logprobs(logits, next, 0).chosen);
        scores.hits.push(is_first_largest(logits, next));
        ControlFlow::Continue(())
    };
    predict_from(engine, sequence, (tokens, first, n_there), n_step, row, progress)?;
    Ok(scores)
}

/// Computes the tokens that are not there, and hands out the logits after each from `first` on,
/// but for the last.
fn predict_from<E: Engine>(
    engine: &mut E,
    sequence: &mut E::Sequence,
    (tokens, first, n_there): (&[TokenId], usize, usize),
    n_step: usize,
    row: &mut Row<'_, E>,
    progress: &mut Progress<'_>,
) -> Result<(), BackendError> {
    // The last token predicts nothing that is asked for, so it is not computed.
    let n_inputs = tokens.len().saturating_sub(1);
    let first = first.min(n_inputs);
    let mut n_computed = n_there.min(first);
    for tokens in tokens[n_computed..first].chunks(n_step) {
        engine.forward(&mut [Item { sequence, tokens, wanted: Wanted::None }])?;
        n_computed += tokens.len();
        if progress(n_computed, n_inputs).is_break() {
            return Ok(());
        }
    }
    for start in (first..n_inputs).step_by(SCORE_CHUNK.min(n_step)) {
        let end = (start + SCORE_CHUNK.min(n_step)).min(n_inputs);
        engine.forward(&mut [Item {
            sequence,
            tokens: &tokens[start..end],
            wanted: Wanted::All,
        }])?;
        for i in start..end {
            if row(engine, i, engine.logits(i - start)).is_break() {
                return Ok(());
            }
        }
        if progress(end, n_inputs).is_break() {
            break;
        }
    }
    Ok(())
}

/// Whether greedy choice would take `token`: of the largest logits the first.
fn is_first_largest(logits: &[f32], token: TokenId) -> bool {
    let Some(&own) = logits.get(token as usize) else { return false };
    logits.iter().enumerate().all(|(i, x)| *x < own || (*x == own && i >= token as usize))
}
