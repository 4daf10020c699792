//! What went wrong with a server, in words that say what to do. A key is never among them.

use pacemark_backend::BackendError;
use pacemark_load::Whole;
use pacemark_record::{Failure, FailureKind};
use serde_json::Value;

/// Characters of a body that an error repeats.
const SHOWN_CHARS: usize = 200;

/// A body's beginning, on one line.
pub(super) fn excerpt_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN_CHARS)]);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SHOWN_CHARS).collect()
}

/// The message of an error object, else all of it.
pub(super) fn message(error: &Value) -> String {
    let text = ["message", "detail", "error"].iter().find_map(|name| error.get(name));
    let text = text.unwrap_or(error);
    let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
    excerpt_of(text.as_bytes())
}

/// What the body of a refusal says.
fn said(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => message(value.get("error").filter(|e| e.is_object()).unwrap_or(&value)),
        Err(_) => excerpt_of(bytes),
    }
}

/// No answer, or the end of one that was not whole.
pub(super) fn failure(url: &str, failure: &Failure) -> String {
    let advice = match failure.kind {
        FailureKind::Refused => ": is the server running, and at this port?",
        FailureKind::Garbage => ": it does not speak HTTP",
        _ => "",
    };
    format!("{url}: {}: {}{advice}", failure.kind.name(), failure.message)
}

/// A status that is no success. `key` says whether one was sent, and is taken out of what a server
/// repeats.
pub(super) fn refusal(url: &str, whole: &Whole, key: Option<&str>) -> BackendError {
    let Whole { status, headers, bytes } = whole;
    let mut said = said(bytes);
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        said = said.replace(key, "…");
    }
    let looks_like_a_page = said.starts_with('<');
    let text = match status {
        300..=399 => {
            let to = headers.iter().find(|(name, _)| name == "location");
            let to = to.map_or("nowhere", |(_, to)| to.as_str());
            format!("{status}: it points to {to}; that is not followed, give that address")
        }
        401 | 403 if key.is_some() => {
            format!("{status}: the server does not take the API key (--api-key): {said}")
        }
        401 | 403 => format!("{status}: the server wants an API key (--api-key): {said}"),
        404 | 405 if looks_like_a_page || said.is_empty() => {
            format!("{status}: no OpenAI-compatible server is there: {said}")
        }
        _ => format!("{status}: {said}"),
    };
    let text = format!("{url}: {text}");
    match status {
        400 | 413 | 422 => BackendError::InvalidRequest(text),
        429 => BackendError::Full(text),
        _ => BackendError::Engine(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str, key: Option<&str>) -> String {
        let headers = vec![("location".to_owned(), "https://other/".to_owned())];
        let whole = Whole { status, headers, bytes: body.as_bytes().to_vec() };
        refusal("http://h/v1", &whole, key).to_string()
    }

    #[test]
    fn each_status_says_what_to_do_and_no_key_is_repeated() {
        let wrong = told(401, r#"{"error":{"message":"bad key sk-secret"}}"#, Some("sk-secret"));
        assert!(
            wrong.contains("does not take the API key") && !wrong.contains("sk-secret"),
            "{wrong}"
        );
        assert!(told(401, "", None).contains("wants an API key"));
        assert!(told(302, "", None).contains("points to https://other/"));
        assert!(told(404, "<html><body>x", None).contains("no OpenAI-compatible server"));
        assert!(told(500, r#"{"detail":"boom"}"#, None).ends_with("500: boom"));
        assert!(told(503, r#"{"error":"loading"}"#, None).ends_with("503: loading"));
    }
}
