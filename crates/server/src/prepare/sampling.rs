//! The fields that both completions share, checked and turned to the service's.

use super::{Context, MAX_ANSWERS, random_seed};
use crate::error::{ApiError, Result};
use pacemark_backend::{Constraint, GenerateRequest, Priority, SamplingParams};
use pacemark_openai_api::{ResponseFormat, Sampling, Stop};
use serde_json::Value;
use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;

/// Stop texts of a request at most, and bytes of each.
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 256;
/// Entries of `logit_bias` and of `stop_token_ids` at most.
const MAX_IDS: usize = 1024;
/// Bytes of a schema or an expression at most; compiling them is not linear.
const MAX_GRAMMAR_BYTES: usize = 64 << 10;
/// Alternatives told for each token at most.
pub const MAX_LOGPROBS: u64 = 20;

/// `value` if it lies in `range`; `default` if it was left out.
pub fn within<T: PartialOrd + Display + Debug + Copy>(
    field: &str,
    value: Option<T>,
    range: RangeInclusive<T>,
    default: T,
) -> Result<T> {
    match value {
        None => Ok(default),
        Some(value) if range.contains(&value) => Ok(value),
        Some(value) => {
            let message = format!("{field}: expected {} to {}, found {value}", range.start(), range.end());
            Err(ApiError::field(field, message).coded("invalid_value"))
        }
    }
}

/// A request without a prompt: everything but `max_tokens`, which depends on the prompt's length.
pub fn request(context: &Context<'_>, sampling: &Sampling) -> Result<GenerateRequest> {
    let top_k = within("top_k", sampling.top_k, -1..=i64::from(i32::MAX), 0)?;
    let repetition_penalty = within("repetition_penalty", sampling.repetition_penalty, 1e-3..=1e3, 1.0)?;
    let params = SamplingParams {
        temperature: within("temperature", sampling.temperature, 0.0..=2.0, 1.0)? as f32,
        top_k: usize::try_from(top_k).unwrap_or(0),
        top_p: within("top_p", sampling.top_p, 0.0..=1.0, 1.0)? as f32,
        min_p: within("min_p", sampling.min_p, 0.0..=1.0, 0.0)? as f32,
        repetition_penalty: repetition_penalty as f32,
        presence_penalty: within("presence_penalty", sampling.presence_penalty, -2.0..=2.0, 0.0)? as f32,
        frequency_penalty: within("frequency_penalty", sampling.frequency_penalty, -2.0..=2.0, 0.0)? as f32,
        logit_bias: logit_bias(context, sampling)?,
        seed: sampling.seed.map_or_else(random_seed, |seed| seed as u64),
    };
    Ok(GenerateRequest {
        sampling: params,
        ignore_eos: sampling.ignore_eos.unwrap_or(false),
        min_tokens: usize::try_from(sampling.min_tokens.unwrap_or(0)).unwrap_or(usize::MAX),
        stop: stops(sampling.stop.as_ref())?,
        stop_tokens: stop_tokens(context, sampling)?,
        constraint: constraint(sampling)?,
        priority: if sampling.priority.unwrap_or(0) > 0 { Priority::Batch } else { Priority::Interactive },
        reuse_prefix: true,
        ..GenerateRequest::default()
    })
}

/// How many answers.
pub fn answers(sampling: &Sampling) -> Result<usize> {
    within("n", sampling.n, 1..=MAX_ANSWERS as u64, 1).map(|n| n as usize)
}

/// Sets `max_tokens` of a request whose prompts have up to `n_prompt` tokens; `default` where `asked` is none, as far as
/// the context has room.
pub fn set_max_tokens(
    context: &Context<'_>,
    request: &mut GenerateRequest,
    n_prompt: usize,
    asked: Option<(&'static str, u64)>,
    default: usize,
) -> Result<()> {
    let n_ctx = context.info.n_ctx;
    let room = n_ctx.saturating_sub(n_prompt);
    request.max_tokens = match asked {
        None => default.min(room).min(context.options.max_tokens),
        Some((field, asked)) => {
            let limit = context.options.max_tokens.min(n_ctx);
            let asked = within(field, Some(asked), 1..=limit as u64, 0)? as usize;
            if asked > room {
                let message = format!(
                    "{field}: the prompt has {n_prompt} tokens and {asked} are to be generated, but the context holds {n_ctx}"
                );
                return Err(ApiError::field(field, message).coded("context_length_exceeded"));
            }
            asked
        }
    };
    if request.max_tokens == 0 {
        let message = format!("the prompt has {n_prompt} tokens and leaves no room in a context of {n_ctx}");
        return Err(ApiError::invalid(message).coded("context_length_exceeded"));
    }
    let min_tokens = request.min_tokens;
    if min_tokens > request.max_tokens {
        let message = format!("min_tokens: expected at most max_tokens ({}), found {min_tokens}", request.max_tokens);
        return Err(ApiError::field("min_tokens", message));
    }
    Ok(())
}

/// Refuses log-probabilities where the service has none.
pub fn check_logprobs(context: &Context<'_>, field: &str) -> Result<()> {
    if context.service.capabilities().logprobs {
        return Ok(());
    }
    Err(ApiError::unsupported(field, format!("{field}: this model tells no log-probabilities")))
}

/// Refuses a constraint that the service could not keep to, or more than one.
pub fn check_constraint(context: &Context<'_>, request: &GenerateRequest, field: &str) -> Result<()> {
    let grammar = match &request.constraint {
        None => return Ok(()),
        Some(Constraint::JsonObject) => "",
        Some(Constraint::JsonSchema(text) | Constraint::Regex(text)) => text,
    };
    if !context.service.capabilities().constraints {
        return Err(ApiError::unsupported(field, format!("{field}: this model's output cannot be constrained")));
    }
    if grammar.len() > MAX_GRAMMAR_BYTES {
        let message =
            format!("{field}: expected at most {MAX_GRAMMAR_BYTES} bytes of grammar, found {}", grammar.len());
        return Err(ApiError::field(field, message));
    }
    Ok(())
}

fn logit_bias(context: &Context<'_>, sampling: &Sampling) -> Result<Vec<(u32, f32)>> {
    let Some(given) = &sampling.logit_bias else { return Ok(Vec::new()) };
    check_ids("logit_bias", given.len())?;
    let n_vocab = context.info.vocab_size;
    given
        .iter()
        .map(|(key, bias)| {
            let id = key.parse().ok().filter(|id: &u32| (*id as usize) < n_vocab).ok_or_else(|| {
                let message = format!("logit_bias: expected token ids below {n_vocab} as keys, found {key:?}");
                ApiError::field("logit_bias", message)
            })?;
            Ok((id, within("logit_bias", Some(*bias), -100.0..=100.0, 0.0)? as f32))
        })
        .collect()
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
        let message = format!("stop: expected texts of 1 to {MAX_STOP_BYTES} bytes, found one of {}", stop.len());
        return Err(ApiError::field("stop", message));
    }
    Ok(stops.to_vec())
}

/// The form that the output is to have, whichever of its many names was used.
fn constraint(sampling: &Sampling) -> Result<Option<Constraint>> {
    let mut found: Vec<(&str, Constraint)> = Vec::new();
    match &sampling.response_format {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonObject) => found.push(("response_format", Constraint::JsonObject)),
        Some(ResponseFormat::JsonSchema { json_schema }) => {
            let schema = json_schema.schema.clone().unwrap_or(Value::Bool(true));
            found.push(("response_format", schema_constraint("response_format", &schema)?));
        }
    }
    let structured = sampling.structured_outputs.clone().unwrap_or_default();
    if let Some(name) = structured.extra.iter().find(|(_, value)| !value.is_null()).map(|(name, _)| name) {
        let field = format!("structured_outputs.{name}");
        return Err(ApiError::unsupported(&field, format!("{field}: this server does not support it")));
    }
    for (field, json) in [("guided_json", &sampling.guided_json), ("structured_outputs.json", &structured.json)] {
        if let Some(schema) = json {
            found.push((field, schema_constraint(field, schema)?));
        }
    }
    for (field, regex) in [("guided_regex", &sampling.guided_regex), ("structured_outputs.regex", &structured.regex)] {
        if let Some(regex) = regex {
            found.push((field, Constraint::Regex(regex.clone())));
        }
    }
    for (field, choice) in
        [("guided_choice", &sampling.guided_choice), ("structured_outputs.choice", &structured.choice)]
    {
        if let Some(choice) = choice {
            found.push((field, choice_constraint(field, choice)?));
        }
    }
    if structured.json_object == Some(true) {
        found.push(("structured_outputs.json_object", Constraint::JsonObject));
    }
    if let [(first, _), (second, _), ..] = &found[..] {
        let message = format!("{second}: the output's form is given by {first} already");
        return Err(ApiError::field(*second, message));
    }
    Ok(found.pop().map(|(_, constraint)| constraint))
}

fn schema_constraint(field: &str, schema: &Value) -> Result<Constraint> {
    match schema {
        Value::Object(_) | Value::Bool(_) => Ok(Constraint::JsonSchema(schema.to_string())),
        Value::String(text) if matches!(serde_json::from_str(text), Ok(Value::Object(_) | Value::Bool(_))) => {
            Ok(Constraint::JsonSchema(text.clone()))
        }
        _ => Err(ApiError::field(field, format!("{field}: expected a JSON schema, found something else"))),
    }
}

/// One of the texts, as an expression in which nothing of them is special.
fn choice_constraint(field: &str, choice: &[String]) -> Result<Constraint> {
    if choice.is_empty() {
        return Err(ApiError::field(field, format!("{field}: expected at least one text")));
    }
    let escaped = choice.iter().map(|text| {
        let special = |c: char| if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() };
        text.chars().map(special).collect::<String>()
    });
    Ok(Constraint::Regex(format!("({})", escaped.collect::<Vec<_>>().join("|"))))
}
