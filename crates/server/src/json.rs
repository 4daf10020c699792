//! Bodies to types: an error names the field, what was expected and what was found.

use crate::error::{ApiError, Result};
use axum::http::StatusCode;
use pacemark_openai_api::Sampling;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value, error::Category};

/// Fields that OpenAI's or vLLM's servers know, this one does not, and that change an answer: beside each the values that
/// ask for nothing. A request with another value is refused, since an answer that ignores it would be wrong.
const UNSUPPORTED: &[(&str, &[&str])] = &[
    ("add_special_tokens", &["false"]),
    ("allowed_token_ids", &["[]"]),
    ("audio", &[]),
    ("bad_words", &["[]"]),
    ("best_of", &["1"]),
    ("chat_template", &[]),
    ("continue_final_message", &["false"]),
    ("dimensions", &[]),
    ("documents", &["[]"]),
    ("echo", &["false"]),
    ("function_call", &["\"none\""]),
    ("functions", &["[]"]),
    ("grammar", &["\"\""]),
    ("guided_grammar", &[]),
    ("guided_whitespace_pattern", &[]),
    ("include_stop_str_in_output", &["false"]),
    ("kv_transfer_params", &[]),
    ("length_penalty", &["1", "1.0"]),
    ("logits_processors", &["[]"]),
    ("mirostat", &["0"]),
    ("modalities", &["[\"text\"]"]),
    ("prediction", &[]),
    ("prompt_embeds", &[]),
    ("prompt_logprobs", &[]),
    ("reasoning_effort", &[]),
    ("return_token_ids", &["false"]),
    ("return_tokens_as_token_ids", &["false"]),
    ("service_tier", &["\"auto\"", "\"default\""]),
    ("skip_special_tokens", &["true"]),
    ("spaces_between_special_tokens", &["true"]),
    ("store", &["false"]),
    ("structural_tag", &[]),
    ("suffix", &["\"\""]),
    ("truncate_prompt_tokens", &[]),
    ("typical_p", &["1", "1.0"]),
    ("use_beam_search", &["false"]),
    ("verbosity", &["\"medium\""]),
    ("web_search_options", &[]),
];

/// Refuses what [`UNSUPPORTED`] names.
pub fn refuse_unsupported(extra: &Map<String, Value>) -> Result<()> {
    for (name, harmless) in UNSUPPORTED {
        if let Some(value) = extra.get(*name)
            && !value.is_null()
            && !harmless.iter().any(|text| serde_json::from_str::<Value>(text).is_ok_and(|harmless| harmless == *value))
        {
            return Err(ApiError::unsupported(*name, format!("{name}: this server does not support it")));
        }
    }
    Ok(())
}

/// Reads a body.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| explain::<T>(body, &error))
}

/// What is wrong with a body, and where. Flattened parts lose their paths, so they are read once more alone.
fn explain<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> ApiError {
    // Words are read so strictly that an array in the place of one counts as a mistake in the JSON itself.
    let is_json = || serde_json::from_slice::<IgnoredAny>(body).is_ok();
    if error.classify() != Category::Data && !is_json() {
        return ApiError::invalid(format!("the body is not JSON: {error}")).coded("invalid_json");
    }
    let located = located::<T>(body);
    let (path, message) = match located {
        Some((path, message)) if path != "." => (path, message),
        _ => located_in_sampling(body).unwrap_or_else(|| (".".into(), error.to_string())),
    };
    if path == "." {
        let message = without_place(&message);
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        let error = ApiError::invalid(format!("the body: {message}"));
        return match missing {
            Some(field) => error.about(field).coded("missing_required_parameter"),
            None => error,
        };
    }
    let message = format!("{path}: {}", without_place(&message));
    ApiError::field(path, message).coded("invalid_type")
}

fn located_in_sampling(body: &[u8]) -> Option<(String, String)> {
    located::<Sampling>(body).filter(|(path, _)| path != ".")
}

fn located<T: DeserializeOwned>(body: &[u8]) -> Option<(String, String)> {
    let error = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(body)).err()?;
    Some((error.path().to_string(), error.inner().to_string()))
}

/// serde_json's message without line and column, which say little of a body that a program wrote.
fn without_place(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |end| &message[..end])
}

/// The status of a body that is too long.
pub fn too_large(limit: usize) -> ApiError {
    let message = format!("the body is longer than the {limit} bytes that this server takes");
    ApiError::with_status(StatusCode::PAYLOAD_TOO_LARGE, message).coded("request_too_large")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_openai_api::ChatRequest;

    #[test]
    fn errors_name_field_expected_and_found() {
        let error = |body: &str| parse::<ChatRequest>(body.as_bytes()).unwrap_err();
        for (body, param, message) in [
            (r#"{"messages": 3}"#, Some("messages"), "messages: invalid type: integer `3`, expected a sequence"),
            (
                r#"{"messages": [], "temperature": "hot"}"#,
                Some("temperature"),
                "invalid type: string \"hot\", expected f64",
            ),
            (r#"{"messages": [{"role": 1}]}"#, Some("messages[0].role"), "expected a string"),
            (r#"{"messages": [], "max_tokens": -1}"#, Some("max_tokens"), "integer `-1`, expected u64"),
            (r#"{}"#, Some("messages"), "missing field `messages`"),
            ("[]", None, "the body:"),
            ("{", None, "the body is not JSON"),
            (r#"{"messages": [], "temperature": NaN}"#, None, "the body is not JSON"),
        ] {
            let error = error(body);
            assert_eq!(error.status, StatusCode::BAD_REQUEST);
            assert_eq!(error.param.as_deref(), param, "{body}: {error:?}");
            assert!(error.message.contains(message), "{body}: {error:?}");
        }
    }

    #[test]
    fn every_unsupported_field_is_refused_unless_it_asks_for_nothing() {
        for (name, harmless) in UNSUPPORTED {
            let with = |value: Value| Map::from_iter([(name.to_string(), value)]);
            let error = refuse_unsupported(&with(serde_json::json!({"a": 1}))).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(*name));
            refuse_unsupported(&with(Value::Null)).unwrap();
            for text in *harmless {
                refuse_unsupported(&with(serde_json::from_str(text).unwrap())).unwrap();
            }
        }
    }
}
