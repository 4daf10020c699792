//! Every route answers as OpenAI's and vLLM's do.

mod common;

use common::{Server, TAGGED, instant, options};
use pacemark_backend::{MockOptions, MockText, Text};
use pacemark_openai_api::{
    ChatResponse, CompletionResponse, EmbeddingResponse, ModelList, TokenizeResponse, Vector,
};
use serde_json::{Value, json};

const HI: &str = r#""messages": [{"role": "user", "content": "Hi"}]"#;

/// What the mock makes of that conversation.
const HI_TOKENS: u64 = "user: Hi\nassistant:".len() as u64;

fn answering(answer: &str) -> Server {
    let template = Some(TAGGED.to_string());
    Server::new(
        MockOptions { answer: Some(answer.into()), constraints: true, template, ..instant() },
        options(),
    )
}

#[test]
fn chat_completions_count_and_carry_on() {
    let server = Server::new(instant(), options());
    let answer = server.post(
        "/v1/chat/completions",
        &format!("{{{HI}, \"max_tokens\": 3, \"n\": 2, \"seed\": 7}}"),
    );
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    let chat: ChatResponse = serde_json::from_value(answer.json()).unwrap();
    assert_eq!(
        (chat.object.as_str(), chat.model.as_str(), chat.choices.len()),
        ("chat.completion", "m", 2)
    );
    assert!(chat.id.starts_with("chatcmpl-"));
    // The mock's words depend on the prompt's length and the seed, which is one more for each
    // answer.
    let word = |i: u64| MockText::default().decode(&[256 + (HI_TOKENS + 7 + i) as u32]).unwrap();
    assert_eq!(
        chat.choices[0].message.content.as_deref(),
        Some(&*format!("{}{}{}", word(0), word(1), word(2)))
    );
    assert_eq!(
        chat.choices[1].message.content.as_deref(),
        Some(&*format!("{}{}{}", word(1), word(2), word(3)))
    );
    assert_eq!(chat.choices[1].finish_reason.as_deref(), Some("length"));
    let usage = chat.usage.unwrap();
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens),
        (HI_TOKENS, 6, HI_TOKENS + 6)
    );
    assert_eq!(usage.prompt_tokens_details.unwrap().cached_tokens, Some(0));
    assert_eq!(chat.timings, None);
    let timed = server.post(
        "/v1/chat/completions",
        &format!("{{{HI}, \"max_completion_tokens\": 1, \"timings\": true}}"),
    );
    let timed: ChatResponse = serde_json::from_value(timed.json()).unwrap();
    assert!(timed.timings.unwrap().spans.unwrap().total_ms > 0.0);
}

#[test]
fn completions_take_all_kinds_of_prompts() {
    let server = Server::new(instant(), options());
    for (prompt, n_tokens, n_answers) in [
        (json!("abc"), 3, 1),
        (json!(["abc", "d"]), 4, 2),
        (json!([1, 2]), 2, 1),
        (json!([[1, 2], [3], [4]]), 4, 3),
    ] {
        let answer = server.post(
            "/v1/completions",
            &json!({"prompt": prompt, "model": "alias", "n": 2}).to_string(),
        );
        let answer: CompletionResponse = serde_json::from_value(answer.json()).unwrap();
        assert_eq!(answer.choices.len(), 2 * n_answers);
        assert!(answer.choices.iter().enumerate().all(|(i, choice)| choice.index == i as u64));
        let usage = answer.usage.unwrap();
        // OpenAI's default of 16 tokens; a prompt is counted once, however many answers it has.
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens),
            (n_tokens, 32 * n_answers as u64)
        );
    }
}

#[test]
fn log_probabilities_in_both_shapes() {
    let server = answering("aé");
    let chat = server
        .post("/v1/chat/completions", &format!("{{{HI}, \"logprobs\": true, \"top_logprobs\": 2}}"))
        .json();
    let tokens = chat["choices"][0]["logprobs"]["content"].as_array().unwrap().clone();
    // Bytes are the mock's tokens: the two of é are no characters alone. The last one ends the
    // sequence.
    let bytes: Vec<&Value> = tokens.iter().map(|token| &token["bytes"]).collect();
    assert_eq!(bytes, [&json!([97]), &json!([0xc3]), &json!([0xa9]), &json!([])]);
    assert_eq!(
        tokens[0]["top_logprobs"][1],
        json!({"token": " and", "logprob": -3.0, "bytes": [32, 97, 110, 100]})
    );
    assert_eq!(chat["choices"][0]["message"]["content"], "aé");
    assert_eq!(chat["choices"][0]["finish_reason"], "stop");
    let old =
        server.post("/v1/completions", r#"{"prompt": "x", "logprobs": 1, "max_tokens": 3}"#).json();
    let logprobs = &old["choices"][0]["logprobs"];
    assert_eq!(logprobs["text_offset"], json!([0, 1, 1]));
    assert_eq!(logprobs["token_logprobs"], json!([-2.0, -2.0, -2.0]));
    assert_eq!(logprobs["top_logprobs"][0], json!({"a": -2.0}));
    let none = server.post("/v1/completions", r#"{"prompt": "x"}"#).json();
    assert_eq!(none["choices"][0]["logprobs"], Value::Null);
}

#[test]
fn tools_are_called() {
    let tools = r#""tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]"#;
    let server =
        answering("Sure.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>");
    let chat = server.post("/v1/chat/completions", &format!("{{{HI}, {tools}}}")).json();
    let choice = &chat["choices"][0];
    assert_eq!(choice["message"]["content"], "Sure.");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"], json!({"name": "f", "arguments": "{\"a\": 1}"}));
    assert_eq!(
        (&call["type"], &choice["finish_reason"]),
        (&json!("function"), &json!("tool_calls"))
    );
    assert!(call["id"].as_str().unwrap().starts_with("call_"));
    // Not to be called: the text stays as it is, and the template is told of no tools.
    let none = server
        .post("/v1/chat/completions", &format!("{{{HI}, {tools}, \"tool_choice\": \"none\"}}"))
        .json();
    assert!(none["choices"][0]["message"]["content"].as_str().unwrap().contains("<tool_call>"));
    assert_eq!(none["usage"]["prompt_tokens"], HI_TOKENS);
    assert!(chat["usage"]["prompt_tokens"].as_u64().unwrap() > HI_TOKENS);
    // One call only: the answer stops where the first one ends.
    let one = server
        .post("/v1/chat/completions", &format!("{{{HI}, {tools}, \"parallel_tool_calls\": false}}"))
        .json();
    assert_eq!(one["choices"][0]["message"]["tool_calls"].as_array().unwrap().len(), 1);

    let server = answering("{\"a\": 2}");
    let named = format!(
        "{{{HI}, {tools}, \"tool_choice\": {{\"type\": \"function\", \"function\": {{\"name\": \"f\"}}}}}}"
    );
    let choice = server.post("/v1/chat/completions", &named).json()["choices"][0].clone();
    assert_eq!(
        choice["message"]["tool_calls"][0]["function"],
        json!({"name": "f", "arguments": "{\"a\": 2}"})
    );
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("stop"), &Value::Null)
    );
    let server = answering("[{\"name\": \"f\", \"parameters\": {}}]");
    let required = server
        .post("/v1/chat/completions", &format!("{{{HI}, {tools}, \"tool_choice\": \"required\"}}"))
        .json();
    assert_eq!(
        required["choices"][0]["message"]["tool_calls"][0]["function"],
        json!({"name": "f", "arguments": "{}"})
    );
}

#[test]
fn tools_need_no_template_that_knows_them() {
    let tools = r#""tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]"#;
    let tagged = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>";
    let mistral = "{{ tools }}[TOOL_CALLS]";
    let coder = "{{ tools }}<tool_call><function=";
    for (template, how) in
        [(None, "told"), (Some(TAGGED), "shown"), (Some(mistral), "told"), (Some(coder), "told")]
    {
        for (choice, answer, arguments) in [
            (json!("auto"), tagged, "{\"a\": 1}"),
            (json!("required"), "[{\"name\": \"f\", \"parameters\": {}}]", "{}"),
            (json!({"type": "function", "function": {"name": "f"}}), "{\"a\": 2}", "{\"a\": 2}"),
        ] {
            let answer = Some(answer.to_string());
            let template = template.map(str::to_string);
            let server = Server::new(
                MockOptions { answer, constraints: true, template, ..instant() },
                options(),
            );
            let body = format!("{{{HI}, {tools}, \"tool_choice\": {choice}}}");
            let answer = server.post("/v1/chat/completions", &body).json();
            let call = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
            assert_eq!(*call, json!({"name": "f", "arguments": arguments}), "{body}: {answer}");
            let none = server.post(
                "/v1/chat/completions",
                &format!("{{{HI}, {tools}, \"tool_choice\": \"none\"}}"),
            );
            let message = none.json()["choices"][0]["message"].clone();
            assert!(message["content"].is_string() && message["tool_calls"].is_null(), "{message}");
            assert_eq!(none.json()["usage"]["prompt_tokens"], HI_TOKENS);
            let prompt = prompt(&server, &format!("{{{HI}, {tools}}}"));
            assert!(
                prompt.starts_with(&format!("tools {how}: [{{"))
                    && prompt.ends_with("user: Hi\nassistant:"),
                "{prompt}"
            );
        }
    }
}

/// The text that a body for `/tokenize` comes to.
fn prompt(server: &Server, body: &str) -> String {
    let tokens = server.post("/tokenize", body).json()["tokens"].clone();
    server.post("/detokenize", &json!({ "tokens": tokens }).to_string()).json()["prompt"]
        .as_str()
        .unwrap()
        .to_string()
}

#[test]
fn embeddings_as_numbers_and_base64() {
    let server = Server::new(instant(), options());
    let read = |body: &str| -> EmbeddingResponse {
        serde_json::from_value(server.post("/v1/embeddings", body).json()).unwrap()
    };
    let numbers = read(r#"{"input": ["a", "bc"], "model": "m"}"#);
    assert_eq!((numbers.data.len(), numbers.data[1].index, numbers.usage.prompt_tokens), (2, 1, 3));
    let Vector::Float(floats) = &numbers.data[0].embedding else { panic!() };
    let Vector::Base64(text) =
        &read(r#"{"input": [97], "encoding_format": "base64"}"#).data[0].embedding
    else {
        panic!()
    };
    assert_eq!((floats.len(), text.len()), (4, 24), "four floats are 16 bytes");
    let last = read(r#"{"input": "bc", "pooling": "last"}"#);
    assert_ne!(last.data[0].embedding, numbers.data[1].embedding);
}

#[test]
fn tokens_and_text() {
    let server = Server::new(instant(), options());
    let tokens = |body: &str| -> TokenizeResponse {
        serde_json::from_value(server.post("/tokenize", body).json()).unwrap()
    };
    let text = tokens(r#"{"prompt": "a with", "return_token_strs": true}"#);
    assert_eq!((text.tokens, text.count, text.max_model_len), (vec![97, 261], 2, 8192));
    assert_eq!(text.token_strs.unwrap(), ["a", " with"]);
    assert_eq!(tokens(&format!("{{{HI}}}")).count, HI_TOKENS);
    assert_eq!(
        tokens(&format!("{{{HI}, \"add_generation_prompt\": false}}")).count,
        HI_TOKENS - 10
    );
    assert_eq!(
        server.post("/detokenize", r#"{"tokens": [97, 261]}"#).json(),
        json!({"prompt": "a with"})
    );
}

#[test]
fn what_the_server_tells_of_itself() {
    let server = Server::new(instant(), options());
    let models: ModelList = serde_json::from_value(server.get("/v1/models").json()).unwrap();
    assert_eq!(
        models.data.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(),
        ["m", "alias"]
    );
    assert_eq!(models.data[0].max_model_len, Some(8192));
    assert_eq!(server.get("/v1/models/alias").json()["id"], "alias");
    assert_eq!(server.get("/v1/models/other").status, 404);
    assert_eq!((server.get("/health").status, server.get("/ready").status), (200, 200));
    assert!(server.get("/health").head.contains("x-request-id: "));
    assert_eq!(server.get("/openapi.json").json()["openapi"], "3.1.0");
}

#[test]
fn metrics_count_what_happened() {
    let server = Server::new(instant(), options());
    for _ in 0..3 {
        server.post("/v1/completions", r#"{"prompt": "abcd", "max_tokens": 5}"#);
    }
    server.post("/v1/completions", r#"{"prompt": "abcd", "max_tokens": 5, "stream": true}"#);
    let text = String::from_utf8(server.get("/metrics").body).unwrap();
    for line in [
        "vllm:request_success_total{model_name=\"m\",finished_reason=\"length\"} 4",
        "vllm:time_to_first_token_seconds_count{model_name=\"m\"} 4",
        "vllm:inter_token_latency_seconds_count{model_name=\"m\"} 16",
        "vllm:e2e_request_latency_seconds_bucket{model_name=\"m\",le=\"+Inf\"} 4",
        "vllm:prompt_tokens_total{model_name=\"m\"} 16",
        "vllm:generation_tokens_total{model_name=\"m\"} 20",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok() && name.contains("{model_name=\"m\""), "{line}");
    }
}
