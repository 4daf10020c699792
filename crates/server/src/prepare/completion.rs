//! `/v1/completions`: one prompt or many, as text or as token ids.

use super::sampling::{self, MAX_LOGPROBS, within};
use super::{Context, Job, MAX_ANSWERS, Wanted, fan_out};
use crate::error::{ApiError, Result};
use crate::fields::{Body, refuse_unsupported};
use crate::json::parse;
use pacemark_openai_api::{CompletionRequest, Prompt};

/// What OpenAI generates when nothing is said.
const DEFAULT_MAX_TOKENS: usize = 16;

/// Prepares a text completion.
pub(crate) fn completion(context: &Context<'_>, body: &[u8]) -> Result<Job> {
    let request: CompletionRequest = parse(body)?;
    context.check_model(request.model.as_deref())?;
    refuse_unsupported(Body::Completion, &request.extra)?;
    let mut model = sampling::request(context, &request.sampling)?;
    let n_probs = request.sampling.n_probs.filter(|n| *n > 0);
    let n_top = request.logprobs.map(|n| ("logprobs", n)).or(n_probs.map(|n| ("n_probs", n)));
    if let Some((field, n)) = n_top {
        sampling::check_logprobs(context, field)?;
        model.top_logprobs = Some(within(field, Some(n), 0..=MAX_LOGPROBS, 0)? as usize);
    }
    let n = sampling::answers(&request.sampling)?;
    let prompt_text = match &request.prompt {
        Prompt::Text(text) if context.options.log_prompts => Some(text.clone()),
        _ => None,
    };
    let special = request.add_special_tokens.unwrap_or(true);
    let prompts = context.tokens("prompt", request.prompt, special, model.kv.as_deref())?;
    if prompts.len() * n > MAX_ANSWERS {
        let message = format!(
            "n: expected at most {MAX_ANSWERS} answers in all, found {} prompts × {n}",
            prompts.len()
        );
        return Err(ApiError::field("n", message));
    }
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let asked = sampling::asked_tokens(&request.sampling);
    let taken = sampling::set_max_tokens(
        context,
        &mut model,
        ("prompt", longest),
        asked,
        DEFAULT_MAX_TOKENS,
    )?;
    Ok(Job {
        requests: fan_out(prompts, n, &model),
        n,
        stream: request.sampling.stream.unwrap_or(false),
        stream_options: request.sampling.stream_options.unwrap_or_default(),
        wanted: Wanted::of(&request.sampling, n_top.is_some()),
        taken,
        tools: None,
        note: None,
        prompt_text,
    })
}
