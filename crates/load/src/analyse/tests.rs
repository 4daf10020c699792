//! Streams as servers send them, well and badly.

use super::*;
use hyper::StatusCode;

/// Frames of a stream, a millisecond apart from 1000 ms on.
fn stream(frames: &[&str], end: End) -> Exchange {
    let mut received =
        Received { status: StatusCode::OK, is_stream: true, end, ..Received::default() };
    for (i, frame) in frames.iter().enumerate() {
        received.bytes.extend_from_slice(frame.as_bytes());
        received.frames.push((received.bytes.len(), (1000 + i as u64) * 1_000_000));
    }
    Exchange {
        sent_ns: 900_000_000,
        resent_ns: None,
        connected_ns: None,
        head_ns: Some(950_000_000),
        end_ns: 2_000_000_000,
        answer: Ok(received),
    }
}

fn ms(found: &Analysed) -> Vec<u64> {
    found.request.chunks_ns.iter().map(|ns| ns / 1_000_000).collect()
}

const ROLE: &str =
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn content(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

fn finish() -> &'static str {
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
}

#[test]
fn the_first_token_is_not_the_role_and_the_last_not_the_usage() {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\
        \"prompt_tokens_details\":{\"cached_tokens\":3}}}\n\n";
    let (hello, there) = (content("hel\\u006co"), content(" there"));
    let found =
        analyse(stream(&[ROLE, &hello, &there, finish(), usage, DONE], End::Complete), 500_000_000);
    assert_eq!(ms(&found), [501, 502]);
    assert_eq!((found.request.sent_ns, found.request.failure.as_ref()), (400_000_000, None));
    assert_eq!(found.text, "hello there");
    let request = found.request;
    assert_eq!(
        (request.prompt_usage, request.output_usage, request.cached_tokens),
        (Some(7), Some(2), Some(3))
    );
    assert_eq!(request.finish_reason.as_deref(), Some("length"));
}

#[test]
fn reasoning_and_tool_calls_are_tokens() {
    for delta in [
        r#""reasoning_content":"hm""#,
        r#""reasoning":"hm","content":null"#,
        r#""tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]"#,
        r#""tool_calls":[{"index":0,"function":{"arguments":"{"}}]"#,
    ] {
        let frame = format!("data: {{\"choices\":[{{\"delta\":{{{delta}}}}}]}}\n\n");
        let found = analyse(stream(&[ROLE, &frame, DONE], End::Complete), 0);
        assert_eq!(
            (ms(&found), found.request.failure, found.text.as_str()),
            (vec![1001], None, ""),
            "{delta}"
        );
    }
    let text = "data: {\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":null}]}\n\n";
    assert_eq!(ms(&analyse(stream(&[text, DONE], End::Complete), 0)), [1000]);
}

#[test]
fn what_the_model_wrote_besides_its_text_is_kept_to_be_counted() {
    let delta = |fields: &str| format!("data: {{\"choices\":[{{\"delta\":{{{fields}}}}}]}}\n\n");
    let frames = [
        delta(r#""reasoning":"hm","reasoning_content":"hm""#),
        delta(r#""reasoning":" so""#),
        delta(r#""content":"yes""#),
        delta(r#""tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]"#),
        delta(r#""refusal":" no""#),
    ];
    let frames: Vec<&str> = frames.iter().map(String::as_str).chain([DONE]).collect();
    let found = analyse(stream(&frames, End::Complete), 0);
    assert_eq!((found.text.as_str(), found.beside.as_str()), ("yes", "hm sof{} no"));
    assert_eq!(found.request.chunks_ns.len(), 5);
}

#[test]
fn what_usage_leaves_out_was_not_counted() {
    let usage = |counts: &str| {
        let chunk = format!("data: {{\"choices\":[],\"usage\":{counts}}}\n\n");
        let request = analyse(stream(&[&content("a"), &chunk, DONE], End::Complete), 0).request;
        (request.prompt_usage, request.output_usage, request.failure)
    };
    assert_eq!(usage("{}"), (None, None, None));
    assert_eq!(usage("null"), (None, None, None));
    assert_eq!(usage("{\"prompt_tokens\":3,\"completion_tokens\":null}"), (Some(3), None, None));
    assert_eq!(usage("{\"completion_tokens\":1}"), (None, Some(1), None));
}

#[test]
fn chunks_that_other_clients_read_are_read() {
    let usage = r#"{"choices":null,"usage":{"prompt_tokens":7.0,"completion_tokens":"2","prompt_tokens_details":null}}"#;
    for (chunk, text, beside) in [
        (r#"{"choices":null}"#, "", ""),
        (r#"{"id":"c","choices":null,"usage":null}"#, "", ""),
        (r#"{"usage":null}"#, "", ""),
        (r#"{}"#, "", ""),
        (r#"{"type":"ping"}"#, "", ""),
        (r#"{"choices":[null]}"#, "", ""),
        (r#"{"choices":[]}"#, "", ""),
        (r#"{"choices":[{}]}"#, "", ""),
        (r#"{"choices":[{"delta":null,"finish_reason":null}]}"#, "", ""),
        (
            r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":null}}],"error":null}"#,
            "",
            "",
        ),
        (r#"{"choices":{"delta":{"content":"a"}}}"#, "a", ""),
        (r#"{"choices":[{"delta":"a"}]}"#, "a", ""),
        (
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{}}]}}]}"#,
            "a",
            "",
        ),
        (r#"{"choices":[{"delta":{"content":5}}]}"#, "5", ""),
        (r#"{"choices":[{"delta":{"content":"a","tool_calls":{}}}],"error":""}"#, "a", ""),
        (
            r#"{"choices":[{"delta":{"content":"a"},"logprobs":{"content":[{"logprob":NaN}]}}]}"#,
            "a",
            "",
        ),
        (r#"{"choices":[{"delta":{"content":"NaN \ud83d"}}],"x":-Infinity}"#, "NaN \u{fffd}", ""),
        (r#"{"choices":[{"delta":{"content":"\ud83e\udd80\""}}],"x":[Infinity]}"#, "🦀\"", ""),
        (r#"{"choices":[{"delta":{"content":"a"}}],"usage":"none"}"#, "a", ""),
        (r#"{"choices":[{"text":["a","b"]}]}"#, "ab", ""),
        (r#"{"choices":[{"message":{"content":"a"},"delta":null}]}"#, "a", ""),
        (r#"{"choices":[{"delta":{"content":"a","content":"b"}}]}"#, "b", ""),
        (r#"{"choices":[{"delta":{"reasoning":{"text":"hm"}}}]}"#, "", "hm"),
        (
            r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]}}]}"#,
            "",
            "f{\"x\":1}",
        ),
        (r#"{"choices":[{"delta":{"function_call":{"name":"f","arguments":"{}"}}}]}"#, "", "f{}"),
    ] {
        let frames = [
            format!("data: {chunk}\n\n"),
            "data:\n\n".into(),
            content("."),
            format!("data: {usage}\n\n"),
        ];
        let frames: Vec<&str> = frames.iter().map(String::as_str).chain([DONE]).collect();
        let found = analyse(stream(&frames, End::Complete), 0);
        assert_eq!(found.request.failure, None, "{chunk}");
        assert_eq!((found.text, found.beside.as_str()), (format!("{text}."), beside), "{chunk}");
        let n = 1 + usize::from(!text.is_empty() || !beside.is_empty());
        assert_eq!(found.request.chunks_ns.len(), n, "{chunk}");
        assert_eq!(
            (found.request.prompt_usage, found.request.output_usage),
            (Some(7), Some(2)),
            "{chunk}"
        );
    }
}

#[test]
fn counts_that_are_none_are_left_out() {
    for wrong in ["-1", "1.5", "1e300", "\"many\"", "true", "[]", "{}", "\"\""] {
        let usage = format!(
            "data: {{\"usage\":{{\"completion_tokens\":{wrong},\"prompt_tokens\":3}}}}\n\n"
        );
        let request = analyse(stream(&[&content("a"), &usage, DONE], End::Complete), 0).request;
        assert_eq!(
            (request.failure, request.output_usage, request.prompt_usage),
            (None, None, Some(3)),
            "{wrong}"
        );
    }
}

#[test]
fn an_empty_finish_reason_ends_nothing() {
    for reason in ["\"\"", "\"null\"", "null"] {
        let chunk = format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}},\"finish_reason\":{reason}}}]}}\n\n"
        );
        let request = analyse(stream(&[&chunk], End::Complete), 0).request;
        assert_eq!(
            request.failure.map(|failure| failure.kind),
            Some(FailureKind::Unfinished),
            "{reason}"
        );
    }
}

#[test]
fn an_event_has_arrived_when_its_end_has() {
    // Cut within a character and within a line end; two events in one frame.
    let crab = content("🦀");
    let middle = crab.find('🦀').map(|at| at + 2).unwrap();
    let mut received = Received { status: StatusCode::OK, is_stream: true, ..Received::default() };
    let bytes =
        [crab.as_bytes(), content("a").as_bytes(), content("b").as_bytes(), DONE.as_bytes()]
            .concat();
    let ends = [middle, crab.len() - 1, crab.len(), bytes.len()];
    received.frames = ends.iter().enumerate().map(|(i, end)| (*end, i as u64 + 1)).collect();
    received.bytes = bytes;
    let exchange = Exchange {
        sent_ns: 0,
        resent_ns: None,
        connected_ns: None,
        head_ns: None,
        end_ns: 9,
        answer: Ok(received),
    };
    let found = analyse(exchange, 0);
    assert_eq!((found.request.chunks_ns, found.text.as_str()), (vec![3, 4, 4], "🦀ab"));
}

#[test]
fn failures_by_kind() {
    let token = content("a");
    let error = "data: {\"error\":{\"message\":\"out of pages\"}}\n\n";
    let half = &token[..token.len() - 1];
    for (frames, end, kind, says, tokens) in [
        (vec![ROLE, &token], End::Broken("reset".into()), FailureKind::Cut, "reset", 1),
        (vec![&token], End::Stalled, FailureKind::Stalled, "too long", 1),
        (vec![&token], End::TotalTimeout, FailureKind::TotalTimeout, "too long", 1),
        (vec![&token], End::TooLarge, FailureKind::TooLarge, "longer", 1),
        (vec![&token], End::Complete, FailureKind::Unfinished, "[DONE]", 1),
        (vec![half], End::Complete, FailureKind::Unfinished, "within an event", 0),
        (vec![], End::Complete, FailureKind::Unfinished, "[DONE]", 0),
        (vec![ROLE, DONE], End::Complete, FailureKind::Empty, "without a token", 0),
        (vec![&token, "data: {oops\n\n", DONE], End::Complete, FailureKind::Garbage, "{oops", 1),
        (vec!["data: {\"x\":1}\n\n", DONE], End::Complete, FailureKind::Garbage, "choices", 0),
        (
            vec!["event: error\ndata: {\"message\":\"late\"}\n\n"],
            End::Complete,
            FailureKind::StreamError,
            "late",
            0,
        ),
        (
            vec!["data: {\"object\":\"error\",\"message\":\"old\"}\n\n"],
            End::Complete,
            FailureKind::StreamError,
            "old",
            0,
        ),
        (
            vec!["data: {\"error\":\"plain\"}\n\n"],
            End::Complete,
            FailureKind::StreamError,
            "plain",
            0,
        ),
        (vec!["data: [1]\n\n", DONE], End::Complete, FailureKind::Garbage, "[1]", 0),
        (vec![&token, error, DONE], End::Complete, FailureKind::StreamError, "out of pages", 1),
    ] {
        let found = analyse(stream(&frames, end), 0).request;
        let failure = found.failure.unwrap();
        assert_eq!(failure.kind, kind, "{frames:?}");
        assert!(failure.message.contains(says), "{}", failure.message);
        assert_eq!(found.chunks_ns.len(), tokens, "{frames:?}");
    }
    // Either a finish reason or [DONE] ends a stream.
    for frames in [[token.as_str(), finish()], [token.as_str(), DONE]] {
        assert_eq!(analyse(stream(&frames, End::Complete), 0).request.failure, None);
    }
}

#[test]
fn answers_that_are_no_streams() {
    let answer = |status, body: &str| {
        let bytes = body.as_bytes().to_vec();
        let frames = vec![(bytes.len(), 5)];
        let received = Received { status, is_stream: false, bytes, frames, end: End::Complete };
        let exchange = Exchange {
            sent_ns: 0,
            resent_ns: None,
            connected_ns: None,
            head_ns: None,
            end_ns: 9,
            answer: Ok(received),
        };
        analyse(exchange, 0)
    };
    let whole = r#"{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1,"completion_tokens":4}}"#;
    let found = answer(StatusCode::OK, whole);
    assert!(
        found.request.whole
            && found.request.ttft_ns().is_none()
            && found.request.e2e_ns() == Some(5)
    );
    assert_eq!(
        (found.request.failure, found.request.chunks_ns, found.text.as_str()),
        (None, vec![5], "hi")
    );
    assert!(!analyse(stream(&[&content("a"), DONE], End::Complete), 0).request.whole);
    for (status, body, kind, says) in [
        (500, r#"{"error":{"message":"boom"}}"#, FailureKind::ServerError, "500: boom"),
        (400, r#"{"error":"bad"}"#, FailureKind::ClientError, "400: bad"),
        (404, "not here\nat all", FailureKind::ClientError, "404: not here at all"),
        (429, "", FailureKind::TooMany, "429:"),
        (302, "", FailureKind::OddStatus, "302:"),
        (200, "<html>", FailureKind::Garbage, "<html>"),
    ] {
        let failure = answer(StatusCode::from_u16(status).unwrap(), body).request.failure.unwrap();
        assert_eq!(failure.kind, kind, "{status}");
        assert!(
            failure.message.starts_with(says) || failure.message.contains(says),
            "{}",
            failure.message
        );
    }
    let long =
        answer(StatusCode::INTERNAL_SERVER_ERROR, &"é".repeat(1000)).request.failure.unwrap();
    assert_eq!(long.message.chars().count(), MESSAGE_CHARS + 1);
}
