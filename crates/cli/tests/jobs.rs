//! Benchmarks over HTTP through the real binary: jobs from being asked for to their results, beside
//! answers, against wrong bodies, and after the server was killed.

#![cfg(unix)]

mod binary;

use pacemark_testmodel::TestModel;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any of these jobs takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a tiny model and the jobs of a server.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("pacemark-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        TestModel::llama().write(&folder.join("tiny.gguf")).unwrap();
        Folder(folder)
    }

    /// A server of the tiny model.
    fn served(&self) -> Served {
        let model = self.0.join("tiny.gguf").display().to_string();
        self.start(&["-m", &model, "-t", "1"])
    }

    fn start(&self, arguments: &[&str]) -> Served {
        let mut command = binary::pacemark();
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

struct Served {
    child: Child,
    address: String,
    /// What it said until it was ready.
    said: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill(); // a test has ended it already, or has failed
        let _ = self.child.wait();
    }
}

impl Served {
    /// A request on a connection of its own, whose answer is still to be read.
    fn open(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        // A body that is refused is not read to its end.
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
        stream
    }

    /// Status, head and body.
    fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, Vec<u8>) {
        let mut answer = Vec::new();
        let mut stream = self.open(method, path, headers, body);
        let read = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {read:?}"));
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let body = answer[end + 4..].to_vec();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
    }

    fn json(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let json = "content-type: application/json\r\n";
        let (status, _, body) = self.call(method, path, json, body);
        let text = String::from_utf8_lossy(&body).into_owned();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.json("GET", path, "")
    }

    /// Asks for a job that is taken, and its name.
    fn submit(&self, body: &Value) -> String {
        let (status, job) = self.json("POST", "/api/benchmark", &body.to_string());
        assert_eq!(status, 202, "{job}");
        assert!(["queued", "running"].contains(&job["status"].as_str().unwrap()), "{job}");
        job["id"].as_str().unwrap().to_owned()
    }

    /// Waits until that is so of a job.
    fn until(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
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

    fn until_status(&self, id: &str, status: &str) -> Value {
        self.until(id, status, |job| job["status"] == status)
    }
}

/// A job that is over soon.
fn short() -> Value {
    json!({
        "model_name": "tiny",
        "test_types": ["latency", "memory"],
        "settings": {"latency.warmup_runs": 0, "latency.test_runs": 2, "latency.input_lengths": [8],
            "latency.output_lengths": [2, 3], "memory.test_runs": 1, "memory.measure_kv_cache": false},
        "name": "first <b>try</b>",
    })
}

/// One of many rows.
fn long() -> Value {
    let lengths: Vec<u64> = (2..40).collect();
    json!({
        "model_name": "tiny",
        "test_types": ["latency"],
        "settings": {"latency.warmup_runs": 0, "latency.test_runs": 1, "latency.input_lengths": lengths,
            "latency.output_lengths": [2]},
    })
}

#[test]
fn a_job_from_being_asked_for_to_its_results() {
    let folder = Folder::new("jobs");
    let served = folder.served();
    let id = served.submit(&short());
    // Its progress, from any moment until its end.
    let mut told = String::new();
    served
        .open("GET", &format!("/api/benchmark/{id}/events"), "", "")
        .read_to_string(&mut told)
        .unwrap();
    assert!(told.contains("text/event-stream") && told.contains("event: end"), "{told}");
    let job = served.until_status(&id, "completed");
    assert_eq!((&job["progress"]["done"], &job["progress"]["of"]), (&3.into(), &3.into()), "{job}");
    assert_eq!(job["request"]["name"], "first <b>try</b>");
    assert!(job["finished_at"].as_u64() >= job["started_at"].as_u64());

    let (_, document) = served.get("/openapi.json");
    let formats = &document["components"]["schemas"]["ResultFormat"]["enum"];
    let formats: Vec<&str> = formats.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for format in ["json", "jsonl", "csv", "md", "html", "svg", "png", "report"] {
        assert!(formats.contains(&format), "{formats:?}");
    }
    for format in formats {
        let path = format!("/api/benchmark/{id}/results?format={format}");
        let (status, head, body) = served.call("GET", &path, "", "");
        assert_eq!(status, 200, "{format}: {}", String::from_utf8_lossy(&body));
        assert!(!body.is_empty() && head.contains("content-type: "), "{format}: {head}");
    }
    let (_, rows) = served.get(&format!("/api/benchmark/{id}/results"));
    let parts: Vec<&str> =
        rows.as_array().unwrap().iter().filter_map(|r| r["part"].as_str()).collect();
    assert!(parts.contains(&"latency") && parts.contains(&"memory"), "{rows}");
    let (_, own) = served.get(&format!("/api/benchmark/{id}/results?format=report"));
    assert_eq!(own["model_name"], "tiny");
    let (_, list) = served.get("/api/benchmark?status=completed");
    assert_eq!(
        (list["data"].as_array().unwrap().len(), &list["data"][0]["id"]),
        (1, &id.as_str().into())
    );
    assert_eq!(served.json("DELETE", &format!("/api/benchmark/{id}"), "").0, 409, "it is over");
}

/// The call of the report that this came from, as it is written there.
#[test]
fn the_call_that_others_make() {
    let folder = Folder::new("jobs-seed");
    let served = folder.served();
    let body = r#"{"model_name": "gpt2", "test_types": ["latency", "memory"]}"#;
    let (status, job) = served.json("POST", "/api/benchmark", body);
    assert_eq!(status, 202, "{job}");
    let id = job["id"].as_str().unwrap();
    served.until(id, "begun", |job| job["status"] != "queued");
    let (status, _) = served.json("POST", &format!("/api/benchmark/{id}/cancel"), "{}");
    assert_eq!(status, 200);
    served.until_status(id, "cancelled");
}

#[test]
fn bodies_and_names_that_cannot_be_are_refused_by_name() {
    let folder = Folder::new("jobs-wrong");
    let served = folder.served();
    for (body, status, field, why) in [
        (json!({"model_name": "no-such-model"}), 404, "model_name", "there is no model"),
        (json!({"model_name": "../../etc/passwd"}), 404, "model_name", "there is no model"),
        (json!({"model_name": "/etc/passwd"}), 404, "model_name", "there is no model"),
        (json!({"model_name": ""}), 400, "model_name", "1 to 200 bytes"),
        (json!({"model_name": "x".repeat(300)}), 400, "model_name", "found 300 bytes"),
        (json!({"model_name": 3}), 400, "model_name", "expected a string"),
        (json!({"test_types": []}), 400, "model_name", "missing field"),
        (json!({"model_name": "tiny", "test_types": []}), 400, "test_types", "some of latency"),
        (json!({"model_name": "tiny", "test_types": ["speed"]}), 400, "test_types[0]", "speed"),
        (
            json!({"model_name": "tiny", "test_types": ["memory", "memory"]}),
            400,
            "test_types",
            "each once",
        ),
        (json!({"model_name": "tiny", "test_type": ["memory"]}), 400, "test_type", "unknown field"),
        (
            json!({"model_name": "tiny", "settings": {"report.output_dir": "/tmp"}}),
            400,
            "settings",
            "expected settings of",
        ),
        (
            json!({"model_name": "tiny", "settings": {"latency.test_rums": 1}}),
            400,
            "settings",
            "test_rums",
        ),
    ] {
        let (found, error) = served.json("POST", "/api/benchmark", &body.to_string());
        let told = error["error"]["message"].as_str().unwrap();
        assert_eq!(found, status, "{body}: {told}");
        assert!(told.contains(why), "{body}: {told}");
        assert_eq!(error["error"]["param"], field, "{body}: {error}");
    }
    let large = format!("{{\"model_name\": \"{}\"}}", "x".repeat(10 << 20));
    assert_eq!(served.json("POST", "/api/benchmark", &large).0, 413);
    assert_eq!(served.json("POST", "/api/benchmark", "{").0, 400);
    for path in ["nothing", "..%2f..%2fetc", "%00", "nothing/events", "nothing/results"] {
        assert_eq!(served.get(&format!("/api/benchmark/{path}")).0, 404, "{path}");
    }
    assert_eq!(served.get("/api/benchmark?status=done").0, 400);
    assert_eq!(served.get("/api/benchmark?limit=1001").0, 400);
    assert_eq!(served.get("/api/benchmark?limit=-1").0, 400);
    assert_eq!(served.get("/api/benchmark").1["data"], json!([]), "nothing was taken");
    let id = served.submit(&short());
    let (status, error) = served.get(&format!("/api/benchmark/{id}/results?format=pdf"));
    assert_eq!((status, &error["error"]["param"]), (400, &"format".into()));
}

#[test]
fn nothing_is_measured_beside_answers_and_nothing_answered_beside_a_measurement() {
    let folder = Folder::new("jobs-traffic");
    let served = folder.start(&["--mock", "ttft=10ms,itl=40ms,seqs=8"]);
    // Eight seconds: whoever asks for a job meanwhile may be slow.
    let ask = r#"{"prompt": "a b c", "max_tokens": 200, "stream": true, "ignore_eos": true}"#;
    let json = "content-type: application/json\r\n";
    let mut streams: Vec<TcpStream> =
        (0..8).map(|_| served.open("POST", "/v1/completions", json, ask)).collect();
    for stream in &mut streams {
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    let id = served.submit(&json!({"model_name": "gpt2", "test_types": ["latency"]}));
    let waits = served.until(&id, "what it waits for", |job| job["waits_for"].is_string());
    assert_eq!(waits["status"], "queued");
    assert!(waits["waits_for"].as_str().unwrap().ends_with("answers under way"), "{waits}");
    for mut stream in streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("[DONE]"), "who was answered is answered to the end: {answer}");
    }
    served.until_status(&id, "running");
    let second = served.submit(&json!({"model_name": "gpt2", "test_types": ["latency"]}));
    let (status, error) = served.json("POST", "/v1/completions", ask);
    assert_eq!((status, &error["error"]["code"]), (503, &"benchmark_running".into()), "{error}");
    assert_eq!(served.get(&format!("/api/benchmark/{second}")).1["status"], "queued");
    for id in [&second, &id] {
        assert_eq!(served.json("DELETE", &format!("/api/benchmark/{id}"), "").0, 200);
        served.until_status(id, "cancelled");
    }
    let short = ask.replace("200", "5");
    let (status, _, body) = served.call("POST", "/v1/completions", json, &short);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
}

#[test]
fn what_was_measured_outlives_a_server_that_was_killed() {
    let folder = Folder::new("jobs-killed");
    let mut served = folder.served();
    let (id, waiting) = (served.submit(&long()), served.submit(&short()));
    served.until(&id, "a row", |job| job["progress"]["done"].as_u64() > Some(0));
    let second = folder.served();
    assert!(second.said.contains("another server's"), "{}", second.said);
    drop(second);
    served.child.kill().unwrap();
    served.child.wait().unwrap();

    let served = folder.served();
    let (_, job) = served.get(&format!("/api/benchmark/{id}"));
    assert_eq!(job["status"], "failed", "{job}");
    assert!(job["error"].as_str().unwrap().contains("what was measured is kept"), "{job}");
    assert!(job["progress"]["done"].as_u64() > Some(0), "{job}");
    let (status, rows) = served.get(&format!("/api/benchmark/{id}/results"));
    assert!(status == 200 && !rows.as_array().unwrap().is_empty(), "{rows}");
    served.until_status(&waiting, "completed");
    // One that is told to end, ends soon, whoever follows a job.
    let (running, waiting) = (served.submit(&long()), served.submit(&short()));
    served.until_status(&running, "running");
    let follow = served.open("GET", &format!("/api/benchmark/{waiting}/events"), "", "");
    let begun = Instant::now();
    let mut served = served;
    let id = served.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(25), "it waited for its followers");
    drop(follow);
}

/// What a browser is given; what stands in each page is `lab`'s own tests' business.
#[test]
fn pages_are_there_for_browsers() {
    let folder = Folder::new("jobs-pages");
    let served = folder.start(&["--mock", "ttft=1ms,itl=1ms", "--api-key", "k"]);
    let (browser, cookie) = ("accept: text/html\r\n", "cookie: pacemark_key=k\r\n");
    let page = |path: &str, headers: &str| {
        let (status, head, body) = served.call("GET", path, headers, "");
        (status, head, String::from_utf8(body).unwrap())
    };
    for path in ["/", "/jobs", "/live", "/chat", "/trends", "/compare"] {
        assert_eq!(page(path, browser).0, 303, "{path}: a key is asked for");
        let (status, head, body) = page(path, cookie);
        assert_eq!(status, 200, "{path}: {body}");
        assert!(head.contains("content-security-policy: default-src 'self'"), "{path}: {head}");
        assert!(
            body.starts_with("<!doctype html>") || body.starts_with("<!DOCTYPE html>"),
            "{body}"
        );
        for file in ["/assets/pages.css", "/assets/pages.js"] {
            assert!(body.contains(file), "{path}: {file}");
            assert_eq!(page(file, "").0, 200, "what pages are made of takes no key");
        }
    }
    assert_eq!(page("/login?to=/jobs", browser).0, 200);
    assert_eq!(page("/runs/nothing", cookie).0, 404);
}

#[test]
fn whoever_has_no_key_cannot_hold_a_server() {
    let folder = Folder::new("jobs-keys");
    let served = folder.start(&["--mock", "ttft=1ms,itl=1ms", "--host", "0.0.0.0"]);
    let (status, error) = served.json("POST", "/api/benchmark", r#"{"model_name": "gpt2"}"#);
    assert_eq!((status, &error["error"]["code"]), (403, &"jobs_not_taken".into()), "{error}");
    drop(served);
    let served = folder.start(&["--mock", "ttft=1ms,itl=1ms", "--api-key", "k 1"]);
    assert_eq!(served.get("/api/benchmark").0, 401);
    let cookie = "cookie: pacemark_key=k%201\r\n";
    assert_eq!(served.call("GET", "/api/benchmark", cookie, "").0, 200);
    let (status, head, _) = served.call("GET", "/jobs", "accept: text/html\r\n", "");
    assert!(status == 303 && head.contains("/login?to=/jobs"), "{head}");
    drop(served);
    let served = folder.start(&["--mock", "ttft=1ms,itl=1ms", "--no-jobs"]);
    assert_eq!(served.get("/api/benchmark").0, 404);
}
