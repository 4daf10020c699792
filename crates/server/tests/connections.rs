//! Connections that behave badly, and limits: nothing is left behind, and others are served.

mod common;

use common::{Answer, Server, completion, half_close, instant, never, options, request};
use pacemark_backend::{MockOptions, Service};
use pacemark_server::Options;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const ENDLESS: &str = r#"{"prompt": "a", "max_tokens": 8000, "stream": true}"#;
const WHOLE: &str = r#"{"prompt": "a", "max_tokens": 5}"#;

/// Waits until the server has closed the connection; what it said before.
fn until_closed(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&bytes[..n]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the connection stays open: {error}"),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn serves(server: &Server) {
    assert_eq!(server.post("/v1/completions", WHOLE).status, 200);
}

#[test]
fn clients_that_go_away_free_what_they_had() {
    let server = Server::new(never(), options());
    for body in [ENDLESS, WHOLE, r#"{"prompt": ["a", "b"], "n": 2}"#] {
        let mut gone = server.connect();
        gone.write_all(completion(body).as_bytes()).unwrap();
        server.eventually("it runs", |server| server.service.status().running > 0);
        drop(gone);
        server.eventually("it is aborted", Server::idle);
    }
    let text = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(text.contains("finished_reason=\"abort\"} 6"), "{text}");
}

#[test]
fn half_closed_is_gone() {
    let server = Server::new(never(), options());
    for body in [ENDLESS, WHOLE] {
        let mut half = server.connect();
        half.write_all(completion(body).as_bytes()).unwrap();
        server.eventually("it runs", |server| server.service.status().running == 1);
        half_close(&half);
        server.eventually("it is aborted", Server::idle);
        until_closed(&mut half);
    }
}

#[test]
fn thousands_of_connects_and_aborts_leave_nothing() {
    let mock = MockOptions { itl: Duration::from_micros(100), ..instant() };
    let server = Server::new(mock, options());
    let text = completion(ENDLESS);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (server, text) = (&server, &text);
            scope.spawn(move || {
                for i in 0..500 {
                    let mut stream = server.connect();
                    match (worker + i) % 5 {
                        0 => {} // says nothing
                        1 => stream.write_all(&text.as_bytes()[..i % text.len()]).unwrap(),
                        2 => stream.write_all(text.as_bytes()).unwrap(),
                        3 => {
                            stream.write_all(text.as_bytes()).unwrap();
                            let _ = stream.read(&mut [0; 300]).unwrap();
                        }
                        _ => {
                            stream.write_all(text.as_bytes()).unwrap();
                            half_close(&stream);
                        }
                    }
                }
            });
        }
    });
    server.eventually("nothing is left", Server::idle);
    serves(&server);
}

#[test]
fn slow_headers_and_bodies_are_cut_off() {
    let short = Duration::from_millis(100);
    let server =
        Server::new(instant(), Options { header_timeout: short, body_timeout: short, ..options() });
    let mut silent = server.connect();
    let mut slow_head = server.connect();
    slow_head.write_all(b"POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-a").unwrap();
    let mut slow_body = server.connect();
    let text = completion(WHOLE);
    slow_body.write_all(&text.as_bytes()[..text.len() - 3]).unwrap();
    assert_eq!(Answer::read(&mut slow_body).status, 408);
    until_closed(&mut slow_body);
    until_closed(&mut silent);
    until_closed(&mut slow_head);
    let mut kept = server.connect();
    kept.write_all(text.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut kept).status, 200);
    until_closed(&mut kept); // idle
    server.eventually("nothing is left", Server::idle);
    serves(&server);
}

#[test]
fn floods_of_headers_are_refused() {
    let server = Server::new(instant(), options());
    let many: String = (0..10_000).map(|i| format!("x-{i}: {i}\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(1 << 20));
    for flood in [many, long] {
        let mut stream = server.connect();
        let _ =
            stream.write_all(format!("GET /health HTTP/1.1\r\nhost: x\r\n{flood}\r\n").as_bytes());
        let said = until_closed(&mut stream);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    }
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "SSH-2.0-x\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = server.connect();
        stream.write_all(garbage.as_bytes()).unwrap();
        half_close(&stream);
        let said = until_closed(&mut stream);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    serves(&server);
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    // Log-probabilities make events long, so that the system's buffers are full after some hundred
    // of them.
    let endless = r#"{"prompt": "a", "max_tokens": 8000, "stream": true, "n": 8, "logprobs": 20}"#;
    for options in [
        Options {
            write_timeout: Duration::from_millis(200),
            max_unread_events: usize::MAX,
            ..options()
        },
        Options { write_timeout: Duration::from_secs(3600), max_unread_events: 50, ..options() },
    ] {
        let server =
            Server::new(MockOptions { itl: Duration::from_micros(200), ..instant() }, options);
        let mut unread = server.connect();
        unread.write_all(completion(endless).as_bytes()).unwrap();
        server.eventually("it has begun", |server| server.service.status().generated_tokens > 0);
        server.eventually("it is given up", |server| server.service.status().running == 0);
        let generated = server.service.status().generated_tokens;
        assert!(generated < 8 * 8000, "it was computed to its end: {generated}");
        serves(&server);
        drop(unread);
        server.eventually("nothing is left", Server::idle);
    }
}

#[test]
fn more_than_there_is_room_for_gets_429() {
    let server = Server::new(
        MockOptions { max_num_seqs: 2, ..never() },
        Options { max_queue: 3, ..options() },
    );
    let mut waiting: Vec<TcpStream> = Vec::new();
    for n in 1..=5 {
        let mut stream = server.connect();
        stream.write_all(completion(ENDLESS).as_bytes()).unwrap();
        waiting.push(stream);
        server.eventually("it is in", |server| server.running.open_answers() == n);
    }
    let refused = server.post("/v1/completions", WHOLE);
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_str()),
        (429, Some("rate_limit_exceeded"))
    );
    assert!(refused.head.contains("retry-after: "));
    let gauges =
        |server: &Server| (server.service.status().running, server.service.status().waiting);
    server.eventually("two run and three wait", |server| gauges(server) == (2, 3));
    drop(waiting.pop());
    server.eventually("one has gone", |server| server.running.open_answers() == 4);
    let two = server.post("/v1/completions", r#"{"prompt": "a", "n": 2}"#);
    assert_eq!(two.status, 429, "there is room for one");
    let text = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(text.contains("pacemark:requests_refused_total{model_name=\"m\"} 2"), "{text}");
    waiting.clear();
    server.eventually("nothing is left", Server::idle);
}

#[test]
fn more_connections_than_allowed_are_told_so() {
    let server = Server::new(instant(), Options { max_connections: 2, ..options() });
    let mut kept: Vec<TcpStream> = (0..2).map(|_| server.connect()).collect();
    for stream in &mut kept {
        stream.write_all(request("GET", "/health", &[], "").as_bytes()).unwrap();
        assert_eq!(Answer::read(stream).status, 200);
    }
    assert!(until_closed(&mut server.connect()).starts_with("HTTP/1.1 429"));
    kept.clear();
    let begun = Instant::now();
    while server_refuses(&server) {
        assert!(begun.elapsed() < Duration::from_secs(20), "no connection is let in again");
    }
}

/// Whether the server turns a connection away; it notices closed ones a moment later.
fn server_refuses(server: &Server) -> bool {
    let mut stream = server.connect();
    let _ = stream.write_all(request("GET", "/health", &["connection: close"], "").as_bytes());
    !until_closed(&mut stream).starts_with("HTTP/1.1 200")
}

#[test]
fn keys_and_origins() {
    let keys = vec!["secret".to_string(), "other".to_string()];
    let server = Server::new(
        instant(),
        Options { api_keys: keys, cors_origins: vec!["http://a".into()], ..options() },
    );
    let json = "content-type: application/json";
    let post = |headers: &[&str]| server.call("POST", "/v1/completions", headers, WHOLE);
    assert_eq!(post(&[json, "authorization: Bearer secret"]).status, 200);
    assert_eq!(post(&[json, "authorization: bEARER other"]).status, 200);
    assert_eq!(post(&[json, "X-Api-Key: other"]).status, 200);
    for wrong in [
        &[json][..],
        &[json, "authorization: Bearer secre"],
        &[json, "authorization: Basic secret"],
    ] {
        let refused = post(wrong);
        assert_eq!(
            (refused.status, refused.json()["error"]["code"].as_str()),
            (401, Some("invalid_api_key"))
        );
        assert!(refused.head.contains("www-authenticate: Bearer"));
    }
    assert_eq!(
        (
            server.get("/metrics").status,
            server.get("/v1/models").status,
            server.get("/nothing").status
        ),
        (401, 401, 401)
    );
    assert_eq!((server.get("/health").status, server.get("/ready").status), (200, 200));
    let allowed = server.call("OPTIONS", "/v1/completions", &["origin: http://a"], "");
    assert_eq!(allowed.status, 204);
    assert!(
        allowed.head.contains("access-control-allow-origin: http://a")
            && allowed.head.contains("allow-methods: GET, POST")
    );
    // What a browser asks on behalf of OpenAI's own client: all of its headers must come back.
    let own = "authorization, content-type, idempotency-key, openai-organization, openai-project, x-stainless-arch, \
        x-stainless-lang, x-stainless-os, x-stainless-retry-count, x-stainless-runtime, x-stainless-timeout";
    let asked = [
        "origin: http://a",
        "access-control-request-method: POST",
        &format!("access-control-request-headers: {own}"),
    ];
    let allowed = server.call("OPTIONS", "/v1/chat/completions", &asked, "");
    assert!(
        allowed.head.contains(&format!("access-control-allow-headers: {own}")),
        "{}",
        allowed.head
    );
    let answer = server.call(
        "POST",
        "/v1/completions",
        &["origin: http://a", json, "authorization: Bearer secret"],
        WHOLE,
    );
    assert!(answer.head.contains("access-control-expose-headers: x-request-id"), "{}", answer.head);
    let other = server.call("OPTIONS", "/v1/completions", &["origin: http://b"], "");
    assert!(other.status == 401 && !other.head.contains("access-control"));
    let closed = Server::new(instant(), options());
    let answer = closed.call("GET", "/health", &["origin: http://a"], "");
    assert!(!answer.head.contains("access-control"), "off unless asked for");
}

#[test]
fn draining_completes_what_is_under_way() {
    let slow = MockOptions { itl: Duration::from_millis(20), ..instant() };
    let server = Server::new(slow, options());
    let mut stream = server.connect();
    stream
        .write_all(completion(r#"{"prompt": "a", "max_tokens": 20, "stream": true}"#).as_bytes())
        .unwrap();
    let mut idle = server.connect();
    idle.write_all(request("GET", "/ready", &[], "").as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut idle).status, 200);
    server.eventually("it runs", |server| server.service.status().running == 1);
    server.running.drain();
    until_closed(&mut idle);
    let answer = Answer::read(&mut stream);
    assert_eq!(answer.chunks().len(), 21, "all tokens and the end");
    server.eventually("the port is closed", |server| TcpStream::connect(server.address()).is_err());
    let Server { running, service } = server;
    assert!(running.wait(), "nothing was cut short");
    // The mock counts down after its last event has been read.
    let until = Instant::now() + Duration::from_secs(10);
    while service.status().running != 0 {
        assert!(Instant::now() < until, "an answer is still under way");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn draining_ends_after_its_time() {
    let server =
        Server::new(never(), Options { drain_timeout: Duration::from_millis(100), ..options() });
    let mut stream = server.connect();
    stream.write_all(completion(ENDLESS).as_bytes()).unwrap();
    server.eventually("it runs", |server| server.service.status().running == 1);
    server.running.drain();
    until_closed(&mut stream);
    let Server { running, service } = server;
    assert!(!running.wait(), "an answer was cut short");
    let begun = Instant::now();
    while service.status().running > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is still computed");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_request_names_one_host() {
    let server = Server::new(instant(), options());
    for (head, status) in [
        ("GET /health HTTP/1.1\r\n", 400),
        ("GET /health HTTP/1.1\r\nhost: a\r\nhost: a\r\n", 400),
        ("GET /health HTTP/1.0\r\nhost: a\r\nHost: b\r\n", 400),
        ("GET /health HTTP/1.1\r\nhost: a\r\n", 200),
        ("GET /health HTTP/1.0\r\n", 200),
    ] {
        let mut stream = server.connect();
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut stream).status, status, "{head:?}");
    }
}

/// Most clients send all of a request before they read: a connection that resets meanwhile would
/// take the answer with it.
#[test]
fn refusals_reach_clients_that_are_still_sending() {
    let server = Server::new(
        instant(),
        Options { max_body_bytes: 1000, api_keys: vec!["k".into()], ..options() },
    );
    let body = "a".repeat(20 << 20);
    let (json, key) = ("content-type: application/json", "authorization: Bearer k");
    for (path, headers, status) in [
        ("/v1/completions", &[json, key][..], 413),
        ("/v1/completions", &[json], 401),
        ("/v1/completions", &[key], 415),
        ("/nothing", &[json, key], 404),
        ("/v1/models", &[json, key], 405),
    ] {
        let mut stream = server.connect();
        stream.write_all(request("POST", path, headers, &body).as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut stream).status, status, "{path} {headers:?}");
        // What was sent is read to its end, so the connection goes on.
        stream.write_all(request("GET", "/health", &[], "").as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut stream).status, 200, "{path} {headers:?}");
    }
    server.eventually("nothing is left", Server::idle);
}
