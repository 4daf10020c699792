//! Servers that speak as others do, or go wrong, over real sockets. One request a connection.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: String,
    pub(crate) body: Value,
}

/// What a server does with a connection.
pub(crate) enum Reply {
    /// Says this and closes.
    Say(String),
    /// Says this, and nothing more until the client leaves.
    Stall(String),
}

/// A server; it ends with the process.
pub(crate) struct Mock {
    pub(crate) url: String,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    /// Clients that left while it said nothing.
    pub(crate) left: Arc<AtomicUsize>,
}

impl Mock {
    pub(crate) fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Mock {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (log, gone, reply) = (asked.clone(), left.clone(), Arc::new(reply));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, gone, reply) = (log.clone(), gone.clone(), reply.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &log, &gone, &*reply));
            }
        });
        Mock { url, asked, left }
    }

    /// Bodies of completions that were asked for.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|a| a.path.ends_with("/completions")).map(|a| a.body.clone()).collect()
    }
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    gone: &AtomicUsize,
    reply: &dyn Fn(&Asked) -> Reply,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let Some(path) = first.split(' ').nth(1) else { return };
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
        headers.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let asked = Asked { path: path.to_owned(), headers, body };
    log.lock().unwrap().push(asked.clone());
    let mut stream = stream;
    match reply(&asked) {
        Reply::Say(text) => _ = stream.write_all(text.as_bytes()),
        Reply::Stall(text) => {
            let _ = stream.write_all(text.as_bytes());
            let _ = reader.read(&mut [0; 1]);
            gone.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// An answer with a length.
pub(crate) fn whole(status: &str, headers: &str, body: &str) -> Reply {
    let n = body.len();
    Reply::Say(format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {n}\r\n{headers}\r\n{body}"
    ))
}

/// The beginning of a stream that ends with its connection.
pub(crate) const STREAM: &str =
    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";

/// How a server of the family behaves.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) owner: &'static str,
    pub(crate) ids: bool,
    /// Words that it obeys; others it passes over, or refuses where it is `strict`.
    pub(crate) words: &'static [&'static str],
    pub(crate) strict: bool,
    pub(crate) per_chunk: usize,
    pub(crate) echo: bool,
}

pub(crate) const VLLM: Kind = Kind {
    owner: "vllm",
    ids: true,
    words: &["ignore_eos", "min_tokens", "return_token_ids", "cache_salt", "logprobs"],
    strict: false,
    per_chunk: 1,
    echo: true,
};

pub(crate) const LLAMA_SERVER: Kind = Kind {
    owner: "llamacpp",
    words: &["ignore_eos", "return_tokens", "verbose", "cache_prompt"],
    echo: false,
    ..VLLM
};

pub(crate) const OLLAMA: Kind =
    Kind { owner: "library", ids: false, words: &[], echo: false, ..VLLM };

/// A server of that kind, whose model says letters that its prompt decides.
pub(crate) fn llm(kind: Kind) -> impl Fn(&Asked) -> Reply + Send + Sync + Clone {
    move |asked| match asked.path.as_str() {
        "/v1/models" => {
            let model = json!({ "id": "m", "owned_by": kind.owner, "max_model_len": 64 });
            whole("200 OK", "", &json!({ "data": [model] }).to_string())
        }
        "/v1/completions" => complete(kind, &asked.body),
        _ => whole("404 Not Found", "", ""),
    }
}

fn complete(kind: Kind, body: &Value) -> Reply {
    let refuse = |text: &str| {
        let body = json!({ "error": { "message": text } }).to_string();
        whole("400 Bad Request", "", &body)
    };
    let prompt: Vec<u64> = match &body["prompt"] {
        Value::String(text) => text.bytes().map(|b| u64::from(b) + 3).collect(),
        Value::Array(ids) if kind.ids => ids.iter().map(|id| id.as_u64().unwrap()).collect(),
        _ => return refuse("prompt must be a string"),
    };
    let obeys = |word: &str| kind.words.contains(&word) && !body[word].is_null();
    let standard = ["model", "prompt", "max_tokens", "temperature", "stream", "logit_bias"];
    let unknown =
        |name: &&String| !standard.contains(&name.as_str()) && !kind.words.contains(&name.as_str());
    if let Some(name) = body.as_object().unwrap().keys().find(unknown).filter(|_| kind.strict) {
        return refuse(&format!("Unrecognized request argument supplied: {name}"));
    }
    let n = body["max_tokens"].as_u64().unwrap() as usize;
    let n_prompt = prompt.len();
    if body["echo"] == true {
        if !kind.echo {
            return refuse("echo is not supported");
        }
        let logprob = |i: usize| (i > 0).then_some(-(i as f64) / 8.0);
        let own: Vec<_> = (0..n_prompt + n).map(logprob).collect();
        let top: Vec<_> = own.iter().map(|own| own.map(|own| json!({ "a": own }))).collect();
        let logprobs = json!({ "token_logprobs": own, "top_logprobs": top });
        let body = json!({ "choices": [{ "text": "", "logprobs": logprobs }] });
        return whole("200 OK", "", &body.to_string());
    }
    let ends = !body["logit_bias"]["2"].is_null();
    let goes_on = obeys("ignore_eos") || obeys("min_tokens");
    let n = if ends && !goes_on { 1 } else { n };
    let sum: u64 = prompt.iter().sum();
    let id = |i: usize| if ends { 2 } else { 100 + (sum + 7 * i as u64) % 26 };
    let usage = json!({ "prompt_tokens": n_prompt, "completion_tokens": n });
    if body["stream"] != true {
        let body =
            json!({ "choices": [{ "text": "", "finish_reason": "length" }], "usage": usage });
        return whole("200 OK", "", &body.to_string());
    }
    let (mut text, mut n_said) = (STREAM.to_owned(), 0);
    let ids: Vec<u64> = (0..n).map(id).collect();
    for ids in ids.chunks(kind.per_chunk) {
        let letters = ids.iter().filter(|id| **id > 2).map(|id| (id - 3) as u8 as char);
        let mut choice = json!({ "text": letters.collect::<String>(), "finish_reason": null });
        if obeys("return_token_ids") {
            choice["token_ids"] = json!(ids);
        }
        if obeys("logprobs") {
            let top = json!({ "token_id:5": -0.5, "token_id:6": -1.0, "token_id:7": -1.5 });
            let (own, top) = (vec![-0.5; ids.len()], vec![top; ids.len()]);
            choice["logprobs"] = json!({ "token_logprobs": own, "top_logprobs": top });
        }
        let mut chunk = json!({ "choices": [choice] });
        n_said += ids.len();
        if obeys("return_tokens") && body["verbose"] == true {
            // One that waits for the rest of its character is never told.
            chunk["__verbose"] = json!({ "tokens": [ids.last()], "tokens_predicted": n_said });
        }
        text += &format!("data: {chunk}\n\n");
    }
    let reason = if ends && !goes_on { "stop" } else { "length" };
    let last = json!({ "choices": [{ "text": "", "finish_reason": reason }], "usage": usage });
    Reply::Say(format!("{text}data: {last}\n\ndata: [DONE]\n\n"))
}
