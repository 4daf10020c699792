//! What the tests of this crate share: directories, a caller, and a small HTTP server.

use crate::caller::{Caller, Transfer};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A new empty directory, removed when dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Directory {
        let path =
            std::env::temp_dir().join(format!("pacemark-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl std::ops::Deref for Directory {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A caller that is told and shown everything in vain.
pub(crate) struct Quiet;

impl Caller for Quiet {
    fn tell(&self, _: &str) {}

    fn transfer(&self, _: Option<u64>) -> Box<dyn Transfer> {
        Box::new(Quiet)
    }

    fn authorities(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

impl Transfer for Quiet {
    fn start_at(&self, _: u64) {}

    fn set(&self, _: u64) {}
}

/// A request as the server saw it: the path, and the headers in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first byte asked for by `Range: bytes=N-`.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// A server on this machine that answers each connection once, by a function of the request and how
/// many came before.
pub(crate) struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Seen, usize) -> Vec<u8> + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read_request(&stream) else { continue };
                let count = log.lock().unwrap().len();
                log.lock().unwrap().push(request.clone());
                let _ = stream.write_all(&answer(&request, count)); // the client may hang up early
            }
        });
        Server { url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> Option<Seen> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    for line in lines {
        let line = line.ok()?;
        let Some((key, value)) = line.split_once(':') else { break };
        headers.push((key.to_lowercase(), value.trim().to_owned()));
    }
    Some(Seen { path, headers })
}

/// A response with a body of which `sent` bytes are really sent.
pub(crate) fn cut_response(
    status: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    sent: usize,
) -> Vec<u8> {
    let mut out =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len())
            .into_bytes();
    headers.iter().for_each(|(key, value)| out.extend(format!("{key}: {value}\r\n").bytes()));
    out.extend(b"\r\n");
    out.extend(&body[..sent]);
    out
}

/// A whole response.
pub(crate) fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    cut_response(status, headers, body, body.len())
}
