//! A server of the tiny model with a folder of its own for jobs, and what is asked of it.

use pacemark_testmodel::TestModel;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Longer than any of these jobs takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a tiny model and the jobs of a server.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("pacemark-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        TestModel::llama().write(&folder.join("tiny.gguf")).unwrap();
        Folder(folder)
    }

    /// A server of the tiny model.
    pub(super) fn served(&self) -> Served {
        let model = self.0.join("tiny.gguf").display().to_string();
        self.start(&["-m", &model, "-t", "1"])
    }

    pub(super) fn start(&self, arguments: &[&str]) -> Served {
        let mut command = super::binary::pacemark();
        command.args(["serve", "--port", "0"]).args(arguments);
        if !arguments.contains(&"--no-jobs") {
            command.arg("--jobs-dir").arg(self.0.join("jobs"));
        }
        let mut child =
            command.env_remove("PACEMARK_API_KEY").stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut said) = (String::new(), String::new());
        while !line.contains("ready: ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before: {said}");
            said += &line;
        }
        // Read on, so that it never waits for a reader.
        std::thread::spawn(move || stderr.lines().for_each(drop));
        let address = line.split("http://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        Served { child, address: address.replace("0.0.0.0", "127.0.0.1"), said }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) struct Served {
    pub(super) child: Child,
    pub(super) address: String,
    /// What it said until it was ready.
    pub(super) said: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill(); // a test has ended it already, or has failed
        let _ = self.child.wait();
    }
}

impl Served {
    /// A request on a connection of its own, whose answer is still to be read.
    pub(super) fn open(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        // A body that is refused is not read to its end.
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
        stream
    }

    /// Status and text of what these bytes get.
    pub(super) fn answer(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    /// Status, head and body.
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String, Vec<u8>) {
        let mut answer = Vec::new();
        let mut stream = self.open(method, path, headers, body);
        let read = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {read:?}"));
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let body = answer[end + 4..].to_vec();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
    }

    pub(super) fn json(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let json = "content-type: application/json\r\n";
        let (status, _, body) = self.call(method, path, json, body);
        let text = String::from_utf8_lossy(&body).into_owned();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
    }

    pub(super) fn get(&self, path: &str) -> (u16, Value) {
        self.json("GET", path, "")
    }

    /// Asks for a job that is taken, and its name.
    pub(super) fn submit(&self, body: &Value) -> String {
        let (status, job) = self.json("POST", "/api/benchmark", &body.to_string());
        assert_eq!(status, 202, "{job}");
        assert!(["queued", "running"].contains(&job["status"].as_str().unwrap()), "{job}");
        job["id"].as_str().unwrap().to_owned()
    }

    /// Waits until that is so of a job.
    pub(super) fn until(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let (_, job) = self.get(&format!("/api/benchmark/{id}"));
            if is_so(&job) {
                return job;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: {job}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn until_status(&self, id: &str, status: &str) -> Value {
        self.until(id, status, |job| job["status"] == status)
    }
}

/// A job that is over soon.
pub(super) fn short() -> Value {
    json!({
        "model_name": "tiny",
        "test_types": ["latency", "memory"],
        "settings": {"latency.warmup_runs": 0, "latency.test_runs": 2, "latency.input_lengths": [8],
            "latency.output_lengths": [2, 3], "memory.test_runs": 1, "memory.measure_kv_cache": false},
        "name": "first <b>try</b>",
    })
}

/// One of many rows.
pub(super) fn long() -> Value {
    let lengths: Vec<u64> = (2..40).collect();
    json!({
        "model_name": "tiny",
        "test_types": ["latency"],
        "settings": {"latency.warmup_runs": 0, "latency.test_runs": 1, "latency.input_lengths": lengths,
            "latency.output_lengths": [2]},
    })
}
