//! A server over a mock, and the plainest HTTP client, which shows what really is on the wire.

#![allow(dead_code)] // each test file uses a part

use pacemark_backend::{MockOptions, MockService, Service};
use pacemark_server::{Options, Running, start};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A mock's template that knows tools in the tagged form.
pub(crate) const TAGGED: &str = "{% for tool in tools %}{{ tool }}{% endfor %}<tool_call>";

/// A server on a free port, and its service.
pub(crate) struct Server {
    pub running: Running,
    pub service: Arc<MockService>,
}

/// No time between tokens.
pub(crate) fn instant() -> MockOptions {
    MockOptions { ttft: Duration::ZERO, itl: Duration::ZERO, ..MockOptions::default() }
}

/// A first token that never comes.
pub(crate) fn never() -> MockOptions {
    MockOptions { ttft: Duration::from_secs(1_000_000), ..MockOptions::default() }
}

pub(crate) fn options() -> Options {
    Options { model_names: vec!["m".into(), "alias".into()], quiet: true, ..Options::default() }
}

impl Server {
    pub(crate) fn new(mock: MockOptions, options: Options) -> Server {
        let service = Arc::new(MockService::new(mock).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let running = start(service.clone(), options, listener, None).unwrap();
        Server { running, service }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.call("POST", path, &["content-type: application/json"], body)
    }

    /// One request on a connection of its own.
    pub(crate) fn call(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = self.connect();
        // A server that refuses a body may close before it has read all of it.
        let _ = stream.write_all(request(method, path, headers, body).as_bytes());
        Answer::read(&mut stream)
    }

    /// Whether nothing is under way any more, neither in the server nor in the service.
    pub(crate) fn idle(&self) -> bool {
        let status = self.service.status();
        self.running.open_answers() == 0 && status.running == 0 && status.waiting == 0
    }

    /// Waits until `condition` holds.
    pub(crate) fn eventually(&self, what: &str, condition: impl Fn(&Server) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "it never came true: {what}: {:?}",
                self.service.status()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A request's text.
pub(crate) fn request(method: &str, path: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A completion's text.
pub(crate) fn completion(body: &str) -> String {
    request("POST", "/v1/completions", &["content-type: application/json"], body)
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads one answer; its body is complete, or what came before the connection ended.
    pub(crate) fn read(stream: &mut TcpStream) -> Answer {
        let mut bytes = Vec::new();
        let mut chunk = [0; 16384];
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            match stream.read(&mut chunk) {
                Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
                other => panic!("no answer: {other:?} after {:?}", String::from_utf8_lossy(&bytes)),
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let mut body = bytes[head_end + 4..].to_vec();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let lower = head.to_ascii_lowercase();
        let none = (status == 204).then_some(0);
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
            .or(none);
        let chunked = lower.contains("transfer-encoding: chunked");
        loop {
            let complete = match length {
                Some(length) => body.len() >= length,
                None if chunked => body.ends_with(b"\r\n0\r\n\r\n") || body == b"0\r\n\r\n",
                None => false,
            };
            if complete {
                break;
            }
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(n) => body.extend_from_slice(&chunk[..n]),
            }
        }
        let body = if chunked { unchunked(&body) } else { body };
        Answer { status, head, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The data of all events.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = String::from_utf8(self.body.clone()).unwrap();
        assert!(text.ends_with("\n\n"), "{text:?}");
        let events = text.trim_end_matches("\n\n").split("\n\n");
        events
            .map(|event| {
                event.strip_prefix("data: ").unwrap_or_else(|| panic!("{event:?}")).to_string()
            })
            .collect()
    }

    /// The chunks of a stream that ends as it should.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        let mut events = self.events();
        assert_eq!(events.pop().as_deref(), Some("[DONE]"));
        events.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(at) = bytes.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..at]).unwrap(), 16).unwrap();
        let end = (at + 2 + size).min(bytes.len());
        out.extend_from_slice(&bytes[at + 2..end]);
        bytes = bytes.get(end + 2..).unwrap_or_default();
    }
    out
}

/// Ends writing, keeps reading.
pub(crate) fn half_close(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}
