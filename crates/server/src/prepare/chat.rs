//! `/v1/chat/completions`: the conversation as the model's template takes it, and its tools.

use super::sampling::{self, MAX_LOGPROBS, within};
use super::tools::{self, Teller};
use super::{Context, Job, Wanted, fan_out};
use crate::error::{ApiError, Result};
use crate::fields::{Body, refuse_unsupported};
use crate::json::parse;
use pacemark_backend::{Chat, GenerateRequest};
use pacemark_openai_api::{ChatRequest, Content, ContentPart, Message, Tool};
use serde_json::{Map, Value, json};

const ROLES: &[&str] = &["system", "developer", "user", "assistant", "tool"];

/// Prepares a chat completion.
pub(crate) fn chat(context: &Context<'_>, body: &[u8]) -> Result<Job> {
    let mut request: ChatRequest = parse(body)?;
    context.check_model(request.model.as_deref())?;
    refuse_unsupported(Body::Chat, &request.extra)?;
    let mut model = sampling::request(context, &request.sampling)?;
    let choice = tools::choose(context, &request, &mut model)?;
    let logprobs = logprobs(context, &request, &mut model)?;
    let n = sampling::answers(&request.sampling)?;
    let mut extra = request.chat_template_kwargs.take().unwrap_or_default();
    if let Some(add) = request.add_generation_prompt {
        extra.insert("add_generation_prompt".into(), Value::Bool(add));
    }
    let tools =
        request.tools.as_deref().filter(|_| choice.shown).map(|tools| (tools, choice.teller));
    let text = conversation(context, std::mem::take(&mut request.messages), tools, extra)?;
    let tokenizer = context.text()?;
    let special = request.add_special_tokens == Some(true);
    let prompt = if special { tokenizer.encode(&text, true) } else { tokenizer.encode_chat(&text) };
    context.check_tokens("messages", &prompt, model.kv.as_deref())?;
    let asked = sampling::asked_tokens(&request.sampling);
    let taken = sampling::set_max_tokens(
        context,
        &mut model,
        ("messages", prompt.len()),
        asked,
        usize::MAX,
    )?;
    Ok(Job {
        requests: fan_out(vec![prompt], n, &model),
        n,
        stream: request.sampling.stream.unwrap_or(false),
        stream_options: request.sampling.stream_options.unwrap_or_default(),
        wanted: Wanted::of(&request.sampling, logprobs),
        taken,
        tools: choice.parsing,
        note: choice.teller.note(),
        prompt_text: context.options.log_prompts.then_some(text),
    })
}

/// Whether log-probabilities are told, and how many alternatives the model is asked for.
fn logprobs(
    context: &Context<'_>,
    request: &ChatRequest,
    model: &mut GenerateRequest,
) -> Result<bool> {
    let n_probs = request.sampling.n_probs.filter(|n| *n > 0);
    let (field, n_top) = match (request.top_logprobs, n_probs) {
        (None, Some(n)) => ("n_probs", Some(n)),
        (given, _) => ("top_logprobs", given),
    };
    let told = request.logprobs.unwrap_or(n_probs.is_some());
    if !told && n_top.is_some_and(|n| n > 0) {
        return Err(ApiError::field(
            field,
            format!("{field}: expected logprobs to be true with it"),
        ));
    }
    if told {
        sampling::check_logprobs(context, "logprobs")?;
        model.top_logprobs = Some(within(field, n_top, 0..=MAX_LOGPROBS, 0)? as usize);
    }
    Ok(told)
}

/// The prompt's text for a conversation.
pub(crate) fn conversation(
    context: &Context<'_>,
    messages: Vec<Message>,
    tools: Option<(&[Tool], Teller)>,
    extra: Map<String, Value>,
) -> Result<String> {
    if messages.is_empty() {
        return Err(ApiError::field("messages", "messages: expected at least one message"));
    }
    let messages = messages
        .into_iter()
        .enumerate()
        .map(|(i, message)| for_template(i, message))
        .collect::<Result<_>>()?;
    let tell_tools = tools.is_some_and(|(_, teller)| teller != Teller::Template);
    let tools = tools.filter(|(tools, _)| !tools.is_empty()).map(|(tools, _)| json!(tools));
    let text = context.text()?;
    text.render(&Chat { messages, tools, tell_tools, extra })
        .map_err(|error| ApiError::from(error).about("messages"))
}

/// A message as templates know it: text as one string. What else was sent with it is the template's
/// affair.
fn for_template(i: usize, message: Message) -> Result<Value> {
    let field = |name: &str| format!("messages[{i}].{name}");
    if !ROLES.contains(&message.role.as_str()) {
        let message =
            format!("{}: expected one of {ROLES:?}, found {:?}", field("role"), message.role);
        return Err(ApiError::field(field("role"), message));
    }
    // Templates know `system`; OpenAI renamed it.
    let role = if message.role == "developer" { "system" } else { &message.role };
    let mut object = json!({ "role": role });
    object["content"] = match message.content {
        None if role == "assistant" && message.tool_calls.is_some() => Value::Null,
        None => {
            let message = format!(
                "{}: expected a string or an array of parts, found nothing",
                field("content")
            );
            return Err(ApiError::field(field("content"), message));
        }
        Some(Content::Text(text)) => Value::String(text),
        Some(Content::Parts(parts)) => Value::String(joined(&field("content"), parts)?),
    };
    if let Some(calls) = message.tool_calls {
        object["tool_calls"] = json!(calls);
    }
    for (name, value) in [("name", message.name), ("tool_call_id", message.tool_call_id)] {
        if let Some(value) = value {
            object[name] = Value::String(value);
        }
    }
    for (name, value) in message.extra {
        object[name] = value;
    }
    Ok(object)
}

/// Parts of text as one, a line each.
fn joined(field: &str, parts: Vec<ContentPart>) -> Result<String> {
    let mut texts = Vec::with_capacity(parts.len());
    for (i, part) in parts.into_iter().enumerate() {
        match (part.kind.as_str(), part.text) {
            ("text", Some(text)) => texts.push(text),
            ("text", None) => {
                return Err(ApiError::field(
                    format!("{field}[{i}].text"),
                    format!("{field}[{i}].text: missing"),
                ));
            }
            (kind, _) => {
                let message =
                    format!("{field}[{i}].type: this model takes \"text\" only, found {kind:?}");
                return Err(ApiError::unsupported(format!("{field}[{i}].type"), message));
            }
        }
    }
    Ok(texts.join("\n"))
}
