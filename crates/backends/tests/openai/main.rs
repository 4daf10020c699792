//! The `openai` backend against servers of several dialects and with many faults. Against our own
//! server it is tried in `cli`.

#![cfg(unix)]

mod faults;
mod mock;

use mock::{Asked, Kind, LLAMA_SERVER, Mock, OLLAMA, Reply, VLLM, llm};
use pacemark_backend::{Backend, BackendError, Event, GenerateRequest, TokenId, conformance};
use pacemark_backends::openai::{OpenAiBackend, OpenAiError};
use pacemark_setup::{Secret, Server, Setup};
use pacemark_testmodel::TestModel;
use serde_json::json;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// The model's file: one for all tests, removed by the system.
fn model() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let path =
            std::env::temp_dir().join(format!("pacemark-openai-{}.gguf", std::process::id()));
        TestModel::llama().write(&path).unwrap();
        path
    })
}

fn load(server: Server) -> Result<OpenAiBackend, OpenAiError> {
    let setup = Setup { n_seqs: 3, server: Some(server), ..Setup::default() };
    OpenAiBackend::load(model(), &setup)
}

fn of(kind: Kind) -> (Mock, OpenAiBackend) {
    let mock = Mock::start(llm(kind));
    let backend = load(Server::at(&mock.url)).unwrap();
    (mock, backend)
}

fn request(prompt: &[TokenId], max_tokens: usize) -> GenerateRequest {
    GenerateRequest { prompt: prompt.to_vec(), max_tokens, ignore_eos: true, ..Default::default() }
}

/// Ids of the tokens, and the last event.
fn outcome(backend: &dyn Backend, request: GenerateRequest) -> (Vec<TokenId>, Event) {
    let events: Vec<Event> = backend.generate(request).collect();
    let id = |event: &Event| if let Event::Token { id, .. } = event { Some(*id) } else { None };
    (events.iter().filter_map(id).collect(), events.last().unwrap().clone())
}

fn failed(event: Event) -> BackendError {
    if let Event::Failed(error) = event { error } else { panic!("not failed: {event:?}") }
}

#[test]
fn servers_that_take_ids_pass_the_suite_of_all_backends() {
    for kind in [VLLM, LLAMA_SERVER, Kind { per_chunk: 3, ..VLLM }] {
        let (_mock, backend) = of(kind);
        conformance::check(&backend).unwrap_or_else(|why| panic!("{}: {why}", kind.owner));
    }
}

#[test]
fn what_a_vllm_takes_is_found_and_said() {
    let (mock, backend) = of(VLLM);
    let info = backend.info();
    assert_eq!(info.engine, "vllm (ignore_eos, min_tokens)");
    assert_eq!((info.n_ctx, info.n_seqs, info.vocab_size), (64, 3, pacemark_testmodel::N_VOCAB));
    assert!(info.device.starts_with("openai 127.0.0.1:"), "{}", info.device);
    assert_eq!(info.warnings, Vec::<String>::new());
    let able = backend.capabilities();
    assert!(able.score && able.logprobs && able.batch && !able.prefix_reuse);
    let _ = outcome(&backend, request(&[5, 6], 7));
    let body = mock.bodies().pop().unwrap();
    assert_eq!((&body["prompt"], &body["min_tokens"]), (&json!([5, 6]), &json!(7)));
    assert!(body["cache_salt"].is_string(), "{body}");
    assert_eq!(backend.score(&[1, 2, 3], 1), Ok(vec![-0.25]));
}

#[test]
fn a_llama_server_says_ids_in_its_own_words_and_has_no_scores() {
    let (_mock, backend) = of(LLAMA_SERVER);
    assert_eq!(backend.info().warnings, Vec::<String>::new());
    let able = backend.capabilities();
    assert!(!able.score && !able.logprobs);
    assert!(matches!(backend.score(&[1, 2], 0), Err(BackendError::Unsupported { .. })));
    // Tokens of one character come together, and the last one's id alone: the end's stands for others.
    let (_mock, backend) = of(Kind { per_chunk: 2, ..LLAMA_SERVER });
    let (ids, last) = outcome(&backend, request(&[5], 4));
    assert_eq!(ids, [2, 112, 2, 100], "{last:?}");
}

#[test]
fn a_strict_server_is_told_what_it_knows_and_nothing_else() {
    let strict = Kind { strict: true, words: &["ignore_eos", "return_token_ids"], ..VLLM };
    let (mock, backend) = of(strict);
    let (ids, last) = outcome(&backend, request(&[5], 3));
    assert!(ids.len() == 3 && matches!(last, Event::Finished { .. }), "{last:?}");
    let body = mock.bodies().pop().unwrap();
    assert!(body.get("cache_salt").is_none() && body["ignore_eos"] == true, "{body}");
}

#[test]
fn a_server_of_text_gets_text_that_is_the_same_tokens() {
    let (mock, backend) = of(OLLAMA);
    let warnings = backend.info().warnings.join("; ");
    for part in ["takes no token ids", "tells no token ids", "ends an answer where the model does"]
    {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    assert_eq!(backend.info().engine, "library (ends where the model does)");
    // "abc": a letter is its byte and three control tokens before it.
    let (ids, last) = outcome(&backend, request(&[100, 101, 102], 4));
    let sum = 100 + 101 + 102;
    let said: Vec<TokenId> = (0..4).map(|i| 100 + (sum + 7 * i) % 26).collect();
    assert_eq!(ids, said);
    let Event::Finished { usage, .. } = last else { panic!("{last:?}") };
    assert_eq!((usage.prompt_tokens, usage.output_tokens), (3, 4));
    assert_eq!(mock.bodies().pop().unwrap()["prompt"], json!("abc"));
    // "th" is one token, not these two.
    let error = failed(outcome(&backend, request(&[119, 107], 1)).1).to_string();
    assert!(error.contains("these 2 tokens is 1 other tokens"), "{error}");
}

#[test]
fn tokens_that_share_a_chunk_share_its_stamp() {
    let (_mock, backend) = of(Kind { per_chunk: 3, ..VLLM });
    assert!(backend.info().warnings.join(" ").contains("several tokens in a chunk"));
    let stamps: Vec<_> = backend
        .generate(request(&[5], 5))
        .filter_map(|event| if let Event::Token { at, .. } = event { Some(at) } else { None })
        .collect();
    assert_eq!(stamps.len(), 5);
    assert!(stamps[0] == stamps[1] && stamps[1] == stamps[2] && stamps[3] == stamps[4]);
}

#[test]
fn a_dropped_stream_closes_its_connection() {
    let good = llm(VLLM);
    let mock = Mock::start(move |asked: &Asked| {
        if asked.body["max_tokens"] == 50 {
            let chunk = json!({ "choices": [{ "text": "a", "token_ids": [100] }] });
            return Reply::Stall(format!("{}data: {chunk}\n\ndata: {chunk}\n\n", mock::STREAM));
        }
        good(asked)
    });
    let backend = load(Server::at(&mock.url)).unwrap();
    let begun = backend.generate(request(&[5], 50)).take(3).collect::<Vec<_>>();
    assert!(matches!(begun[2], Event::Token { id: 100, .. }), "{begun:?}");
    for _ in 0..500 {
        if mock.left.load(std::sync::atomic::Ordering::SeqCst) > 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the server still waits for its client");
}

#[test]
fn a_key_and_headers_go_with_every_request() {
    let mock = Mock::start(llm(VLLM));
    let headers = vec![("x-team".to_owned(), "blue".to_owned())];
    let api_key = Some(Secret::new("sk-1"));
    load(Server { api_key, headers, ..Server::at(&mock.url) }).unwrap();
    let asked = mock.asked.lock().unwrap();
    assert!(asked.len() > 3);
    for one in asked.iter() {
        assert!(one.headers.contains("Bearer sk-1") && one.headers.contains("x-team: blue"));
    }
}

#[test]
fn another_models_file_is_found_by_its_tokens() {
    let good = llm(VLLM);
    let mock = Mock::start(move |asked: &Asked| {
        if asked.body["prompt"].is_string() {
            let usage = json!({ "choices": [], "usage": { "prompt_tokens": 20 } });
            return mock::whole("200 OK", "", &usage.to_string());
        }
        good(asked)
    });
    let found = load(Server::at(&mock.url)).err().unwrap().to_string();
    assert!(found.contains("a text of 20 tokens there is") && found.contains("-m"), "{found}");
}
