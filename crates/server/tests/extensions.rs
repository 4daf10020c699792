//! What vLLM's and llama-server's clients ask for beyond OpenAI's API, and how requests that ask
//! for too much are taken.

mod common;

use common::{Server, instant, options};
use pacemark_backend::MockOptions;
use pacemark_server::Options;
use serde_json::{Value, json};

/// The chunks of a stream.
fn chunks(server: &Server, path: &str, body: Value) -> Vec<Value> {
    let answer = server.post(path, &body.to_string());
    let text = String::from_utf8(answer.body).unwrap();
    let data = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

const CHAT: &str = "/v1/chat/completions";
const TEXT: &str = "/v1/completions";

#[test]
fn ids_of_prompt_and_answer_are_given_where_they_are_asked_for() {
    // The second character comes in two tokens of the mock's, bytes.
    let server = Server::new(MockOptions { answer: Some("aé".into()), ..instant() }, options());
    let prompt = json!({"prompt": "hi", "return_token_ids": true, "max_tokens": 9});
    let whole = server.post(TEXT, &prompt.to_string()).json();
    let choice = &whole["choices"][0];
    assert_eq!(
        (&choice["prompt_token_ids"], &choice["token_ids"]),
        (&json!([104, 105]), &json!([97, 195, 169, 1280]))
    );
    let mut streamed = prompt.clone();
    streamed["stream"] = json!(true);
    let found = chunks(&server, TEXT, streamed);
    let ids: Vec<&Value> = found.iter().map(|chunk| &chunk["choices"][0]["token_ids"]).collect();
    // Half a character has no text: its id waits for the other half.
    assert_eq!(ids[..3], [&json!([97]), &Value::Null, &json!([195, 169])], "{found:?}");
    assert_eq!(found[0]["choices"][0]["prompt_token_ids"], json!([104, 105]));
    let all: usize = ids.iter().filter_map(|ids| ids.as_array()).map(Vec::len).sum();
    assert_eq!(all, 4, "none is lost: {found:?}");

    let chat = json!({"messages": [{"role": "user", "content": "hi"}], "return_token_ids": true});
    let whole = server.post(CHAT, &chat.to_string()).json();
    assert_eq!(whole["choices"][0]["token_ids"], json!([97, 195, 169, 1280]));
    let n_prompt = whole["usage"]["prompt_tokens"].as_u64().unwrap() as usize;
    assert_eq!(whole["prompt_token_ids"].as_array().unwrap().len(), n_prompt);
    let mut streamed = chat.clone();
    streamed["stream"] = json!(true);
    let found = chunks(&server, CHAT, streamed);
    assert_eq!(found[0]["prompt_token_ids"], whole["prompt_token_ids"]);
    assert!(found[1..].iter().all(|chunk| chunk.get("prompt_token_ids").is_none()));
    assert!(found.iter().all(|chunk| chunk["system_fingerprint"] == whole["system_fingerprint"]));
    for plain in [json!({"prompt": "hi"}), json!({"prompt": "hi", "return_token_ids": false})] {
        assert_eq!(
            server.post(TEXT, &plain.to_string()).json()["choices"][0].get("token_ids"),
            None
        );
    }
}

#[test]
fn counts_and_speeds_have_llama_servers_names() {
    let server = Server::new(instant(), options());
    let body = json!({"prompt": "hi", "max_tokens": 3, "stream": true, "timings_per_token": true, "timings": true});
    let found = chunks(&server, TEXT, body.clone());
    let counted: Vec<u64> =
        found.iter().filter_map(|chunk| chunk["timings"]["predicted_n"].as_u64()).collect();
    assert_eq!(counted, [1, 2, 3, 3, 3], "three tokens, the end, and the totals: {found:?}");
    assert_eq!(found[0]["timings"]["prompt_n"], 2);
    assert_eq!(
        found[0]["timings"]["predicted_per_second"],
        Value::Null,
        "the first token is the prompt's"
    );
    assert!(found[4]["timings"]["total_ms"].as_f64().unwrap() > 0.0);
    let mut whole = body.clone();
    whole["stream"] = json!(false);
    let whole = server.post(TEXT, &whole.to_string()).json();
    assert_eq!(whole["timings"]["predicted_n"], 3);
}

#[test]
fn tokens_are_called_by_their_ids_where_that_is_asked_for() {
    let server = Server::new(instant(), options());
    for (field, n) in [("logprobs", json!(2)), ("n_probs", json!(2)), ("logprobs", json!(true))] {
        let body =
            json!({"prompt": "hi", "max_tokens": 1, field: n, "return_tokens_as_token_ids": true});
        let logprobs =
            server.post(TEXT, &body.to_string()).json()["choices"][0]["logprobs"].clone();
        let token = logprobs["tokens"][0].as_str().unwrap();
        assert!(token.starts_with("token_id:"), "{logprobs}");
        assert!(logprobs["top_logprobs"][0].as_object().unwrap().contains_key(token));
    }
    let chat =
        json!({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, "n_probs": 2});
    let content =
        server.post(CHAT, &chat.to_string()).json()["choices"][0]["logprobs"]["content"][0].clone();
    assert_eq!(content["top_logprobs"].as_array().unwrap().len(), 2, "{content}");
}

#[test]
fn more_tokens_than_fit_are_cut_and_said() {
    let server = Server::new(MockOptions { n_ctx: 20, ..instant() }, options());
    for (field, asked, given, said) in [
        ("max_tokens", json!(16384), 18, true),
        ("n_predict", json!(19), 18, true),
        ("max_tokens", json!(18), 18, false),
        ("max_tokens", json!(-1), 18, false),
        ("n_predict", json!(-1), 18, false),
        ("max_completion_tokens", json!(3), 3, false),
        ("n_predict", json!(null), 16, false),
    ] {
        let answer = server.post(TEXT, &json!({"prompt": "hi", field: asked}).to_string());
        assert_eq!(answer.json()["usage"]["completion_tokens"], given, "{field} {asked}");
        assert_eq!(
            answer.head.contains("x-pacemark-note: "),
            said,
            "{field} {asked}: {}",
            answer.head
        );
    }
    let chat =
        json!({"messages": [{"role": "user", "content": ""}], "max_tokens": 100, "stream": true});
    let answer = server.post(CHAT, &chat.to_string());
    assert!(
        answer.head.contains("x-pacemark-note: max_tokens: 100 cut to the "),
        "{}",
        answer.head
    );
    let limited = Server::new(instant(), Options { max_tokens: 3, ..options() });
    let answer = limited.post(TEXT, &json!({"prompt": "hi", "max_tokens": 4}).to_string());
    assert!(
        answer.head.contains("max_tokens: 4 cut to the 3 that this server gives"),
        "{}",
        answer.head
    );
    // What cannot be kept is not cut.
    let answer =
        server.post(TEXT, &json!({"prompt": "hi", "max_tokens": 50, "min_tokens": 50}).to_string());
    assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!("min_tokens")));
}

/// LiteLLM and LangChain know by these words that a conversation must be shortened.
#[test]
fn prompts_that_do_not_fit_are_refused_in_the_words_that_clients_know() {
    let server = Server::new(MockOptions { n_ctx: 20, ..instant() }, options());
    let long = "a".repeat(30);
    for (path, body) in [
        (TEXT, json!({"prompt": long})),
        (TEXT, json!({"prompt": "a".repeat(20)})),
        (TEXT, json!({"prompt": ["a", long]})),
        (CHAT, json!({"messages": [{"role": "user", "content": long}]})),
        ("/v1/embeddings", json!({"input": long})),
    ] {
        let answer = server.post(path, &body.to_string());
        let error = &answer.json()["error"];
        let message = error["message"].as_str().unwrap();
        assert_eq!(
            (answer.status, &error["code"]),
            (400, &json!("context_length_exceeded")),
            "{message}"
        );
        assert!(
            message.starts_with("This model's maximum context length is 20 tokens. However, "),
            "{message}"
        );
        assert!(message.contains("prompt is too long"), "{message}");
    }
}

#[test]
fn names_that_no_api_knows_are_ignored_and_those_that_change_nothing_are_accepted() {
    let server = Server::new(instant(), options());
    let body = json!({
        "prompt": "hi", "max_tokens": 1, "nvext": {"a": 1}, "frobnicate": true, "id_slot": 3, "n_keep": 5, "store": true,
        "metadata": {"a": "b"}, "service_tier": "flex", "cache_prompt": false, "prompt_logprobs": 1, "dry_base": 1.75,
        "stop_token_ids": ["2", 3], "logit_bias": [[5, -1], [6, false]], "seed": -1, "mirostat": 0, "dry_multiplier": 0.0,
    });
    assert_eq!(server.post(TEXT, &body.to_string()).status, 200);
    assert_eq!(
        server.post(TEXT, &format!("\u{feff}{body}")).status,
        200,
        "a mark that it is UTF-8"
    );
}
