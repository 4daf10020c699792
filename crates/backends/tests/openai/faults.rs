//! What servers do wrong, and what is said of it.

use super::mock::{Asked, Mock, Reply, STREAM, VLLM, llm, whole};
use super::{failed, load, outcome, request};
use pacemark_backend::{Backend, BackendError, Event};
use pacemark_setup::{Secret, Server};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What is said of a server that answers everything so.
fn said(
    reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    server: impl Fn(Server) -> Server,
) -> String {
    let mock = Mock::start(reply);
    load(server(Server::at(&mock.url))).err().expect("it is no good server").to_string()
}

#[test]
fn who_is_no_such_server_is_told_apart() {
    let page = |_: &Asked| whole("200 OK", "content-type: text/html\r\n", "<html>Welcome</html>");
    let found = said(page, |s| s);
    assert!(found.contains("no OpenAI-compatible server") && found.contains("Welcome"), "{found}");
    let found = said(|_| whole("404 Not Found", "", "<html>nothing"), |s| s);
    assert!(found.contains("404: no OpenAI-compatible server is there"), "{found}");
    let found = said(|_| Reply::Say("SSH-2.0-OpenSSH_9.6\r\n".into()), |s| s);
    assert!(found.contains("it does not speak HTTP"), "{found}");
    let moved = |_: &Asked| whole("307 Temporary Redirect", "location: https://new/v1\r\n", "");
    assert!(said(moved, |s| s).contains("points to https://new/v1; that is not followed"));
    let found = said(
        |_| whole("503 Service Unavailable", "", r#"{"error":{"message":"Loading model"}}"#),
        |s| s,
    );
    assert!(found.ends_with("503: Loading model"), "{found}");
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let found = load(Server::at(format!("http://{free}"))).err().unwrap().to_string();
    assert!(found.contains("refused") && found.contains("is the server running"), "{found}");
}

#[test]
fn tls_where_there_is_none_is_told() {
    let mock = Mock::start(llm(VLLM));
    let url = mock.url.replace("http://", "https://");
    let found = load(Server::at(url)).err().unwrap().to_string();
    assert!(found.contains("TLS"), "{found}");
    let hello = |_: &Asked| Reply::Say("\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{46}".into());
    let found = said(hello, |s| s);
    assert!(found.contains("is it https://?"), "{found}");
}

#[test]
fn a_wrong_key_is_told_and_never_shown() {
    let refuse = |asked: &Asked| {
        let key = asked.headers.split("Bearer ").nth(1).unwrap_or("nothing");
        let body = json!({ "error": { "message": format!("Incorrect API key: {}", key.trim()) } });
        whole("401 Unauthorized", "", &body.to_string())
    };
    let wrong = said(refuse, |s| Server { api_key: Some(Secret::new("sk-secret")), ..s });
    assert!(wrong.contains("does not take the API key"), "{wrong}");
    assert!(!wrong.contains("sk-secret"), "{wrong}");
    assert!(said(refuse, |s| s).contains("wants an API key (--api-key)"));
}

#[test]
fn models_are_chosen_by_name() {
    let two = |_: &Asked| whole("200 OK", "", r#"{"data":[{"id":"a"},{"id":"b"}]}"#);
    let found = said(two, |s| s);
    assert!(found.contains("several models") && found.ends_with("a, b"), "{found}");
    let found = said(two, |s| Server { model: Some("c".into()), ..s });
    assert!(found.contains("no model c, it has: a, b"), "{found}");
}

/// A good server at load, and this for the request of 9 tokens.
fn then(
    reply: impl Fn(usize) -> Reply + Send + Sync + 'static,
    server: impl Fn(Server) -> Server,
) -> (usize, Event) {
    let (good, n) = (llm(VLLM), AtomicUsize::new(0));
    let mock = Mock::start(move |asked: &Asked| match asked.body["max_tokens"].as_u64() {
        Some(9) => reply(n.fetch_add(1, Ordering::SeqCst)),
        _ => good(asked),
    });
    let backend = load(server(Server::at(&mock.url))).unwrap();
    let (ids, last) = outcome(&backend, request(&[5, 6], 9));
    // It still works.
    let after = backend.generate(request(&[5], 2)).last();
    assert!(matches!(after, Some(Event::Finished { .. })), "{after:?}");
    (ids.len(), last)
}

fn chunk(id: u32, more: &str) -> String {
    format!("data: {{\"choices\":[{{\"text\":\"a\",\"token_ids\":[{id}]{more}}}]}}\n\n")
}

#[test]
fn a_storm_of_429_passes_or_is_told() {
    let busy = || whole("429 Too Many Requests", "retry-after: 0\r\n", r#"{"error":"slow down"}"#);
    let finish = r#","finish_reason":"stop""#;
    let (n, last) = then(
        move |n| if n < 3 { busy() } else { Reply::Say(STREAM.to_owned() + &chunk(100, finish)) },
        |s| s,
    );
    assert!(n == 1 && matches!(last, Event::Finished { .. }), "{last:?}");
    let (_, last) = then(move |_| busy(), |s| s);
    let BackendError::Full(said) = failed(last) else { panic!() };
    assert!(said.contains("slow down") && said.contains("tried 6 times"), "{said}");
}

#[test]
fn a_stream_that_goes_wrong_is_told_with_what_came() {
    let two = || STREAM.to_owned() + &chunk(100, "") + &chunk(101, "");
    let told = |reply: fn(String) -> Reply| {
        let (n, last) =
            then(move |_| reply(two()), |s| Server { patience: Duration::from_secs(1), ..s });
        assert_eq!(n, 1, "the second may have been the last");
        failed(last).to_string()
    };
    let cut = told(Reply::Say);
    assert!(cut.contains("ended after 2 tokens, without a finish reason"), "{cut}");
    let stalled = told(Reply::Stall);
    assert!(stalled.contains("nothing came for 1s"), "{stalled}");
    let wrong =
        told(|text| Reply::Say(text + "data: {\"error\":{\"message\":\"out of memory\"}}\n\n"));
    assert!(wrong.contains("out of memory (after 2 tokens)"), "{wrong}");
    let broken = told(|text| {
        let chunked = text.replace("connection: close", "transfer-encoding: chunked");
        let (head, body) = chunked.split_once("\r\n\r\n").unwrap();
        Reply::Say(format!("{head}\r\n\r\n{:x}\r\n{body}\r\n", body.len()))
    });
    assert!(broken.contains("completions: "), "{broken}");
    let (n, last) = then(|_| whole("500 Internal Server Error", "", r#"{"detail":"boom"}"#), |s| s);
    assert!(n == 0 && failed(last).to_string().ends_with("500: boom"));
    let (_, last) = then(|_| whole("200 OK", "", "hello"), |s| s);
    assert!(failed(last).to_string().contains("expected an event stream, found: hello"));
}

#[test]
fn an_answer_that_is_short_says_how_long_it_is() {
    let finish = r#","finish_reason":"stop""#;
    let (n, last) = then(move |_| Reply::Say(STREAM.to_owned() + &chunk(100, finish)), |s| s);
    let Event::Finished { usage, reason, .. } = last else { panic!("{last:?}") };
    assert_eq!((n, usage.output_tokens, reason.as_str()), (1, 1, "stop"));
}

#[test]
fn another_prompt_than_was_sent_is_no_measurement() {
    let usage = r#","finish_reason":"length"}],"usage":{"prompt_tokens":7,"completion_tokens":1},"x":[{"y":0"#;
    let (_, last) = then(move |_| Reply::Say(STREAM.to_owned() + &chunk(100, usage)), |s| s);
    let found = failed(last).to_string();
    assert!(found.contains("the prompt has 2 tokens, the server counted 7"), "{found}");
}
