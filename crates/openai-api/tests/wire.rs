//! JSON as OpenAI's reference and vLLM's documentation show it is read, and written again without a
//! change of meaning.

use pacemark_openai_api::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Reads and writes again; what comes out is what went in.
fn same<T: Serialize + DeserializeOwned>(value: Value) -> T {
    let read: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), value);
    read
}

#[test]
fn chat_requests() {
    let request: ChatRequest = same(json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "You are terse."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "u"}}]},
            {"role": "assistant", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
            {"role": "tool", "content": "2", "tool_call_id": "c1"}
        ],
        "max_completion_tokens": 5, "logprobs": true, "top_logprobs": 2,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "chat_template_kwargs": {"enable_thinking": false},
        "temperature": 0.5, "stop": ["a", "b"], "seed": -1, "top_k": -1, "logit_bias": {"12": -100.0},
        "stream": true, "stream_options": {"include_usage": true, "continuous_usage_stats": false},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": true}},
        "structured_outputs": {"regex": "a+"}, "timings": true,
        "a_field_of_next_year": {"x": [1, 2]}
    }));
    assert_eq!(request.sampling.seed, Some(-1));
    assert_eq!(request.extra.keys().collect::<Vec<_>>(), ["a_field_of_next_year"]);
    assert_eq!(request.sampling.stop.unwrap().as_slice(), ["a", "b"]);
    let choice = |text| serde_json::from_str::<ToolChoice>(text).ok();
    assert_eq!(choice("\"required\""), Some(ToolChoice::Mode(ToolMode::Required)));
    assert_eq!(choice("\"sometimes\""), None);
}

#[test]
fn prompts_of_all_four_kinds() {
    let prompt = |value: Value| {
        serde_json::from_value::<CompletionRequest>(json!({"prompt": value})).map(|r| r.prompt)
    };
    assert_eq!(prompt(json!("a")).unwrap(), Prompt::Text("a".into()));
    assert_eq!(prompt(json!(["a", "b"])).unwrap(), Prompt::Texts(vec!["a".into(), "b".into()]));
    assert_eq!(prompt(json!([1, 2])).unwrap(), Prompt::Tokens(vec![1, 2]));
    assert_eq!(
        prompt(json!([[1], [2, 3]])).unwrap(),
        Prompt::TokenArrays(vec![vec![1], vec![2, 3]])
    );
    for wrong in
        [json!(1), json!([1, "a"]), json!([-1]), json!([1.5]), json!(null), json!({"a": 1})]
    {
        let error = prompt(wrong).unwrap_err().to_string();
        assert!(error.contains("expected a string, an array of strings"), "{error}");
    }
}

#[test]
fn chunks_of_a_stream() {
    let chunk: ChatChunk = same(json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null}]
    }));
    assert_eq!(chunk.choices[0].delta.role.as_deref(), Some("assistant"));
    let call: ChatChunk = serde_json::from_value(json!({
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}}]
    }))
    .unwrap();
    assert_eq!(
        call.choices[0].delta.tool_calls.as_ref().unwrap()[0].function.as_ref().unwrap().name,
        None
    );
    let usage: ChatChunk = serde_json::from_value(json!({
        "choices": [],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1},
                  "completion_tokens_details": {"reasoning_tokens": 0}}
    }))
    .unwrap();
    assert_eq!(usage.usage, Some(Usage::new(3, 2, 1)));
    let thought: Delta = serde_json::from_value(json!({"reasoning": "hm"})).unwrap();
    assert_eq!(thought.reasoning_content.as_deref(), Some("hm"));
}

#[test]
fn whole_answers_of_other_servers() {
    let answer: CompletionResponse = serde_json::from_value(json!({
        "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "system_fingerprint": null,
        "choices": [{"index": 0, "text": "ab", "finish_reason": "length", "stop_reason": null, "logprobs": {
            "tokens": ["a", "b"], "token_logprobs": [null, -0.5], "top_logprobs": [null, {"b": -0.5}], "text_offset": [0, 1]}}],
        "usage": {"prompt_tokens": 1, "total_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": null}
    }))
    .unwrap();
    assert_eq!(answer.choices[0].logprobs.as_ref().unwrap().token_logprobs, [None, Some(-0.5)]);
    let error: ErrorResponse = serde_json::from_value(
        json!({"error": {"message": "no", "type": "BadRequestError", "param": null, "code": 400}}),
    )
    .unwrap();
    assert_eq!(error.error.code, Some(json!(400)));
    let vector: EmbeddingResponse = serde_json::from_value(json!({
        "object": "list", "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1},
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}, {"object": "embedding", "index": 1, "embedding": "AAA="}]
    }))
    .unwrap();
    assert_eq!(vector.data[1].embedding, Vector::Base64("AAA=".into()));
}
