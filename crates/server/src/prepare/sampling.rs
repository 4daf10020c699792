//! The fields that both completions share, checked and turned to the service's.

use super::form;
use super::{Context, MAX_ANSWERS, random_seed};
use crate::error::{ApiError, Result};
use pacemark_backend::{GenerateRequest, Priority, SamplingParams};
use pacemark_openai_api::{Bias, LogitBias, Sampling, Stop};
use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;

/// Stop texts of a request at most, and bytes of each.
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 256;
/// Entries of `logit_bias` and of `stop_token_ids` at most.
const MAX_IDS: usize = 1024;
/// How far back llama-server's penalty looks where nothing is said.
const DEFAULT_LAST_N: i64 = 64;
/// A bias that no logit makes up for.
const NEVER: f32 = -1e9;
/// Alternatives told for each token at most.
pub(super) const MAX_LOGPROBS: u64 = 20;

/// `value` if it lies in `range`; `default` if it was left out.
pub(super) fn within<T: PartialOrd + Display + Debug + Copy>(
    field: &str,
    value: Option<T>,
    range: RangeInclusive<T>,
    default: T,
) -> Result<T> {
    match value {
        None => Ok(default),
        Some(value) if range.contains(&value) => Ok(value),
        Some(value) => {
            let message =
                format!("{field}: expected {} to {}, found {value}", range.start(), range.end());
            Err(ApiError::field(field, message).coded("invalid_value"))
        }
    }
}

/// A request without a prompt: everything but `max_tokens`, which depends on the prompt's length.
pub(super) fn request(context: &Context<'_>, sampling: &Sampling) -> Result<GenerateRequest> {
    let params = SamplingParams {
        temperature: within("temperature", sampling.temperature, 0.0..=2.0, 1.0)? as f32,
        top_k: usize::try_from(within("top_k", sampling.top_k, -1..=i64::from(i32::MAX), 0)?)
            .unwrap_or(0),
        top_p: within("top_p", sampling.top_p, 0.0..=1.0, 1.0)? as f32,
        min_p: within("min_p", sampling.min_p, 0.0..=1.0, 0.0)? as f32,
        typical_p: within("typical_p", sampling.typical_p, 0.0..=1.0, 1.0)? as f32,
        top_n_sigma: within("top_n_sigma", sampling.top_n_sigma, -1.0..=1e3, 0.0)?.max(0.0) as f32,
        xtc_probability: within("xtc_probability", sampling.xtc_probability, 0.0..=1.0, 0.0)?
            as f32,
        xtc_threshold: within("xtc_threshold", sampling.xtc_threshold, 0.0..=1.0, 0.1)? as f32,
        presence_penalty: within("presence_penalty", sampling.presence_penalty, -2.0..=2.0, 0.0)?
            as f32,
        frequency_penalty: within("frequency_penalty", sampling.frequency_penalty, -2.0..=2.0, 0.0)?
            as f32,
        logit_bias: logit_bias(context, sampling)?,
        seed: sampling.seed.filter(|seed| *seed != -1).map_or_else(random_seed, |seed| seed as u64),
        ..repetition(sampling)?
    };
    Ok(GenerateRequest {
        sampling: params,
        ignore_eos: sampling.ignore_eos.unwrap_or(false),
        min_tokens: usize::try_from(sampling.min_tokens.unwrap_or(0)).unwrap_or(usize::MAX),
        stop: stops(sampling.stop.as_ref())?,
        stop_tokens: stop_tokens(context, sampling)?,
        constraint: form::constraint(context, sampling)?,
        priority: if sampling.priority.unwrap_or(0) > 0 {
            Priority::Batch
        } else {
            Priority::Interactive
        },
        reuse_prefix: sampling.cache_prompt.unwrap_or(true),
        kv: sampling.kv.clone().or_else(|| context.options.kv.clone()),
        ..GenerateRequest::default()
    })
}

/// How many answers.
pub(super) fn answers(sampling: &Sampling) -> Result<usize> {
    within("n", sampling.n, 1..=MAX_ANSWERS as u64, 1).map(|n| n as usize)
}

/// Sets `max_tokens` of a request whose prompts, in `field`, have up to `n_prompt` tokens;
/// `default` where nothing is asked. More than the context has room for, or than the server gives,
/// is cut to that, which the text that is given says.
pub(super) fn set_max_tokens(
    context: &Context<'_>,
    request: &mut GenerateRequest,
    (field, n_prompt): (&str, usize),
    asked: Option<(&'static str, u64)>,
    default: usize,
) -> Result<Option<String>> {
    let n_ctx = context.info.n_ctx;
    let room = context.room(request.kv.as_deref(), n_prompt)?;
    if room == 0 {
        let found =
            format!("your {field} resulted in {n_prompt} tokens and leave no room for an answer");
        return Err(ApiError::too_long(n_ctx, &found, field).about(field));
    }
    let limit = room.min(context.options.answer_limit(n_ctx));
    let mut cut = None;
    request.max_tokens = match asked {
        None => default.min(limit),
        Some((field, asked)) => {
            let asked = within(field, Some(asked), 1..=u64::MAX, 0)?;
            let given = usize::try_from(asked).unwrap_or(usize::MAX).min(limit);
            let bound = if limit < room { "this server gives" } else { "the context has room for" };
            // As many as fit was asked for, and is what is given.
            cut = (given as u64 != asked && asked != u64::MAX)
                .then(|| format!("{field}: {asked} cut to the {given} that {bound}"));
            given
        }
    };
    let min_tokens = request.min_tokens;
    if min_tokens > request.max_tokens {
        let message = format!(
            "min_tokens: expected at most max_tokens ({}), found {min_tokens}",
            request.max_tokens
        );
        return Err(ApiError::field("min_tokens", message));
    }
    Ok(cut)
}

/// What is asked of the answer's length, whichever name it has.
pub(super) fn asked_tokens(sampling: &Sampling) -> Option<(&'static str, u64)> {
    let asked = sampling.max_completion_tokens.map(|n| ("max_completion_tokens", n));
    asked
        .or(sampling.max_tokens.map(|n| ("max_tokens", n)))
        .or(sampling.n_predict.map(|n| ("n_predict", n)))
}

/// Refuses log-probabilities where the service has none.
pub(super) fn check_logprobs(context: &Context<'_>, field: &str) -> Result<()> {
    if context.service.capabilities().logprobs {
        return Ok(());
    }
    Err(ApiError::unsupported(field, format!("{field}: this model tells no log-probabilities")))
}

/// The penalty of what was said already, which vLLM and llama-server call and bound differently.
fn repetition(sampling: &Sampling) -> Result<SamplingParams> {
    if let (Some(_), Some(_)) = (sampling.repetition_penalty, sampling.repeat_penalty) {
        let message = "repeat_penalty: the penalty is given by repetition_penalty already";
        return Err(ApiError::field("repeat_penalty", message));
    }
    let range = 1e-3..=1e3;
    let whole = within("repetition_penalty", sampling.repetition_penalty, range.clone(), 1.0)?;
    let recent = within("repeat_penalty", sampling.repeat_penalty, range, 1.0)?;
    let last_n =
        within("repeat_last_n", sampling.repeat_last_n, -1..=i64::from(i32::MAX), DEFAULT_LAST_N)?;
    let others = [sampling.presence_penalty, sampling.frequency_penalty]
        .iter()
        .any(|n| n.is_some_and(|n| n != 0.0));
    if sampling.repeat_last_n.is_some() && others {
        let message = "repeat_last_n: it bounds repeat_penalty alone here, not presence_penalty or frequency_penalty";
        return Err(ApiError::unsupported("repeat_last_n", message));
    }
    let window = if sampling.repeat_penalty.is_some() || sampling.repeat_last_n.is_some() {
        last_n
    } else {
        -1
    };
    let repetition_penalty = (whole * recent) as f32;
    Ok(SamplingParams {
        repetition_penalty,
        repetition_window: usize::try_from(window).ok(),
        ..SamplingParams::default()
    })
}

fn logit_bias(context: &Context<'_>, sampling: &Sampling) -> Result<Vec<(u32, f32)>> {
    let n_vocab = context.info.vocab_size;
    let known = |id: Option<u32>, found: &dyn Debug| {
        id.filter(|id| (*id as usize) < n_vocab).ok_or_else(|| {
            let message =
                format!("logit_bias: expected token ids below {n_vocab} as keys, found {found:?}");
            ApiError::field("logit_bias", message)
        })
    };
    let number =
        |bias: f64| within("logit_bias", Some(bias), -100.0..=100.0, 0.0).map(|bias| bias as f32);
    match &sampling.logit_bias {
        None => Ok(Vec::new()),
        Some(LogitBias::ByToken(given)) => {
            check_ids("logit_bias", given.len())?;
            given
                .iter()
                .map(|(key, bias)| Ok((known(key.parse().ok(), key)?, number(*bias)?)))
                .collect()
        }
        Some(LogitBias::Pairs(given)) => {
            check_ids("logit_bias", given.len())?;
            let pair = |(id, bias): &(u32, Bias)| match bias {
                Bias::Number(bias) => Ok((known(Some(*id), id)?, number(*bias)?)),
                Bias::Allowed(false) => Ok((known(Some(*id), id)?, NEVER)),
                Bias::Allowed(true) => {
                    let message = "logit_bias: expected a number, or false for a token that must not come, found true";
                    Err(ApiError::field("logit_bias", message))
                }
            };
            given.iter().map(pair).collect()
        }
    }
}

fn stop_tokens(context: &Context<'_>, sampling: &Sampling) -> Result<Vec<u32>> {
    let ids = sampling.stop_token_ids.clone().unwrap_or_default();
    check_ids("stop_token_ids", ids.len())?;
    let n_vocab = context.info.vocab_size;
    match ids.iter().find(|id| **id as usize >= n_vocab) {
        Some(id) => {
            let message = format!("stop_token_ids: expected token ids below {n_vocab}, found {id}");
            Err(ApiError::field("stop_token_ids", message))
        }
        None => Ok(ids),
    }
}

fn check_ids(field: &str, n: usize) -> Result<()> {
    if n <= MAX_IDS {
        return Ok(());
    }
    Err(ApiError::field(field, format!("{field}: expected at most {MAX_IDS} entries, found {n}")))
}

fn stops(stop: Option<&Stop>) -> Result<Vec<String>> {
    let stops = stop.map_or(&[][..], Stop::as_slice);
    if stops.len() > MAX_STOPS {
        let message = format!("stop: expected at most {MAX_STOPS} texts, found {}", stops.len());
        return Err(ApiError::field("stop", message));
    }
    if let Some(stop) = stops.iter().find(|stop| stop.is_empty() || stop.len() > MAX_STOP_BYTES) {
        let message = format!(
            "stop: expected texts of 1 to {MAX_STOP_BYTES} bytes, found one of {}",
            stop.len()
        );
        return Err(ApiError::field("stop", message));
    }
    Ok(stops.to_vec())
}
