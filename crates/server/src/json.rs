//! Bodies to types and back: an error names the field, what was expected and what was found.

use crate::error::{ApiError, Result};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use pacemark_openai_api::Sampling;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

/// What a body that is JSON must be.
const NO_OBJECT: &str = "expected an object: {…}";

/// Reads a body, of which a mark that it is UTF-8 is no part.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body)
        .and_then(|value| object(body, value))
        .map_err(|error| explain::<T>(body, &error))
}

/// What was read of a body, unless that is a list: a type without names for its fields reads one too.
fn object<T>(body: &[u8], value: T) -> serde_json::Result<T> {
    match body.trim_ascii_start().first() {
        Some(b'[') => Err(serde::de::Error::custom(NO_OBJECT)),
        _ => Ok(value),
    }
}

/// What is wrong with a body, and where. Flattened parts lose their paths, so they are read once
/// more alone.
fn explain<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> ApiError {
    // Words are read so strictly that an array in the place of one counts as a mistake in the JSON
    // itself.
    let is_json = || serde_json::from_slice::<IgnoredAny>(body).is_ok();
    if error.classify() != Category::Data && !is_json() {
        return ApiError::invalid(format!("the body is not JSON: {error}")).coded("invalid_json");
    }
    if body.trim_ascii_start().first() != Some(&b'{') {
        return ApiError::invalid(format!("the body: {NO_OBJECT}"));
    }
    let located = located::<T>(body);
    let (path, message) = match located {
        Some((path, message)) if path != "." => (path, message),
        _ => located_in_sampling(body).unwrap_or_else(|| (".".into(), error.to_string())),
    };
    if path == "." {
        let message = without_place(&message);
        let missing =
            message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
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
    let error =
        serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(body))
            .err()?;
    Some((error.path().to_string(), error.inner().to_string()))
}

/// serde_json's message without line and column, which say little of a body that a program wrote.
fn without_place(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |end| &message[..end])
}

/// The status of a body that is too long.
pub(crate) fn too_large(limit: usize) -> ApiError {
    let message = format!("the body is longer than the {limit} bytes that this server takes");
    ApiError::with_status(StatusCode::PAYLOAD_TOO_LARGE, message).coded("request_too_large")
}

/// JSON with status 200.
pub fn answer<T: Serialize>(value: &T) -> Result<Response> {
    let body = serde_json::to_vec(value).map_err(|error| ApiError::fault(error.to_string()))?;
    Ok(typed("application/json", body))
}

/// A body of that type with status 200.
pub fn typed(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_openai_api::ChatRequest;

    #[test]
    fn errors_name_field_expected_and_found() {
        let error = |body: &str| parse::<ChatRequest>(body.as_bytes()).unwrap_err();
        for (body, param, message) in [
            (
                r#"{"messages": 3}"#,
                Some("messages"),
                "messages: invalid type: integer `3`, expected a sequence",
            ),
            (
                r#"{"messages": [], "temperature": "hot"}"#,
                Some("temperature"),
                "invalid type: string \"hot\", expected f64",
            ),
            (r#"{"messages": [{"role": 1}]}"#, Some("messages[0].role"), "expected a string"),
            (
                r#"{"messages": [], "max_tokens": -2}"#,
                Some("max_tokens"),
                "expected a count or -1, found -2",
            ),
            (r#"{"messages": [], "n": -1}"#, Some("n"), "integer `-1`, expected u64"),
            (r#"{}"#, Some("messages"), "missing field `messages`"),
            ("[]", None, "the body: expected an object"),
            ("3", None, "the body: expected an object"),
            ("{", None, "the body is not JSON"),
            (r#"{"messages": [], "temperature": NaN}"#, None, "the body is not JSON"),
        ] {
            let error = error(body);
            assert_eq!(error.status, StatusCode::BAD_REQUEST);
            assert_eq!(error.param.as_deref(), param, "{body}: {error:?}");
            assert!(error.message.contains(message), "{body}: {error:?}");
        }
    }
}
