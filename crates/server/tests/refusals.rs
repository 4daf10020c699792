//! What cannot be served is refused with a status that fits and a message that names the field.

mod common;

use common::{Server, instant, options};
use pacemark_server::Options;
use serde_json::Value;

/// Status, field and code of an error, and its message.
fn error(answer: &common::Answer) -> (u16, Option<String>, Option<String>, String) {
    let body = answer.json();
    let text = |name: &str| body["error"][name].as_str().map(str::to_string);
    assert!(body["error"]["type"].is_string(), "{body}");
    (answer.status, text("param"), text("code"), text("message").unwrap())
}

#[test]
fn parameters_out_of_range() {
    let server = Server::new(instant(), options());
    for (field, body) in [
        ("temperature", r#""temperature": -0.1"#),
        ("temperature", r#""temperature": 1e30"#),
        ("temperature", r#""temperature": "1""#),
        ("top_p", r#""top_p": 1.01"#),
        ("top_k", r#""top_k": -2"#),
        ("top_k", r#""top_k": 1e300"#),
        ("min_p", r#""min_p": 2"#),
        ("n", r#""n": 0"#),
        ("n", r#""n": 129"#),
        ("n", r#""n": 18446744073709551615"#),
        ("max_tokens", r#""max_tokens": 0"#),
        ("max_tokens", r#""max_tokens": -2"#),
        ("max_tokens", r#""max_tokens": 18446744073709551615"#),
        ("n_predict", r#""n_predict": 0"#),
        ("min_tokens", r#""min_tokens": 18446744073709551615"#),
        ("presence_penalty", r#""presence_penalty": 3"#),
        ("frequency_penalty", r#""frequency_penalty": -3"#),
        ("repetition_penalty", r#""repetition_penalty": 0"#),
        ("repeat_penalty", r#""repetition_penalty": 2, "repeat_penalty": 2"#),
        ("repeat_last_n", r#""repeat_last_n": -2"#),
        ("typical_p", r#""typical_p": 2"#),
        ("top_n_sigma", r#""top_n_sigma": -3"#),
        ("xtc_probability", r#""xtc_probability": 1.5"#),
        ("xtc_threshold", r#""xtc_threshold": -1"#),
        ("seed", r#""seed": 1.5"#),
        ("seed", r#""seed": 99999999999999999999"#),
        ("stop", r#""stop": """#),
        ("stop", r#""stop": ["a", ""]"#),
        ("stop", r#""stop": 3"#),
        (
            "stop",
            r#""stop": ["a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a"]"#,
        ),
        ("stop_token_ids", r#""stop_token_ids": [1000000]"#),
        ("stop_token_ids[0]", r#""stop_token_ids": [-1]"#),
        ("logit_bias", r#""logit_bias": {"x": 1}"#),
        ("logit_bias", r#""logit_bias": {"1000000": 1}"#),
        ("logit_bias", r#""logit_bias": {"1": 101}"#),
        ("logit_bias", r#""logit_bias": [[1000000, 1]]"#),
        ("logit_bias", r#""logit_bias": [[1, true]]"#),
        ("logit_bias", r#""logit_bias": [["a", 1]]"#),
        ("logprobs", r#""logprobs": 21"#),
        ("n_probs", r#""n_probs": 21"#),
        ("stream", r#""stream": "yes""#),
        ("stream_options.include_usage", r#""stream_options": {"include_usage": 1}"#),
        ("response_format", r#""response_format": {"type": "json_object"}"#),
        ("response_format.type", r#""response_format": {"type": "xml"}"#),
        ("structured_outputs.grammar", r#""structured_outputs": {"grammar": "x"}"#),
        ("structured_outputs.structural_tag", r#""structured_outputs": {"structural_tag": {}}"#),
        ("grammar", r#""grammar": "root ::= \"a\"""#),
        ("json_schema", r#""json_schema": {}"#),
        ("response_format.json_schema", r#""response_format": {"type": "json_schema"}"#),
        ("guided_json", r#""guided_json": 3"#),
        (
            "structured_outputs.regex",
            r#""guided_regex": "a", "structured_outputs": {"regex": "b"}"#,
        ),
        ("echo", r#""echo": true"#),
        ("best_of", r#""best_of": 2"#),
        ("suffix", r#""suffix": "x""#),
        ("prompt", r#""prompt": [], "n": 1"#),
    ] {
        let body = if body.contains("\"prompt\"") {
            format!("{{{body}}}")
        } else {
            format!("{{\"prompt\": \"abc\", {body}}}")
        };
        let (status, param, _, message) = error(&server.post("/v1/completions", &body));
        assert_eq!((status, param.as_deref()), (400, Some(field)), "{body}: {message}");
        assert!(message.contains(field.split(['.', '[']).next().unwrap()), "{body}: {message}");
    }
    server.eventually("nothing is left", Server::idle);
}

#[test]
fn prompts_that_are_none() {
    let server = Server::new(instant(), options());
    let long = vec!["1"; 8193].join(",");
    let many = vec!["[1]"; 129].join(",");
    for (prompt, code) in [
        ("\"\"", None),
        ("[]", None),
        ("[[]]", None),
        ("[[1], []]", None),
        ("[\"a\", \"\"]", None),
        ("[5000]", None),
        (&*format!("[{long}]"), Some("context_length_exceeded")),
        (&*format!("[{many}]"), None),
        ("null", Some("invalid_type")),
        ("{}", Some("invalid_type")),
        ("[-1]", Some("invalid_type")),
        ("[4294967296]", Some("invalid_type")),
        ("[1.0]", Some("invalid_type")),
    ] {
        let found = error(&server.post("/v1/completions", &format!("{{\"prompt\": {prompt}}}")));
        assert_eq!(
            (found.0, found.1.as_deref(), found.2.as_deref()),
            (400, Some("prompt"), code),
            "{found:?}"
        );
    }
    let full = vec!["1"; 8192].join(",");
    let found = error(&server.post("/v1/completions", &format!("{{\"prompt\": [{full}]}}")));
    assert_eq!((found.0, found.2.as_deref()), (400, Some("context_length_exceeded")), "{found:?}");
}

#[test]
fn conversations_and_tools_that_are_none() {
    let server = Server::new(instant(), options());
    let hi = r#"{"role": "user", "content": "Hi"}"#;
    let tool =
        |name: &str| format!("{{\"type\": \"function\", \"function\": {{\"name\": \"{name}\"}}}}");
    for (field, body) in [
        ("messages", r#""messages": []"#.to_string()),
        ("messages", r#""messages": "Hi""#.to_string()),
        ("messages[0].role", r#""messages": [{"role": "boss", "content": "x"}]"#.to_string()),
        ("messages[0].content", r#""messages": [{"role": "user"}]"#.to_string()),
        ("messages[0].content", r#""messages": [{"role": "user", "content": 3}]"#.to_string()),
        (
            "messages[0].content[0].type",
            r#""messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]"#
                .to_string(),
        ),
        ("top_logprobs", format!("\"messages\": [{hi}], \"top_logprobs\": 3")),
        ("tools[0].function.name", format!("\"messages\": [{hi}], \"tools\": [{}]", tool("a b"))),
        ("tools[1].function.name", format!("\"messages\": [{hi}], \"tools\": [{}, {}]", tool("f"), tool("f"))),
        (
            "tools[0].function.parameters.type",
            format!(
                "\"messages\": [{hi}], \"tools\": [{}]",
                tool("f").replace("\"f\"", "\"f\", \"parameters\": {\"type\": \"string\"}")
            ),
        ),
        ("tool_choice", format!("\"messages\": [{hi}], \"tool_choice\": \"required\"")),
        ("tool_choice", format!("\"messages\": [{hi}], \"tools\": [{}], \"tool_choice\": \"required\"", tool("f"))),
        ("tool_choice", format!("\"messages\": [{hi}], \"tools\": [{}], \"tool_choice\": \"perhaps\"", tool("f"))),
        ("functions", format!("\"messages\": [{hi}], \"functions\": [{{\"name\": \"f\"}}]")),
        ("max_completion_tokens", format!("\"messages\": [{hi}], \"max_completion_tokens\": 0")),
    ] {
        let found = error(&server.post("/v1/chat/completions", &format!("{{{body}}}")));
        assert_eq!((found.0, found.1.as_deref()), (400, Some(field)), "{body}: {found:?}");
    }
}

#[test]
fn bodies_and_routes_that_are_none() {
    let server = Server::new(instant(), Options { max_body_bytes: 1 << 20, ..options() });
    for body in [
        "",
        "{",
        "null",
        "[]",
        "\"x\"",
        "{\"prompt\": \"a\"} x",
        "{\"prompt\": \"\\ud800\"}",
        "\u{0}",
        "{\"prompt\": NaN}",
    ] {
        assert_eq!(error(&server.post("/v1/completions", body)).0, 400, "{body:?}");
    }
    let deep =
        format!("{{\"prompt\": \"a\", \"x\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(error(&server.post("/v1/completions", &deep)).0, 400);
    let long = format!("{{\"prompt\": \"{}\"}}", "a".repeat(10 << 20));
    let found = error(&server.post("/v1/completions", &long));
    assert_eq!((found.0, found.2.as_deref()), (413, Some("request_too_large")));
    let found = error(&server.post("/v1/completions", r#"{"prompt": "a", "model": "gpt-9"}"#));
    assert_eq!(
        (found.0, found.1.as_deref(), found.2.as_deref()),
        (404, Some("model"), Some("model_not_found"))
    );
    assert_eq!(error(&server.get("/v2")).0, 404);
    assert_eq!(error(&server.get("/v1/completions")).0, 405);
    assert_eq!(
        error(&server.call("POST", "/v1/completions", &["content-type: text/plain"], "{}")).0,
        415
    );
    assert_eq!(error(&server.call("POST", "/v1/completions", &[], "{}")).0, 415);
    let found = error(&server.post("/tokenize", "{}"));
    assert_eq!((found.0, found.1.as_deref()), (400, Some("prompt")));
    assert_eq!(error(&server.post("/detokenize", r#"{"tokens": [5000]}"#)).0, 400);
    for (path, body) in [
        ("/v1/embeddings", r#"{"input": "a", "dimensions": 3}"#),
        ("/v1/embeddings", r#"{"input": "a", "add_special_tokens": false}"#),
        ("/tokenize", r#"{"prompt": "a", "add_special": false}"#),
        ("/tokenize", r#"{"messages": [], "chat_template": "x"}"#),
        ("/detokenize", r#"{"tokens": [1], "skip_special_tokens": false}"#),
        ("/v1/completions", r#"{"prompt": "a", "tools": [{}]}"#),
        ("/v1/chat/completions", r#"{"messages": [], "prompt": "a"}"#),
    ] {
        let found = error(&server.post(path, body));
        assert_eq!(
            (found.0, found.2.as_deref()),
            (400, Some("unsupported_parameter")),
            "{path} {body}: {found:?}"
        );
    }
    server.eventually("nothing is left", Server::idle);
}

#[test]
fn a_prompt_of_ten_megabytes_is_too_long_for_the_context_only() {
    let server = Server::new(instant(), Options { max_body_bytes: 16 << 20, ..options() });
    let long = format!("{{\"prompt\": \"{}\"}}", "a".repeat(10 << 20));
    let found = error(&server.post("/v1/completions", &long));
    assert_eq!((found.0, found.2.as_deref()), (400, Some("context_length_exceeded")));
    let limited =
        Server::new(instant(), Options { max_prompt_tokens: 4, max_tokens: 3, ..options() });
    assert_eq!(error(&limited.post("/v1/completions", r#"{"prompt": "abcde"}"#)).0, 400);
    for body in [r#"{"prompt": "abcd", "max_tokens": 4}"#, r#"{"prompt": "abcd"}"#] {
        let usage: Value = limited.post("/v1/completions", body).json()["usage"].clone();
        assert_eq!(
            usage["completion_tokens"], 3,
            "what is asked and the default keep to the limit"
        );
    }
}
