//! The backend over a real process: an engine that counts, and ones that crash, lie and die. Real
//! packages are `tests/side.rs`.

use super::*;
use pacemark_backend::{FinishReason, conformance};
use pacemark_setup::{DType, Precision, Setup};
use pacemark_testmodel::TestModel;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// An engine whose next token is the last one's and the number of tokens, within the vocabulary; the
/// score of a token is minus a thousandth of it.
const COUNTING: &str = r#"
import os, side, sys, time
class Engine:
    name = "counting 1"
    def load(self, ask, progress):
        if ask["model"].endswith("refused.gguf"):
            raise side.Refused("unsupported", "not one that it counts")
        self.n_vocab = 40
        return dict(device=ask["device"], n_ctx=ask["n_ctx"] or 64, n_seqs=ask["n_seqs"], n_vocab=self.n_vocab, n_threads=ask["n_threads"],
                    scores=True, predicts=True, logprobs=False, batches=True, load_ns=[["load", 5]], warnings=["of the engine"])
    def generate(self, job):
        for i, request in enumerate(job.requests):
            special(request["prompt"])
            job.started(index=i)
            last, n = request["prompt"][-1], len(request["prompt"])
            ended = False
            for k in range(request["max_tokens"]):
                if job.is_aborted(i):
                    break
                last = (last + n + k) % self.n_vocab
                job.token(last, index=i)
                if last in request["stop_tokens"] and k + 1 >= request["min_tokens"]:
                    ended = True
                    break
            if not job.is_aborted(i):
                job.finished(stopped=ended, index=i)
    def logits(self, tokens):
        return [-x / 1000 - 3.7 for x in range(self.n_vocab)]
    def score(self, tokens, first):
        import math
        total = math.log(sum(map(math.exp, self.logits(tokens))))
        if tokens[0] == 35:
            total = -1e30
        return [self.logits(tokens)[t] - total for t in tokens[first + 1:]], []
    def predict(self, job, tokens, first):
        import struct
        for at in range(first, len(tokens) - 1):
            job.row(at, struct.pack(f"<{self.n_vocab}f", *self.logits(tokens)))
def special(prompt):
    if prompt[0] == 36:
        os._exit(3)
    if prompt[0] == 37:
        os.kill(os.getpid(), 9)
    if prompt[0] == 38:
        os.write(3, b"not a message\n")
        time.sleep(9)
    if prompt[0] == 39:
        raise RuntimeError("out of paper")
os.dup2(side.out.fileno(), 3)
side.serve(Engine())
"#;

static ENGINE: Engine = Engine {
    name: "counting",
    help: "for this test",
    device: "CPU",
    devices: &["CPU"],
    modules: &["json"],
    install: "nothing to install",
    reads: "what it is given",
    cache: &[DType::F16],
    precisions: &[Precision::F32],
    rounds: &[],
    script: COUNTING,
};

fn model() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("side-{}-{}.gguf", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let path = std::env::temp_dir().join(name);
    TestModel::llama().write(&path).unwrap();
    path
}

/// `None`, and a word why, where there is no Python.
fn loaded(n_seqs: usize) -> Option<SideBackend> {
    if let Some(lacking) = look(&ENGINE, &AtomicBool::new(false)).lacking {
        eprintln!("skipped: {}", lacking.cause);
        return None;
    }
    let path = model();
    let setup = Setup { n_ctx: Some(64), n_seqs, ..Setup::default() };
    let backend = SideBackend::load(&ENGINE, &path, &setup, &mut |_, _| {}).unwrap();
    std::fs::remove_file(path).unwrap();
    Some(backend)
}

fn request(first: TokenId, max_tokens: usize) -> GenerateRequest {
    let prompt = vec![first, 2, 3];
    GenerateRequest { prompt, max_tokens, ignore_eos: true, ..GenerateRequest::default() }
}

#[test]
fn it_keeps_the_contract_of_all_backends() {
    for n_seqs in [1, 3] {
        let Some(backend) = loaded(n_seqs) else { return };
        conformance::check(&backend).unwrap();
        let info = backend.info();
        assert_eq!((info.engine.as_str(), info.backend.as_str()), ("counting 1", "counting"));
        assert!(info.warnings.contains(&"of the engine".to_owned()));
        assert!(info.model_type.starts_with("llama"), "the file describes it: {}", info.model_type);
    }
}

#[test]
fn its_memory_is_the_processs_and_it_ends_with_its_owner() {
    let Some(backend) = loaded(1) else { return };
    let Computes::Process(id) = backend.computes() else { panic!("it computes elsewhere") };
    let exists = || std::path::Path::new(&format!("/proc/{id}")).exists();
    assert!(exists() && id != std::process::id());
    drop(backend);
    assert!(!exists());
}

#[test]
fn whatever_becomes_of_the_process_is_an_error_that_says_so() {
    let expected = [
        (36, "exit status: 3"),
        (37, "signal: 9"),
        (38, "no message of protocol"),
        (39, "RuntimeError: out of paper"),
    ];
    for (first, words) in expected {
        let Some(backend) = loaded(1) else { return };
        let begun = Instant::now();
        let events: Vec<Event> = backend.generate(request(first, 3)).collect();
        let Some(Event::Failed(error)) = events.last() else { panic!("{events:?}") };
        let error = error.to_string();
        assert!(error.starts_with("counting: ") && error.contains(words), "{error}");
        assert!(begun.elapsed() < COMPUTE, "it was not waited for");
        let after = backend.generate(request(1, 1)).last();
        // An error of one request is none of the next; a process that is gone stays gone.
        assert_eq!(matches!(after, Some(Event::Finished { .. })), first == 39, "{after:?}");
    }
}

#[test]
fn tokens_that_end_an_answer_and_stop_texts_are_this_sides() {
    let Some(backend) = loaded(1) else { return };
    let with = |request: GenerateRequest| {
        let events: Vec<Event> = backend.generate(request).collect();
        let n = events.iter().filter(|event| matches!(event, Event::Token { .. })).count();
        match events.last() {
            Some(Event::Finished { reason, .. }) => (n, *reason),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(request(1, 5)), (5, FinishReason::Length));
    // 3 + 3 = 6, 6 + 4 = 10, 10 + 5 = 15.
    let stop_tokens = vec![10];
    assert_eq!(with(GenerateRequest { stop_tokens, ..request(1, 5) }), (2, FinishReason::Stop));
    let text = |ids: &[TokenId]| {
        let tokenizer = backend.tokenizer.as_ref().unwrap();
        tokenizer.decode(ids).unwrap()
    };
    let stop = vec![text(&[10])];
    assert!(!stop[0].is_empty());
    assert_eq!(with(GenerateRequest { stop, ..request(1, 5) }), (2, FinishReason::Stop));
}

#[test]
fn a_model_that_it_does_not_take_is_refused_by_name() {
    if loaded(1).is_none() {
        return;
    }
    let path = std::env::temp_dir().join(format!("{}-refused.gguf", std::process::id()));
    TestModel::llama().write(&path).unwrap();
    let load = |path: &std::path::Path, setup: &Setup| {
        SideBackend::load(&ENGINE, path, setup, &mut |_, _| {}).err().unwrap().to_string()
    };
    let refused = load(&path, &Setup::default());
    std::fs::remove_file(&path).unwrap();
    assert!(refused.contains("refused.gguf: not one that it counts"), "{refused}");
    assert!(refused.ends_with("(it reads what it is given)"), "{refused}");
    let missing = load(&path, &Setup::default());
    assert!(missing.contains("refused.gguf: cannot open the file"), "{missing}");
}

#[test]
fn scores_that_can_be_none_are_an_error_and_not_a_perplexity() {
    let Some(backend) = loaded(1) else { return };
    assert!(backend.score(&[34, 2, 3], 0).is_ok());
    let error = backend.score(&[35, 2, 3], 0).unwrap_err().to_string();
    assert!(error.starts_with("counting: expected a log-probability, found"), "{error}");
}
