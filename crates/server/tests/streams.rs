//! Streams: the order of chunks, one event for each token, what ends them.

mod common;

use common::{Answer, Server, TAGGED, completion, instant, options};
use pacemark_backend::{BackendError, MockOptions};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::Duration;

const HI: &str = r#""stream": true, "messages": [{"role": "user", "content": "Hi"}]"#;

fn chat(server: &Server, more: &str) -> Answer {
    let answer = server.post("/v1/chat/completions", &format!("{{{HI}{more}}}"));
    assert_eq!(answer.status, 200, "{:?}", String::from_utf8_lossy(&answer.body));
    assert!(answer.head.contains("text/event-stream"));
    answer
}

fn answering(answer: &str) -> Server {
    let template = Some(TAGGED.to_string());
    Server::new(
        MockOptions { answer: Some(answer.into()), constraints: true, template, ..instant() },
        options(),
    )
}

#[test]
fn chunks_come_in_openais_order() {
    let server = Server::new(instant(), options());
    let chunks =
        chat(&server, r#", "max_tokens": 3, "stream_options": {"include_usage": true}"#).chunks();
    let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    assert_eq!(deltas[0], &json!({"role": "assistant", "content": ""}));
    assert!(deltas[1..4].iter().all(|delta| delta["content"].as_str().unwrap().starts_with(' ')));
    assert_eq!(
        (deltas[4], &chunks[4]["choices"][0]["finish_reason"]),
        (&json!({}), &json!("length"))
    );
    assert_eq!(chunks[5]["choices"], json!([]));
    assert_eq!(chunks[5]["usage"]["completion_tokens"], 3);
    assert_eq!(chunks.len(), 6);
    for chunk in &chunks {
        assert_eq!(
            (&chunk["id"], &chunk["object"]),
            (&chunks[0]["id"], &json!("chat.completion.chunk"))
        );
        assert!(chunk["created"].is_u64() && chunk["model"] == "m");
    }
    assert!(
        chunks[..5].iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some())
    );
    let without = chat(&server, r#", "max_tokens": 1"#).chunks();
    assert!(without.iter().all(|chunk| chunk.get("usage").is_none()), "nobody asked for it");
}

#[test]
fn text_completions_and_counts_in_each_chunk() {
    let server = Server::new(instant(), options());
    let body = r#"{"prompt": "ab", "max_tokens": 2, "seed": 0, "stream": true,
                   "stream_options": {"include_usage": true, "continuous_usage_stats": true}}"#;
    let chunks = server.post("/v1/completions", body).chunks();
    let counts: Vec<&Value> =
        chunks.iter().map(|chunk| &chunk["usage"]["completion_tokens"]).collect();
    assert_eq!(counts, [1, 2, 2, 2]);
    assert_eq!(
        chunks[0]["choices"][0],
        json!({"index": 0, "text": " that", "logprobs": null, "finish_reason": null})
    );
    assert_eq!(
        chunks[2]["choices"][0],
        json!({"index": 0, "text": "", "logprobs": null, "finish_reason": "length"})
    );
}

#[test]
fn a_token_is_an_event_even_without_text() {
    // The euro sign is three tokens of the mock's, of which two have no text yet.
    let server = answering("a€");
    let chunks = chat(&server, r#", "max_tokens": 4, "ignore_eos": true"#).chunks();
    let texts: Vec<&str> = chunks[1..5]
        .iter()
        .map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["a", "", "", "€"]);
    // A text that was held back for a stop that did not come is the last token's, and no event of
    // its own.
    let chunks = chat(&server, r#", "max_tokens": 1, "stop": "ab""#).chunks();
    let texts: Vec<&Value> =
        chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]["content"]).collect();
    assert_eq!(texts, [&json!(""), &json!("a"), &Value::Null]);
    // Nor is a character that is left incomplete.
    let chunks = chat(&server, r#", "max_tokens": 2"#).chunks();
    let texts: Vec<&Value> =
        chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]["content"]).collect();
    assert_eq!(texts, [&json!(""), &json!("a"), &json!("\u{fffd}"), &Value::Null]);
}

#[test]
fn several_answers_share_a_stream() {
    let server = Server::new(instant(), options());
    let chunks =
        chat(&server, r#", "max_tokens": 4, "n": 3, "stream_options": {"include_usage": true}"#)
            .chunks();
    for i in 0..3 {
        let own: Vec<&Value> = chunks
            .iter()
            .filter_map(|chunk| chunk["choices"].get(0))
            .filter(|choice| choice["index"] == i)
            .collect();
        assert_eq!(own.len(), 6, "role, four tokens, the end");
        assert_eq!(
            (&own[0]["delta"]["role"], &own[5]["finish_reason"]),
            (&json!("assistant"), &json!("length"))
        );
    }
    assert_eq!(chunks.last().unwrap()["usage"]["completion_tokens"], 12);
}

#[test]
fn tools_are_called_in_parts() {
    let server = answering(
        "Sure. <tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1, \"}\"]}}\n</tool_call>",
    );
    let tools = r#", "tools": [{"type": "function", "function": {"name": "f"}}]"#;
    let chunks = chat(&server, tools).chunks();
    let mut content = String::new();
    let mut arguments = String::new();
    let mut begun = 0;
    for delta in chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]) {
        content.push_str(delta["content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            assert_eq!(call["index"], 0);
            if call["id"].is_string() {
                assert_eq!(
                    (&call["type"], &call["function"]["name"]),
                    (&json!("function"), &json!("f"))
                );
                begun += 1;
            }
            arguments.push_str(call["function"]["arguments"].as_str().unwrap());
        }
    }
    assert_eq!((content.as_str(), begun, arguments.as_str()), ("Sure.", 1, "{\"a\": [1, \"}\"]}"));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
    let n_tokens =
        server.post("/v1/chat/completions", &format!("{{{HI}{tools}, \"stream\": false}}"));
    assert_eq!(n_tokens.status, 400, "stream is there twice");
}

#[test]
fn log_probabilities_come_with_their_token() {
    let server = Server::new(instant(), options());
    let chunks =
        chat(&server, r#", "max_tokens": 2, "logprobs": true, "top_logprobs": 1, "timings": true"#)
            .chunks();
    for chunk in &chunks[1..3] {
        let choice = &chunk["choices"][0];
        assert_eq!(choice["logprobs"]["content"][0]["token"], choice["delta"]["content"]);
    }
    assert!(chunks.last().unwrap()["timings"]["total_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn an_error_in_the_middle_is_told() {
    let server = Server::new(MockOptions { fails_at: Some(2), ..instant() }, options());
    let answer = chat(&server, r#", "max_tokens": 5"#);
    let chunks = answer.chunks();
    assert_eq!(chunks.len(), 4, "role, two tokens, the error");
    assert_eq!(chunks[3]["error"]["type"], "server_error");
    let whole = server.post("/v1/completions", r#"{"prompt": "a", "max_tokens": 5}"#);
    assert_eq!((whole.status, &whole.json()["error"]["type"]), (500, &json!("server_error")));
    let fine = server.post("/v1/completions", r#"{"prompt": "a", "max_tokens": 2}"#);
    assert_eq!(fine.status, 200, "the next request is not hurt");
    server.eventually("nothing is left", Server::idle);
}

/// Nothing has been sent yet: the status tells.
#[test]
fn no_room_is_503_and_says_when_to_come_again() {
    let full = || BackendError::Full("the cache is full".into());
    let server = Server::new(MockOptions { refusal: Some(full()), ..instant() }, options());
    for (path, body) in [
        ("/v1/completions", r#"{"prompt": "a"}"#),
        ("/v1/completions", r#"{"prompt": "a", "stream": true}"#),
        ("/v1/chat/completions", r#"{"messages": [{"role": "user", "content": "a"}]}"#),
        ("/v1/embeddings", r#"{"input": "a"}"#),
    ] {
        refused_as_full(&server.post(path, body), path);
    }
    // Some tokens were generated, but none was sent.
    let late = MockOptions { fails_at: Some(2), failure: full(), ..instant() };
    let server = Server::new(late, options());
    refused_as_full(&server.post("/v1/completions", r#"{"prompt": "a", "max_tokens": 5}"#), "late");
    server.eventually("nothing is left", Server::idle);
}

fn refused_as_full(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 503, "{what}: {answer:?}");
    assert!(answer.head.to_lowercase().contains("\r\nretry-after: 1"), "{what}: {}", answer.head);
    let error = &answer.json()["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("server_error"), &json!("out_of_capacity"))
    );
    assert_eq!(error["message"], "the cache is full");
}

#[test]
fn every_kind_of_error_is_told_in_the_middle_as_at_the_beginning() {
    let kinds = [
        (BackendError::InvalidRequest("x".into()), 400, json!(null)),
        (
            BackendError::TooLong { found: "x".into(), n_ctx: 7 },
            400,
            json!("context_length_exceeded"),
        ),
        (
            BackendError::ContextExceeded { prompt: 1, max_tokens: 8, n_ctx: 7 },
            400,
            json!("context_length_exceeded"),
        ),
        (
            BackendError::Unsupported { backend: "mock", ability: "do it".into() },
            400,
            json!("unsupported_parameter"),
        ),
        (BackendError::Full("x".into()), 503, json!("out_of_capacity")),
        (BackendError::Engine("x".into()), 500, json!(null)),
    ];
    for (failure, status, code) in kinds {
        let mock = MockOptions { fails_at: Some(1), failure: failure.clone(), ..instant() };
        let server = Server::new(mock, options());
        let whole = server.post("/v1/completions", r#"{"prompt": "a", "max_tokens": 5}"#);
        let chunks = chat(&server, r#", "max_tokens": 5"#).chunks();
        assert_eq!(chunks.len(), 3, "{failure:?}: role, a token, the error");
        assert_eq!((whole.status, &whole.json()["error"]["code"]), (status, &code), "{failure:?}");
        assert_eq!(chunks[2]["error"], whole.json()["error"], "{failure:?}");
    }
}

#[test]
fn tokens_are_sent_as_they_come() {
    let minutes = Duration::from_secs(600);
    let server = Server::new(MockOptions { itl: minutes, ..instant() }, options());
    let mut stream = server.connect();
    stream
        .write_all(
            completion(r#"{"prompt": "a", "max_tokens": 2, "seed": 0, "stream": true}"#).as_bytes(),
        )
        .unwrap();
    let mut seen = Vec::new();
    while !seen.windows(6).any(|w| w == b"\" and\"") {
        let mut bytes = [0; 1024];
        let n = stream.read(&mut bytes).expect("the first token comes before the second");
        assert!(n > 0);
        seen.extend_from_slice(&bytes[..n]);
    }
}
