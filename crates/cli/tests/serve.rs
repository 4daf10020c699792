//! `pacemark serve` through the real binary: a tiny model and the mock, over a socket.

#![cfg(unix)]

mod binary;

use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

struct Served {
    child: Child,
    address: String,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Served {
    fn start(arguments: &[&str]) -> Served {
        Served::started(binary::pacemark().args(["serve", "--port", "0"]).args(arguments))
    }

    fn started(command: &mut Command) -> Served {
        let mut child =
            command.env_remove("PACEMARK_API_KEY").stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("ready: ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it was ready");
        }
        let address = line.split("http://").nth(1).unwrap().split(' ').next().unwrap().to_string();
        Served { child, address, stderr }
    }

    /// Status and body of a request on a connection of its own.
    fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string())
    }

    fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.call("POST", path, "content-type: application/json\r\n", body);
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Sends SIGTERM; the exit code and all that was logged.
    fn terminate(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).unwrap();
        (code, log)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it has ended, unless a test has failed
        let _ = self.child.wait();
    }
}

#[test]
fn a_model_is_served_and_says_the_same_as_run() {
    let folder = std::env::temp_dir().join(format!("pacemark-serve-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tiny.gguf");
    TestModel::llama().write(&path).unwrap();
    let path = path.to_str().unwrap();
    let run =
        ["run", "-m", path, "-p", "abc secret", "-n", "6", "-o", "json", "--ignore-eos", "-t", "1"];
    let run: Output = binary::pacemark().args(run).output().unwrap();
    let run: Value = serde_json::from_slice(&run.stdout).unwrap();

    let served = Served::start(&["-m", path, "-t", "1", "-c", "64", "--max-num-seqs", "2"]);
    let body = r#"{"prompt": "abc secret", "max_tokens": 6, "temperature": 0, "ignore_eos": true}"#;
    let (status, answer) = served.post("/v1/completions", body);
    assert_eq!((status, &answer["model"]), (200, &Value::from("tiny")), "{answer}");
    assert_eq!(answer["choices"][0]["text"], run["text"]);
    assert_eq!(answer["usage"]["prompt_tokens"], run["prompt_ids"].as_array().unwrap().len());
    let (status, metrics) = served.call("GET", "/metrics", "", "");
    assert!(
        status == 200 && metrics.contains("vllm:generation_tokens_total{model_name=\"tiny\"} 6"),
        "{metrics}"
    );
    let (code, log) = served.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("/v1/completions done") && log.contains("+6 tokens"), "{log}");
    assert!(!log.contains("secret"), "prompts are not logged: {log}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A policy that the server is given, one that a request asks for, and none.
#[test]
fn a_policy_is_the_servers_or_the_requests() {
    let folder = std::env::temp_dir().join(format!("pacemark-kept-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tiny.gguf");
    TestModel::llama().write(&path).unwrap();
    let path = path.to_str().unwrap();
    let arguments = ["-m", path, "-c", "64", "--kv", "recent:16", "--max-prompt-tokens", "1000"];
    let served = Served::start(&arguments);
    let prompt: Vec<u32> = (0..40).map(|i| (i * 37) % 200).collect();
    let ask = |prompt: &[u32], kv: Value| {
        let mut body = serde_json::json!({
            "prompt": prompt, "max_tokens": 12, "temperature": 0, "ignore_eos": true,
        });
        if !kv.is_null() {
            body["kv"] = kv;
        }
        served.post("/v1/completions", &body.to_string())
    };
    let text = |kv: Value| {
        let (status, answer) = ask(&prompt, kv);
        assert_eq!(status, 200, "{answer}");
        answer["choices"][0]["text"].clone()
    };
    let own = text(Value::Null);
    assert_eq!(text("recent:16".into()), own, "the server's, and again with a prefix found");
    assert_ne!(text("full".into()), own);
    assert_ne!(text("streaming:4+12".into()), own);
    let long = prompt.repeat(4);
    assert_eq!(ask(&long, Value::Null).0, 200, "beyond the context, of which it keeps a part");
    let (status, answer) = ask(&long, "full".into());
    assert_eq!((status, &answer["error"]["code"]), (400, &"context_length_exceeded".into()));
    let (status, answer) = ask(&long, "recent:100".into());
    assert_eq!((status, &answer["error"]["code"]), (400, &"context_length_exceeded".into()));
    assert!(answer["error"]["message"].as_str().unwrap().contains("holds up to 101"), "{answer}");
    let (status, answer) = ask(&prompt, "recnt:4".into());
    assert_eq!((status, &answer["error"]["param"]), (400, &"kv".into()), "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("expected recent, "), "{answer}");
    assert_eq!(served.terminate().0, Some(0));
    // Whose time long prompts may take is the operator's to say.
    let strict = Served::start(&["-m", path, "-c", "64", "--kv", "recent:16"]);
    let body = serde_json::json!({ "prompt": long, "max_tokens": 1 }).to_string();
    let (status, answer) = strict.post("/v1/completions", &body);
    assert_eq!((status, &answer["error"]["code"]), (400, &"context_length_exceeded".into()));
    let body =
        serde_json::json!({ "prompt": prompt, "max_tokens": 2_000_000_000, "temperature": 0 });
    let (status, answer) = strict.post("/v1/completions", &body.to_string());
    assert!(status == 200 && answer["usage"]["completion_tokens"].as_u64() <= Some(64), "{answer}");
    assert_eq!(strict.terminate().0, Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The processors of each of the server's threads, as Linux lists them.
#[cfg(target_os = "linux")]
fn processors(served: &Served) -> Vec<(String, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", served.child.id())).unwrap();
    tasks
        .map(|task| {
            let path = task.unwrap().path();
            let status = std::fs::read_to_string(path.join("status")).unwrap();
            let list =
                status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
            (
                std::fs::read_to_string(path.join("comm")).unwrap().trim().to_string(),
                list.trim().to_string(),
            )
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_leading_thread_shares_its_processor_with_nobody() {
    let all = std::thread::available_parallelism().unwrap().get();
    if all < 2 {
        return; // nothing to share
    }
    let folder = std::env::temp_dir().join(format!("pacemark-apart-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tiny.gguf");
    TestModel::llama().write(&path).unwrap();
    let path = path.to_str().unwrap();
    for (arguments, apart) in [(&[][..], true), (&["-C", "0"], false)] {
        let served =
            Served::start(&[&["-m", path, "-t", &all.to_string(), "-c", "64"], arguments].concat());
        assert_eq!(served.post("/v1/completions", r#"{"prompt": "abc", "max_tokens": 2}"#).0, 200);
        let threads = processors(&served);
        let of_engine =
            &threads.iter().find(|(name, _)| name == "engine").expect("an engine's thread").1;
        assert_eq!(!of_engine.contains(['-', ',']), apart, "{arguments:?}: {threads:?}");
        let others =
            threads.iter().filter(|(name, _)| name == "server" || name.starts_with("compute"));
        assert!(others.clone().count() >= 2, "{threads:?}");
        for (_, list) in others {
            assert_eq!(list != of_engine, apart, "{arguments:?}: {threads:?}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_mock_is_served_with_keys_and_prompts_logged_where_asked() {
    let served = Served::start(&[
        "--mock",
        "ttft=1ms,itl=1ms,ctx=99",
        "--api-key",
        "k",
        "--log-prompts",
        "-a",
        "x,y",
    ]);
    let (status, _) = served.post("/v1/completions", r#"{"prompt": "told"}"#);
    assert_eq!(status, 401);
    let headers = "content-type: application/json\r\nauthorization: Bearer k\r\n";
    let (status, _) =
        served.call("POST", "/v1/completions", headers, r#"{"prompt": "told", "model": "y"}"#);
    assert_eq!(status, 200);
    let (code, log) = served.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("\"told\"") && !log.contains("Bearer"), "{log}");
}

#[test]
fn what_cannot_be_served_is_said_with_code_1_or_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, code, message) in [
        (&["--mock", "itl=1ms", "--port", &port][..], 1, "cannot listen on 127.0.0.1"),
        (&["--mock", "itl=fast"], 2, "expected a time"),
        (&["--mock", "itl=1ms", "-m", "x.gguf"], 2, "cannot be used with"),
        (&["--mock", "itl=1ms", "--api-key", ""], 2, "must not be empty"),
        (&["-m", "does-not-exist.gguf", "--port", "0"], 2, "does-not-exist.gguf"),
    ] {
        let output = binary::pacemark().arg("serve").args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(message) && !text.contains("panicked"), "{arguments:?}: {text}");
    }
}

/// A pipe holds 64 KB; the log of a thousand requests is longer.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let served = Served::start(&["--mock", "ttft=0,itl=0"]);
    let body = r#"{"prompt": "a", "max_tokens": 1}"#;
    let request = format!(
        "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = BufReader::new(TcpStream::connect(&served.address).unwrap());
    for _ in 0..2000 {
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).unwrap() > 0);
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = n.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        std::io::copy(&mut (&mut stream).take(length), &mut std::io::sink()).unwrap();
    }
    let (code, log) = served.terminate();
    assert_eq!(code, Some(0));
    assert!(log.len() >= 60_000, "the pipe was full: {}", log.len());
}

#[test]
fn a_log_that_nobody_can_read_ends_nothing() {
    let mut served = Served::start(&["--mock", "ttft=0,itl=0"]);
    let (reader, _) = std::io::pipe().unwrap();
    served.stderr =
        BufReader::new(std::process::ChildStderr::from(std::os::fd::OwnedFd::from(reader)));
    for _ in 0..50 {
        assert_eq!(served.post("/v1/completions", r#"{"prompt": "a", "max_tokens": 1}"#).0, 200);
    }
    assert_eq!(served.terminate().0, Some(0));
}

#[test]
fn names_and_bracketed_addresses_are_listened_on() {
    for host in ["localhost", "127.0.0.1", "[127.0.0.1]"] {
        let served = Served::start(&["--mock", "ttft=0,itl=0", "--host", host]);
        assert_eq!(served.call("GET", "/health", "", "").0, 200, "{host}");
    }
}

#[test]
fn an_end_that_cuts_answers_short_is_a_failure() {
    let served = Served::start(&["--mock", "ttft=1000s", "--drain-timeout", "10ms"]);
    let mut stream = TcpStream::connect(&served.address).unwrap();
    let body = r#"{"prompt": "a"}"#;
    let head =
        "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    stream
        .write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())
        .unwrap();
    while !served
        .call("GET", "/metrics", "", "")
        .1
        .contains("num_requests_running{model_name=\"mock\"} 1")
    {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let (code, log) = served.terminate();
    assert_eq!(code, Some(1));
    assert!(log.contains("ended with 1 answers"), "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn running_out_of_descriptors_is_said_and_passes() {
    let mut child = binary::shell();
    child.args([
        "-c",
        "ulimit -n 24; exec \"$0\" serve --port 0 --mock ttft=0,itl=0",
        env!("CARGO_BIN_EXE_pacemark"),
    ]);
    let served = Served::started(&mut child);
    let many: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(&served.address).unwrap()).collect();
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(many);
    assert_eq!(served.call("GET", "/health", "", "").0, 200);
    let (_, log) = served.terminate();
    assert!(log.contains("cannot accept a connection") && log.contains("24 files"), "{log}");
}

#[test]
fn a_required_call_may_refer_to_definitions() {
    let folder = std::env::temp_dir().join(format!("pacemark-required-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tiny.gguf");
    TestModel::llama().write(&path).unwrap();
    // The tiny model's tokens are letters: its context has no room for more than the tools' names.
    let template = folder.join("names.jinja");
    let names = "{% for tool in tools or [] %}<tool_call>{{ tool.function.name }}{% endfor %}";
    std::fs::write(
        &template,
        format!("{names}{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}"),
    )
    .unwrap();
    let template = template.to_str().unwrap();
    let served = Served::start(&[
        "-m",
        path.to_str().unwrap(),
        "-t",
        "1",
        "-c",
        "256",
        "--chat-template",
        template,
    ]);
    let parameters = serde_json::json!({
        "properties": { "mood": { "$ref": "#/$defs/Mood" } }, "required": ["mood"],
        "$defs": { "Mood": { "enum": ["glad", "sad"] } },
    });
    let tool = |name: &str| serde_json::json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    let body = serde_json::json!({
        "messages": [{"role": "user", "content": "a"}], "tools": [tool("f"), tool("g")], "tool_choice": "required",
        "parallel_tool_calls": false,
    });
    let (status, answer) = served.post("/v1/chat/completions", &body.to_string());
    assert_eq!(status, 200, "{answer}");
    let arguments =
        answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    assert!(arguments["mood"] == "glad" || arguments["mood"] == "sad", "{answer}");
    std::fs::remove_dir_all(&folder).unwrap();
}
