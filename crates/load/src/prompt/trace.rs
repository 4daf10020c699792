//! A recorded load: when each request came, and its prompt or its lengths.

use super::{PromptError, json};
use crate::lengths::MAX_TOKENS;
use crate::numbers::whole;
use serde_json::Value;

/// A request of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    /// Since the trace's first request.
    pub at_ns: u64,
    /// Its prompt, where the trace holds one.
    pub prompt: Option<String>,
    /// Tokens of its prompt.
    pub input_tokens: Option<u64>,
    /// Tokens of its answer.
    pub output_tokens: Option<u64>,
}

/// A JSON object a line, or an array of them: `arrival_s` (seconds) or `timestamp` (milliseconds,
/// as in Mooncake's traces), `prompt` or `input_tokens` (`input_length`), `output_tokens`
/// (`output_length`). Requests are put in order of time.
pub fn trace(file: &str, text: &str) -> Result<Vec<Arrived>, PromptError> {
    let mut found = Vec::new();
    for (line, object) in objects(file, text)? {
        let wrong =
            |why: &str| PromptError::Line { file: file.to_owned(), line, why: why.to_owned() };
        let number = |key: &str| object.get(key).and_then(Value::as_f64);
        let ms = number("arrival_s").map(|s| s * 1e3).or_else(|| number("timestamp"));
        let ms = ms.ok_or_else(|| {
            wrong("expected arrival_s (seconds) or timestamp (milliseconds), a number")
        })?;
        if !(0.0..1e15).contains(&ms) {
            return Err(wrong(&format!(
                "arrival_s or timestamp: expected a time from 0 on, found {ms} ms"
            )));
        }
        let count = |names: [&'static str; 2]| -> Result<Option<u64>, PromptError> {
            let given = names
                .iter()
                .find_map(|name| Some((*name, object.get(name).filter(|v| !v.is_null())?)));
            let Some((name, value)) = given else { return Ok(None) };
            let count = whole(value).filter(|n| (1..=MAX_TOKENS).contains(n));
            count.map(Some).ok_or_else(|| wrong(&super::expected_count(name, value)))
        };
        let prompt = object.get("prompt").and_then(Value::as_str).map(str::to_owned);
        let input_tokens = count(["input_tokens", "input_length"])?;
        if prompt.is_none() && input_tokens.is_none() {
            return Err(wrong("expected a string prompt, or input_tokens (input_length)"));
        }
        let output_tokens = count(["output_tokens", "output_length"])?;
        found.push(Arrived { at_ns: (ms * 1e6) as u64, prompt, input_tokens, output_tokens });
    }
    found.sort_by_key(|arrived: &Arrived| arrived.at_ns);
    let Some(first) = found.first().map(|arrived| arrived.at_ns) else {
        return Err(PromptError::Nothing(file.to_owned()));
    };
    found.iter_mut().for_each(|arrived| arrived.at_ns -= first);
    Ok(found)
}

/// Each with its line, or its place in the array.
fn objects(file: &str, text: &str) -> Result<Vec<(usize, Value)>, PromptError> {
    if let Some(items) = json::array(file, text) {
        return Ok((1..).zip(items?).collect());
    }
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let object = |(line, text): (usize, &str)| {
        let wrong = |error: serde_json::Error| PromptError::Line {
            file: file.to_owned(),
            line,
            why: error.to_string(),
        };
        Ok((line, serde_json::from_str(text).map_err(wrong)?))
    };
    lines.map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_in_order_of_time() {
        let text = "{\"timestamp\": 3000, \"input_length\": 67, \"output_length\": 5, \"hash_ids\": [1]}\n\
            {\"arrival_s\": 1.5, \"prompt\": \"hi\"}\n";
        let found = trace("t", text).unwrap();
        assert_eq!(
            found[0],
            Arrived {
                at_ns: 0,
                prompt: Some("hi".into()),
                input_tokens: None,
                output_tokens: None
            }
        );
        assert_eq!(
            (found[1].at_ns, found[1].input_tokens, found[1].output_tokens),
            (1_500_000_000, Some(67), Some(5))
        );
        let array =
            "[{\"timestamp\": 0, \"input_length\": 67.0},\n {\"timestamp\": 9, \"prompt\": \"x\"}]";
        assert_eq!(
            trace("t", array).unwrap().iter().map(|one| one.input_tokens).collect::<Vec<_>>(),
            [Some(67), None]
        );
        for wrong in [
            "",
            "x",
            "{}",
            "{\"timestamp\":-1,\"prompt\":\"\"}",
            "{\"timestamp\":1}",
            "{\"timestamp\":1,\"input_tokens\":0}",
            "{\"timestamp\":1,\"prompt\":\"x\",\"output_tokens\":\"many\"}",
            "{\"arrival_s\":1e300,\"prompt\":\"x\"}",
        ] {
            assert!(trace("t", wrong).is_err(), "{wrong}");
        }
    }
}
