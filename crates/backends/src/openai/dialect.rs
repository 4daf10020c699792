//! What a server takes beside OpenAI's own fields, and the bodies that are made of it. Which words a
//! server takes is found by `probe`.

use pacemark_backend::{GenerateRequest, TokenId};
use serde_json::{Map, Value, json};

/// A field that not every server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// `stream_options.include_usage`: counts at the end of a stream (OpenAI).
    Usage,
    /// `stream_options.continuous_usage_stats`: counts in every chunk (vLLM, SGLang).
    Counts,
    /// `ignore_eos` (vLLM, SGLang, llama-server, OpenVINO Model Server, ours).
    IgnoreEos,
    /// `min_tokens` (vLLM, SGLang, ours).
    MinTokens,
    /// `return_token_ids` (vLLM, ours).
    TokenIds,
    /// `return_tokens`, and `verbose`, which has them in a chunk (llama-server).
    Tokens,
    /// `cache_prompt: false` (llama-server, ours): the whole prompt is computed.
    NoCache,
    /// `cache_salt` (vLLM): nothing in the cache is of this prompt.
    Salt,
}

impl Word {
    pub(super) const ALL: [Word; 8] = [
        Word::Usage,
        Word::Counts,
        Word::IgnoreEos,
        Word::MinTokens,
        Word::TokenIds,
        Word::Tokens,
        Word::NoCache,
        Word::Salt,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Word::Usage => "stream_options.include_usage",
            Word::Counts => "stream_options.continuous_usage_stats",
            Word::IgnoreEos => "ignore_eos",
            Word::MinTokens => "min_tokens",
            Word::TokenIds => "return_token_ids",
            Word::Tokens => "return_tokens",
            Word::NoCache => "cache_prompt",
            Word::Salt => "cache_salt",
        }
    }

    /// Says it in a body of so many tokens.
    pub(super) fn say(self, body: &mut Map<String, Value>, n: usize) {
        match self {
            Word::Usage => set_option(body, "include_usage"),
            Word::Counts => {
                set_option(body, "include_usage");
                set_option(body, "continuous_usage_stats");
            }
            Word::IgnoreEos => _ = body.insert("ignore_eos".into(), true.into()),
            Word::MinTokens => _ = body.insert("min_tokens".into(), n.into()),
            Word::TokenIds => _ = body.insert("return_token_ids".into(), true.into()),
            Word::Tokens => {
                body.insert("return_tokens".into(), true.into());
                body.insert("verbose".into(), true.into());
            }
            Word::NoCache => _ = body.insert("cache_prompt".into(), false.into()),
            Word::Salt => _ = body.insert("cache_salt".into(), salt().into()),
        }
    }
}

fn set_option(body: &mut Map<String, Value>, name: &str) {
    let options = body.entry("stream_options").or_insert_with(|| json!({}));
    options[name] = true.into();
}

/// One that no request has had.
fn salt() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = pacemark_load::clock::now_ns();
    format!("pacemark-{}-{now}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a prompt is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptAs {
    /// Token ids.
    Ids,
    /// The text of them.
    Text,
}

/// How a server scores a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScoreBy {
    /// `echo` with `logprobs` and so many tokens at most.
    Echo { max_tokens: u64 },
    /// `prompt_logprobs` (vLLM).
    PromptLogprobs,
}

/// Whether a word is obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obeyed {
    Yes,
    No,
    /// The server gives no way to make it try.
    Unknown,
}

/// What a server takes.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub prompt: PromptAs,
    pub words: Vec<Word>,
    /// It tells ids of the tokens that it generates.
    pub gives_ids: bool,
    /// It tells log-probabilities of alternatives by id.
    pub logprobs: bool,
    pub score: Option<ScoreBy>,
    /// Of `ignore_eos` or `min_tokens`: the answer goes on where the model would end it.
    pub goes_on: Obeyed,
}

impl Dialect {
    pub(super) fn has(&self, word: Word) -> bool {
        self.words.contains(&word)
    }

    /// Every id is told, at the latest with the text that it is part of: a count may be ahead of them.
    pub(super) fn tells_all_ids(&self) -> bool {
        self.gives_ids && !self.has(Word::Tokens)
    }

    /// The words by which it goes on after an end, for people.
    pub(super) fn name(&self) -> String {
        let names: Vec<_> = [Word::IgnoreEos, Word::MinTokens]
            .into_iter()
            .filter(|word| self.has(*word))
            .map(Word::name)
            .collect();
        match self.goes_on {
            Obeyed::No => "ends where the model does".into(),
            Obeyed::Yes => names.join(", "),
            Obeyed::Unknown => format!("{}: sent, not proven", names.join(", ")),
        }
    }

    /// A request as it is sent. `prompt` is ids or text; of no tokens one is asked for.
    pub(super) fn body(&self, model: &str, prompt: Value, request: &GenerateRequest) -> String {
        let n = request.max_tokens.max(1);
        let mut body = Map::new();
        body.insert("model".into(), model.into());
        body.insert("prompt".into(), prompt);
        body.insert("max_tokens".into(), n.into());
        body.insert("stream".into(), true.into());
        sampling(&mut body, request);
        for word in &self.words {
            let wanted = match word {
                Word::IgnoreEos => request.ignore_eos,
                Word::MinTokens => request.ignore_eos || request.min_tokens > 0,
                Word::NoCache | Word::Salt => !request.reuse_prefix,
                _ => true,
            };
            let n = if request.ignore_eos { n } else { request.min_tokens.min(n) };
            if wanted {
                word.say(&mut body, n);
            }
        }
        if let Some(n) = request.top_logprobs.filter(|_| self.logprobs) {
            body.insert("logprobs".into(), n.into());
            body.insert("return_tokens_as_token_ids".into(), true.into());
        }
        Value::Object(body).to_string()
    }

    /// A request for the log-probabilities of a prompt.
    pub(super) fn score_body(by: ScoreBy, model: &str, tokens: &[TokenId]) -> String {
        let mut body =
            json!({ "model": model, "prompt": tokens, "temperature": 0, "stream": false });
        match by {
            ScoreBy::Echo { max_tokens } => {
                body["echo"] = true.into();
                body["logprobs"] = 1.into();
                body["max_tokens"] = max_tokens.into();
            }
            ScoreBy::PromptLogprobs => {
                body["prompt_logprobs"] = 1.into();
                body["max_tokens"] = 1.into();
            }
        }
        body.to_string()
    }
}

/// OpenAI's fields always, others only where they ask for something.
fn sampling(body: &mut Map<String, Value>, request: &GenerateRequest) {
    let s = &request.sampling;
    body.insert("temperature".into(), s.temperature.into());
    let mut set = |name: &str, asked: bool, value: Value| {
        if asked {
            body.insert(name.to_owned(), value);
        }
    };
    set("seed", s.temperature > 0.0, s.seed.min(i64::MAX as u64).into());
    set("top_p", s.top_p < 1.0, s.top_p.into());
    set("top_k", s.top_k > 0, s.top_k.into());
    set("min_p", s.min_p > 0.0, s.min_p.into());
    set("repetition_penalty", s.repetition_penalty != 1.0, s.repetition_penalty.into());
    set("presence_penalty", s.presence_penalty != 0.0, s.presence_penalty.into());
    set("frequency_penalty", s.frequency_penalty != 0.0, s.frequency_penalty.into());
    set("stop", !request.stop.is_empty(), json!(request.stop));
    set("stop_token_ids", !request.stop_tokens.is_empty(), json!(request.stop_tokens));
    let bias: Map<String, Value> =
        s.logit_bias.iter().map(|(id, bias)| (id.to_string(), (*bias).into())).collect();
    set("logit_bias", !bias.is_empty(), Value::Object(bias));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_say_what_was_asked_in_words_that_are_known() {
        let dialect = |words: &[Word]| Dialect {
            prompt: PromptAs::Ids,
            words: words.to_vec(),
            gives_ids: true,
            logprobs: true,
            score: None,
            goes_on: Obeyed::Yes,
        };
        let request = GenerateRequest { max_tokens: 7, ignore_eos: true, ..Default::default() };
        let body = |words: &[Word], request: &GenerateRequest| -> Value {
            serde_json::from_str(&dialect(words).body("m", json!([1, 2]), request)).unwrap()
        };
        let all = body(&Word::ALL, &request);
        assert_eq!((&all["min_tokens"], &all["ignore_eos"]), (&json!(7), &json!(true)));
        assert_eq!(all["stream_options"]["continuous_usage_stats"], json!(true));
        assert_ne!(all["cache_salt"], body(&Word::ALL, &request)["cache_salt"]);
        let none = body(&[], &request);
        assert!(none.get("ignore_eos").is_none() && none.get("stream_options").is_none());
        let ends = GenerateRequest { ignore_eos: false, reuse_prefix: true, ..request };
        let ends = body(&Word::ALL, &ends);
        assert!(ends.get("min_tokens").is_none() && ends.get("cache_prompt").is_none());
        let zero = GenerateRequest { top_logprobs: Some(3), ..GenerateRequest::default() };
        let zero = body(&[], &zero);
        assert_eq!((&zero["max_tokens"], &zero["logprobs"]), (&json!(1), &json!(3)));
    }
}
