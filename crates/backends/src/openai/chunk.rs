//! What a chunk of a completion says, in the words of all servers that are known. Read as any JSON:
//! it arrived, and was stamped, before.

use pacemark_backend::TokenId;
use serde_json::Value;

/// A chunk of a stream, or a whole answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Chunk {
    pub text: String,
    /// Ids of its tokens, where they are told.
    pub ids: Option<Vec<TokenId>>,
    /// Log-probabilities of its tokens, where they are told.
    pub logprobs: Vec<Logprob>,
    /// Why the output ended, where it did.
    pub finish: Option<String>,
    pub usage: Usage,
}

/// Counts as far as a server tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub prompt: Option<u64>,
    pub output: Option<u64>,
    pub cached: Option<u64>,
}

impl Usage {
    /// What is told later counts.
    pub(super) fn update(&mut self, later: Usage) {
        self.prompt = later.prompt.or(self.prompt);
        self.output = later.output.or(self.output);
        self.cached = later.cached.or(self.cached);
    }
}

/// Of one token.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Logprob {
    pub logprob: f32,
    /// The most likely tokens, most likely first; none where one of them has no id.
    pub top: Vec<(TokenId, f32)>,
}

/// Reads a chunk; an error of the server's, or that it is none, in words.
pub(super) fn read(data: &[u8]) -> Result<Chunk, String> {
    let shown = || super::words::excerpt_of(data);
    let value: Value = serde_json::from_slice(data)
        .map_err(|error| format!("expected JSON of a completion ({error}), found: {}", shown()))?;
    if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
        return Err(format!("the server reports an error: {}", super::words::message(error)));
    }
    if value.get("choices").is_none() && value.get("usage").is_none() {
        return Err(format!("expected choices or usage, found: {}", shown()));
    }
    let count = |path: &str| value.pointer(path).and_then(Value::as_u64);
    let usage = Usage {
        prompt: count("/usage/prompt_tokens"),
        // The second is llama-server's, of the tokens so far.
        output: count("/usage/completion_tokens").or(count("/__verbose/tokens_predicted")),
        cached: count("/usage/prompt_tokens_details/cached_tokens"),
    };
    let Some(choice) = value.pointer("/choices/0") else {
        return Ok(Chunk { usage, ..Chunk::default() });
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let finish = choice.get("finish_reason").and_then(text).filter(|reason| !reason.is_empty());
    let ids = choice.get("token_ids").or(value.pointer("/__verbose/tokens"));
    Ok(Chunk {
        text: choice.get("text").and_then(text).unwrap_or_default(),
        ids: ids.and_then(Value::as_array).and_then(|ids| ids.iter().map(id).collect()),
        logprobs: choice.get("logprobs").map(logprobs).unwrap_or_default(),
        finish,
        usage,
    })
}

fn id(value: &Value) -> Option<TokenId> {
    TokenId::try_from(value.as_u64()?).ok()
}

/// The two shapes: OpenAI's arrays, whose tokens may be named `token_id:N` (vLLM), and llama-server's
/// list of objects with ids.
fn logprobs(of: &Value) -> Vec<Logprob> {
    let as_f32 = |value: &Value| value.as_f64().map(|value| value as f32);
    if let Some(content) = of.get("content").and_then(Value::as_array) {
        let alternative =
            |entry: &Value| Some((id(entry.get("id")?)?, as_f32(entry.get("logprob")?)?));
        let token = |entry: &Value| {
            let top = entry.get("top_logprobs").and_then(Value::as_array);
            let top = top.and_then(|top| top.iter().map(alternative).collect());
            Some(Logprob { logprob: as_f32(entry.get("logprob")?)?, top: ordered(top) })
        };
        return content.iter().map_while(token).collect();
    }
    let Some(own) = of.get("token_logprobs").and_then(Value::as_array) else { return Vec::new() };
    let named = |(name, value): (&String, &Value)| {
        Some((name.strip_prefix("token_id:")?.parse().ok()?, as_f32(value)?))
    };
    let top = |i: usize| {
        let top = of.get("top_logprobs")?.get(i)?.as_object()?;
        top.iter().map(named).collect()
    };
    let token =
        |(i, own): (usize, &Value)| Some(Logprob { logprob: as_f32(own)?, top: ordered(top(i)) });
    own.iter().enumerate().map_while(token).collect()
}

fn ordered(top: Option<Vec<(TokenId, f32)>>) -> Vec<(TokenId, f32)> {
    let mut top = top.unwrap_or_default();
    top.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_servers_words_are_read() {
        let vllm = br#"{"choices":[{"text":" a","token_ids":[5],"logprobs":{"tokens":["token_id:5"],
            "token_logprobs":[-0.5],"top_logprobs":[{"token_id:7":-1.5,"token_id:5":-0.5}]},"finish_reason":null}],
            "usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
        let chunk = read(vllm).unwrap();
        assert_eq!((chunk.text.as_str(), &chunk.ids, &chunk.finish), (" a", &Some(vec![5]), &None));
        let token = Logprob { logprob: -0.5, top: vec![(5, -0.5), (7, -1.5)] };
        assert_eq!(chunk.logprobs, [token]);
        assert_eq!((chunk.usage.prompt, chunk.usage.output), (Some(3), Some(1)));
        let llama = br#"{"choices":[{"text":"b","logprobs":{"content":[{"id":9,"logprob":-0.25,
            "top_logprobs":[{"id":9,"logprob":-0.25}]}]},"finish_reason":"length"}],"__verbose":{"tokens":[9],"tokens_predicted":4}}"#;
        let chunk = read(llama).unwrap();
        assert_eq!((chunk.ids, chunk.finish.as_deref()), (Some(vec![9]), Some("length")));
        assert_eq!((&chunk.logprobs[0].top[..], chunk.usage.output), (&[(9, -0.25)][..], Some(4)));
        // Alternatives without ids are none.
        let plain = br#"{"choices":[{"text":"b","logprobs":{"token_logprobs":[-1.0],"top_logprobs":[{"b":-1.0}]}}]}"#;
        assert_eq!(read(plain).unwrap().logprobs, [Logprob { logprob: -1.0, top: vec![] }]);
    }

    #[test]
    fn what_is_no_chunk_is_told() {
        for (data, said) in [
            (&b"<html>"[..], "expected JSON of a completion"),
            (br#"{"error":{"message":"out of memory"}}"#, "out of memory"),
            (br#"{"hello":1}"#, "expected choices or usage"),
        ] {
            assert!(read(data).unwrap_err().contains(said));
        }
    }
}
