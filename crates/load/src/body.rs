//! Bodies of requests.

use crate::prompt::Prompt;
use serde_json::{Map, Value, json};
use std::str::FromStr;

/// Where requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
}

impl Endpoint {
    /// Its path under the API's root.
    pub fn path(self) -> &'static str {
        match self {
            Endpoint::Chat => "/chat/completions",
            Endpoint::Completions => "/completions",
        }
    }

    /// Its name on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Endpoint::Chat => "chat",
            Endpoint::Completions => "completions",
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Endpoint, String> {
        let mut all = [Endpoint::Chat, Endpoint::Completions].into_iter();
        // Other tools are told the path.
        let path = text.strip_prefix("/v1").unwrap_or(text);
        let found = all.find(|endpoint| endpoint.name() == text || endpoint.path() == path);
        found.ok_or_else(|| "expected chat or completions, or the path of one".to_owned())
    }
}

/// What all bodies have in common.
#[derive(Clone, Debug)]
pub(crate) struct BodyMaker {
    pub endpoint: Endpoint,
    pub model: String,
    pub stream: bool,
    /// Fields that are added or, where null, left out.
    pub extra: Map<String, Value>,
}

impl BodyMaker {
    /// The body for a prompt after what was said before it. `history` is messages of a chat, or
    /// text of a completion.
    pub(crate) fn body(
        &self,
        history: &[(&'static str, String)],
        prompt: &Prompt,
        output: Option<u64>,
    ) -> String {
        let mut body = Map::new();
        body.insert("model".into(), self.model.as_str().into());
        match (self.endpoint, prompt) {
            (Endpoint::Chat, Prompt::Text(text)) => {
                let message =
                    |role: &str, content: &str| json!({ "role": role, "content": content });
                let mut messages: Vec<Value> =
                    history.iter().map(|(role, text)| message(role, text)).collect();
                messages.push(message("user", text));
                body.insert("messages".into(), messages.into());
            }
            (Endpoint::Completions, Prompt::Text(text)) => {
                let before: String = history.iter().map(|(_, text)| text.as_str()).collect();
                body.insert("prompt".into(), (before + text).into());
            }
            // Refused before a load begins for a chat; a server refuses it too.
            (_, Prompt::Ids(ids)) => {
                body.insert("prompt".into(), ids.as_slice().into());
            }
        }
        body.insert("temperature".into(), 0.into());
        if let Some(n) = output {
            body.insert("max_tokens".into(), n.into());
            // vLLM's, SGLang's and llama-server's words for an answer of exactly that length.
            body.insert("min_tokens".into(), n.into());
            body.insert("ignore_eos".into(), true.into());
        }
        if self.stream {
            body.insert("stream".into(), true.into());
            body.insert("stream_options".into(), json!({ "include_usage": true }));
        }
        for (name, value) in &self.extra {
            if value.is_null() {
                body.remove(name);
            } else {
                body.insert(name.clone(), value.clone());
            }
        }
        Value::Object(body).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        assert_eq!("chat".parse(), Ok(Endpoint::Chat));
        assert_eq!("/v1/completions".parse(), Ok(Endpoint::Completions));
        assert!("/v1/embeddings".parse::<Endpoint>().is_err());
    }

    #[test]
    fn of_each_endpoint() {
        let extra = json!({ "ignore_eos": null, "top_k": 5 }).as_object().unwrap().clone();
        let mut maker =
            BodyMaker { endpoint: Endpoint::Chat, model: "m".into(), stream: true, extra };
        let history = [("user", "a".to_owned()), ("assistant", "b".to_owned())];
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let body = read(maker.body(&history, &Prompt::Text("c\"".into()), Some(7)));
        assert_eq!(body["messages"][2], json!({ "role": "user", "content": "c\"" }));
        assert_eq!(
            (&body["messages"][1]["role"], &body["min_tokens"]),
            (&json!("assistant"), &json!(7))
        );
        assert_eq!((body.get("ignore_eos"), &body["top_k"]), (None, &json!(5)));
        assert_eq!(body["stream_options"]["include_usage"], json!(true));
        maker.endpoint = Endpoint::Completions;
        maker.stream = false;
        let body = read(maker.body(&history, &Prompt::Text("c".into()), None));
        assert_eq!(
            (&body["prompt"], body.get("stream"), body.get("max_tokens")),
            (&json!("abc"), None, None)
        );
        assert_eq!(read(maker.body(&[], &Prompt::Ids(vec![1, 2]), None))["prompt"], json!([1, 2]));
    }
}
