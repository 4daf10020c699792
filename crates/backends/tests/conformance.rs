//! Every backend passes the suite of the `backend` crate, on every architecture.

use pacemark_backend::{
    Backend, BackendError, Event, FinishReason, GenerateRequest, ScoreRequest, TextScores, TokenId,
    conformance,
};
use pacemark_backends::native::NativeBackend;
use pacemark_backends::{BACKENDS, BackendEntry};
use pacemark_setup::{Setup, Threads};
use pacemark_testmodel::{N_CTX, TestModel};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A model's file, removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, model: &TestModel) -> File {
        let unique = format!(
            "pacemark-backend-{}-{:?}-{name}.gguf",
            std::process::id(),
            std::thread::current().id()
        );
        let path = std::env::temp_dir().join(unique);
        model.write(&path).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Those that read the test model's file and need nothing else: tests/openai has the one that asks a
/// server, tests/side and tests/openvino_capi have the others.
fn in_this_process() -> impl Iterator<Item = &'static BackendEntry> {
    BACKENDS.iter().filter(|entry| ["native", "llama-cpp"].contains(&entry.name))
}

fn native(name: &str, model: &TestModel, n_ubatch: usize) -> NativeBackend {
    let setup = Setup { threads: Threads::new(2), n_seqs: 3, n_ubatch, ..Setup::default() };
    NativeBackend::load(&File::new(name, model).0, &setup, &mut |_, _| {}).unwrap()
}

/// Calls `check` with every backend that this build has and every architecture.
fn each(name: &str, n_seqs: usize, check: impl Fn(&str, &dyn Backend)) {
    for (architecture, model) in [("llama", TestModel::llama()), ("gemma3", TestModel::gemma3())] {
        let file = File::new(&format!("{name}-{architecture}"), &model);
        for entry in in_this_process() {
            let Ok(load) = entry.load else { continue };
            let n_ctx = Some(2 * N_CTX);
            let threads = Threads::new(2);
            let setup = Setup { threads, n_ctx, n_seqs, n_ubatch: 32, ..Setup::default() };
            let backend = load(&file.0, &setup, &mut |_, _| {}).unwrap();
            assert_eq!(backend.info().backend, entry.name);
            check(&format!("{} on {architecture}", entry.name), &*backend);
        }
    }
}

#[test]
fn every_backend_conforms_on_every_architecture() {
    for n_seqs in [1, 3] {
        each("conforms", n_seqs, |name, backend| {
            conformance::check(backend)
                .unwrap_or_else(|error| panic!("{name}, {n_seqs} sequences: {error}"));
        });
    }
}

/// Longer than what a cache keeps of gemma3's window (256 cells in llama.cpp), so that what left it
/// must be put back.
#[test]
fn a_kept_prefix_is_found_again_and_changes_nothing() {
    each("prefix", 1, |name, backend| {
        let depth: Vec<TokenId> = (0..200).map(|i| i * 7 % 300).collect();
        let run = |tail: u32, n_tail: u32, reuse_prefix| {
            let prompt =
                depth.iter().copied().chain((0..n_tail).map(|i| (tail + i * 11) % 300)).collect();
            let request = GenerateRequest {
                prompt,
                max_tokens: 5,
                ignore_eos: true,
                reuse_prefix,
                ..GenerateRequest::default()
            };
            let mut found = (0, Vec::new());
            for event in backend.generate(request) {
                match event {
                    Event::Started { cached_tokens, .. } => found.0 = cached_tokens,
                    Event::Token { id, .. } => found.1.push(id),
                    Event::Failed(error) => panic!("{name}: {error}"),
                    _ => {}
                }
            }
            found
        };
        let alone: Vec<_> = (0..3).map(|tail| run(tail, 280, false).1).collect();
        let prompt = depth.clone();
        backend
            .generate(GenerateRequest { prompt, reuse_prefix: true, ..GenerateRequest::default() })
            .for_each(drop);
        for (tail, alone) in alone.into_iter().enumerate() {
            assert_eq!(run(tail as u32, 280, true), (200, alone), "{name}, tail {tail}");
        }
    });
}

#[test]
fn more_sequences_than_were_set_up_are_refused() {
    each("seqs", 2, |name, backend| {
        let request =
            GenerateRequest { prompt: vec![3; 4], max_tokens: 2, ..GenerateRequest::default() };
        let events: Vec<_> = backend.generate_batch(vec![request; 3]).collect();
        let failed: Vec<_> =
            events.iter().filter(|(_, e)| matches!(e, Event::Failed(_))).map(|(i, _)| *i).collect();
        assert_eq!(failed, [2], "{name}");
        let refused =
            GenerateRequest { prompt: vec![100_000], max_tokens: 1, ..GenerateRequest::default() };
        let Some(Event::Failed(error)) = backend.generate(refused).last() else { panic!("{name}") };
        assert!(
            error.to_string().contains("token 100000 is outside the vocabulary of 320"),
            "{name}: {error}"
        );
    });
}

/// Two engines, one file: what they say of the same tokens may differ by quantized arithmetic only.
#[test]
#[cfg(feature = "llama-cpp")]
fn llama_cpp_and_native_agree() {
    for (name, model) in [("llama", TestModel::llama()), ("gemma3", TestModel::gemma3())] {
        let file = File::new(&format!("agree-{name}"), &model);
        let tokens: Vec<TokenId> = (0..40).map(|i| (i * 37 % 300) as TokenId).collect();
        let scores: Vec<Vec<f32>> = in_this_process()
            .map(|entry| {
                let backend =
                    entry.load.unwrap()(&file.0, &Setup::default(), &mut |_, _| {}).unwrap();
                backend.score(&tokens, 0).unwrap()
            })
            .collect();
        let mean = |of: &[f32]| of.iter().sum::<f32>() / of.len() as f32;
        assert!(
            (mean(&scores[0]) - mean(&scores[1])).abs() < 0.05,
            "{name}: {} {}",
            mean(&scores[0]),
            mean(&scores[1])
        );
    }
}

#[test]
#[cfg(feature = "llama-cpp")]
fn llama_cpp_says_why_it_refuses() {
    let load = pacemark_backends::find("llama-cpp").unwrap().load.unwrap();
    let mut model = TestModel::llama();
    model.tensors.retain(|(tensor, _)| tensor.name != "blk.3.ffn_up.weight");
    let file = File::new("refuses", &model);
    let load = |setup: Setup| match load(&file.0, &setup, &mut |_, _| {}) {
        Ok(_) => panic!("{setup:?} was accepted"),
        Err(error) => error.to_string(),
    };
    let error = load(Setup::default());
    assert!(
        error.contains("llama.cpp cannot load the model") && error.contains("blk.3.ffn_up.weight"),
        "{error}"
    );
    let error = load(Setup { threads: Threads::new(usize::MAX), ..Setup::default() });
    assert!(error.contains("n_threads") || error.contains("cannot load"), "{error}");
}

#[test]
fn the_context_defaults_to_the_models_own() {
    assert_eq!(native("ctx", &TestModel::llama(), 512).info().n_ctx, N_CTX);
}

#[test]
fn long_prompts_report_progress_and_give_the_same_tokens() {
    let model = TestModel::llama();
    let prompt: Vec<TokenId> = (0..100).map(|i| i * 3 % 320).collect();
    let run = |n_ubatch: usize| {
        let request = GenerateRequest {
            prompt: prompt.clone(),
            max_tokens: 4,
            ignore_eos: true,
            ..GenerateRequest::default()
        };
        let mut progress = Vec::new();
        let mut ids = Vec::new();
        for event in native("progress", &model, n_ubatch).generate(request) {
            match event {
                Event::Prefill { computed, of, .. } => progress.push((computed, of)),
                Event::Token { id, .. } => ids.push(id),
                Event::Finished { reason, .. } => assert_eq!(reason, FinishReason::Length),
                _ => {}
            }
        }
        (ids, progress)
    };
    let (whole, none) = run(512);
    let (chunked, progress) = run(40);
    assert!(none.is_empty());
    assert_eq!(progress, [(40, 100), (80, 100)]);
    assert_eq!(whole, chunked);
}

#[test]
fn scores_are_the_log_probabilities_of_the_tokens_that_follow() {
    let backend = native("score", &TestModel::gemma3(), 512);
    let tokens: Vec<TokenId> = (0..40).map(|i| (i * 37 % 300) as TokenId).collect();
    let scores = backend.score(&tokens, 19).unwrap();
    // The same by generation: the distribution after tokens[..=i] gives tokens[i + 1].
    for i in [19, 30, 38] {
        let request = GenerateRequest {
            prompt: tokens[..=i].to_vec(),
            max_tokens: 1,
            top_logprobs: Some(320),
            ..GenerateRequest::default()
        };
        let token = backend.generate(request).find_map(|event| match event {
            Event::Token { top, .. } => Some(top),
            _ => None,
        });
        let (_, expected) =
            token.unwrap().into_iter().find(|&(id, _)| id == tokens[i + 1]).unwrap();
        assert!(
            (scores[i - 19] - expected).abs() < 0.05,
            "position {i}: {} {expected}",
            scores[i - 19]
        );
    }
}

/// Beginnings that are computed once change no bit, and neither does who came before.
#[test]
fn texts_that_begin_alike_are_scored_as_each_alone() {
    for (name, model) in [("llama", TestModel::llama()), ("gemma3", TestModel::gemma3())] {
        let backend = native(&format!("alike-{name}"), &model, 7);
        let text = |n: usize, seed: usize, first: usize, kv: Option<&str>| {
            let token = |i: usize| if i < 20 { i * 37 % 300 } else { (i * 41 + seed) % 300 };
            let tokens = (0..n).map(|i| token(i) as TokenId).collect();
            let kv = kv.map(str::to_owned);
            ScoreRequest { tokens, first, n_prompt: kv.as_ref().map(|_| first + 1), kv }
        };
        let whole = [
            text(40, 1, 19, None),
            text(33, 2, 19, Some("full")),
            text(40, 1, 19, None),
            text(22, 3, 4, None),
            text(1, 0, 0, None),
            text(60, 5, 25, None),
        ];
        let under = [text(40, 1, 19, Some("recent:8")), text(40, 2, 19, Some("recent:8"))];
        for requests in [&whole[..], &under[..], &[]] {
            let go_on = &mut |_, _| ControlFlow::Continue(());
            let alone: Vec<TextScores> =
                requests.iter().map(|r| backend.score_text(r, go_on).unwrap()).collect();
            assert_eq!(backend.score_texts(requests).unwrap(), alone, "{name}");
        }
        let wrong = [text(40, 1, 19, None), text(4000, 1, 19, None)];
        assert!(matches!(
            backend.score_texts(&wrong),
            Err(BackendError::ContextExceeded { prompt: 3999, .. })
        ));
        assert_eq!(backend.memory().unwrap().kv_used_bytes, 0, "{name}: all is given back");
    }
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let backend = native("numbers", &TestModel::llama(), 512);
    for temperature in [f32::NAN, -1.0, f32::INFINITY] {
        let mut request =
            GenerateRequest { prompt: vec![5], max_tokens: 1, ..GenerateRequest::default() };
        request.sampling.temperature = temperature;
        match backend.generate(request).last() {
            Some(Event::Failed(error)) => {
                assert!(error.to_string().starts_with("temperature:"), "{error}")
            }
            other => panic!("{temperature} was accepted: {other:?}"),
        }
    }
}
