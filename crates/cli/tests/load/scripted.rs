//! A server of raw TCP that answers as it is told to, badly too: what a load generator must
//! survive.

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Bytes that answer a request, and what happens after them.
pub(crate) struct Answer {
    bytes: Vec<u8>,
    piece: usize,
    every: Duration,
    after: Duration,
    hang: bool,
    cut: bool,
    reset: bool,
}

impl Answer {
    /// These bytes, then the end of the connection.
    pub(crate) fn raw(text: &str) -> Answer {
        Answer {
            bytes: text.into(),
            piece: usize::MAX,
            every: Duration::ZERO,
            after: Duration::ZERO,
            hang: false,
            cut: true,
            reset: false,
        }
    }

    /// A status with a body.
    pub(crate) fn status(status: u16, body: &str) -> Answer {
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Answer { cut: false, ..Answer::raw(&(head + body)) }
    }

    /// A stream of events, each a chunk of HTTP.
    pub(crate) fn stream(events: impl IntoIterator<Item = String>) -> Answer {
        let mut text =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
        for event in events {
            text += &format!("{:x}\r\n{event}\r\n", event.len());
        }
        Answer { cut: false, ..Answer::raw(&(text + "0\r\n\r\n")) }
    }

    /// Without the end of the body.
    pub(crate) fn cut(mut self) -> Answer {
        self.bytes.truncate(self.bytes.len() - 5);
        Answer { cut: true, ..self }
    }

    /// With the end of the connection after it, announced or not.
    pub(crate) fn closes(mut self, announced: bool) -> Answer {
        if announced {
            let status_line = b"HTTP/1.1 200 OK\r\n".len();
            self.bytes.splice(status_line..status_line, *b"connection: close\r\n");
        }
        Answer { cut: true, ..self }
    }

    /// The connection ends by a reset.
    pub(crate) fn reset(self) -> Answer {
        Answer { reset: true, ..self }
    }

    /// Silent instead of the end of the body.
    pub(crate) fn hang(self) -> Answer {
        let whole = self.bytes.len() >= 5;
        Answer { hang: true, ..if whole { self.cut() } else { self } }
    }

    /// After a while.
    pub(crate) fn after_ms(self, ms: u64) -> Answer {
        Answer { after: Duration::from_millis(ms), ..self }
    }

    /// With a pause after each packet.
    pub(crate) fn every_ms(self, ms: u64) -> Answer {
        Answer { every: Duration::from_millis(ms), ..self }
    }

    /// In many small packets.
    pub(crate) fn in_pieces_of(self, piece: usize) -> Answer {
        Answer { piece, ..self }
    }
}

/// A chunk of a chat with this in its delta.
pub(crate) fn chat_chunk(delta: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{{delta}}}}}]}}\n\n")
}

/// The chunk with token counts.
pub(crate) fn usage_chunk(prompt: u64, completion: u64, cached: u64) -> String {
    let details = json!({ "cached_tokens": cached });
    let usage = json!({ "prompt_tokens": prompt, "completion_tokens": completion, "prompt_tokens_details": details });
    format!("data: {}\n\n", json!({ "choices": [], "usage": usage }))
}

type Script = dyn Fn(usize) -> Answer + Send + Sync;

#[derive(Default)]
struct Seen {
    bodies: Mutex<Vec<Value>>,
    /// What it tells of itself; without it, it has no such page.
    metrics: Mutex<Option<String>>,
    asked: AtomicUsize,
    connections: AtomicUsize,
    /// Answers until it dies.
    lasts: AtomicUsize,
    over: AtomicBool,
}

/// The server; it ends when dropped.
pub(crate) struct Server {
    port: u16,
    seen: Arc<Seen>,
}

impl Server {
    /// Answers request i with `script(i)`; `/v1/models` and `/tokenize` always well: a token a
    /// word, and one more where there are over 300, of which nobody can know by looking at words.
    pub(crate) fn new(script: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Server {
        Server::until(usize::MAX, script)
    }

    /// One that dies after so many answers: nobody listens any more.
    pub(crate) fn until(
        n_answers: usize,
        script: impl Fn(usize) -> Answer + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, script): (Arc<Seen>, Arc<Script>) = (Arc::default(), Arc::new(script));
        seen.lasts.store(n_answers, SeqCst);
        let of_thread = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.over.load(SeqCst) {
                    break;
                }
                let (seen, script) = (of_thread.clone(), script.clone());
                std::thread::spawn(move || serve(stream.ok()?, &seen, &*script));
            }
        });
        Server { port, seen }
    }

    /// Tells this of itself from now on; `ASKED` in it is the number of answers that it began.
    pub(crate) fn tells(self, metrics: &str) -> Server {
        *self.seen.metrics.lock().unwrap() = Some(metrics.to_owned());
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Bodies of requests for answers, in order.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.seen.bodies.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.over.store(true, SeqCst);
        // Wakes the listener, which then closes.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            std::thread::yield_now();
        }
    }
}

/// One connection. `None` when it is over.
fn serve(stream: TcpStream, seen: &Seen, script: &Script) -> Option<()> {
    seen.connections.fetch_add(1, SeqCst);
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (path, body) = request(&mut reader)?;
        if seen.asked.load(SeqCst) >= seen.lasts.load(SeqCst) {
            seen.over.store(true, SeqCst);
            return None;
        }
        if path.ends_with("/v1/models") {
            send(&mut writer, &Answer::status(200, r#"{"data":[{"id":"scripted"}]}"#))?;
            continue;
        }
        if path.ends_with("/metrics") {
            let asked = seen.asked.load(SeqCst).to_string();
            let answer = match &*seen.metrics.lock().unwrap() {
                Some(text) => Answer::status(200, &text.replace("ASKED", &asked)),
                None => Answer::status(404, "no such page"),
            };
            send(&mut writer, &answer)?;
            continue;
        }
        let body: Value = serde_json::from_slice(&body).ok()?;
        if path.ends_with("/tokenize") {
            let words = body["prompt"].as_str()?.split_whitespace().count();
            let n = words + usize::from(words > 300);
            let answer =
                json!({ "count": n, "max_model_len": 9, "tokens": vec![7; n] }).to_string();
            send(&mut writer, &Answer::status(200, &answer))?;
            continue;
        }
        seen.bodies.lock().unwrap().push(body);
        let answer = script(seen.asked.fetch_add(1, SeqCst));
        send(&mut writer, &answer)?;
        if answer.hang {
            // Until the client gives up.
            let _ = reader.read(&mut [0]);
            return None;
        }
        if answer.reset {
            // The client has read what was sent: a reset overtakes what it has not.
            std::thread::sleep(Duration::from_millis(50));
            let at_once = linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&writer, sockopt::Linger, &at_once).ok()?;
        }
        if answer.cut {
            return None;
        }
    }
}

fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if path.is_empty() {
            path = line.split(' ').nth(1)?.to_owned();
        } else if let Some(found) = line.strip_prefix("content-length:") {
            length = found.trim().parse().ok()?;
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, body))
}

fn send(writer: &mut TcpStream, answer: &Answer) -> Option<()> {
    std::thread::sleep(answer.after);
    for piece in answer.bytes.chunks(answer.piece) {
        writer.write_all(piece).ok()?;
        std::thread::sleep(answer.every);
    }
    Some(())
}
