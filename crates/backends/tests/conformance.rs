//! Every backend passes the suite of the `backend` crate, on every architecture.

use pacemark_backend::{Backend, Event, FinishReason, GenerateRequest, TokenId, conformance};
use pacemark_backends::native::{NativeBackend, NativeOptions};
use pacemark_testmodel::{N_CTX, TestModel};

fn native(name: &str, model: &TestModel, n_ubatch: usize) -> NativeBackend {
    let unique = format!("pacemark-backend-{}-{:?}-{name}.gguf", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(unique);
    model.write(&path).unwrap();
    let options = NativeOptions { n_threads: 2, n_ctx: None, n_ubatch };
    let backend = NativeBackend::load(&path, options, &mut |_, _| {}).unwrap();
    std::fs::remove_file(&path).unwrap();
    backend
}

#[test]
fn native_conforms_on_every_architecture() {
    for (name, model) in [("llama", TestModel::llama()), ("gemma3", TestModel::gemma3())] {
        conformance::check(&native(name, &model, 512)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
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
        let request =
            GenerateRequest { prompt: prompt.clone(), max_tokens: 4, ignore_eos: true, ..GenerateRequest::default() };
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
        let (_, expected) = token.unwrap().into_iter().find(|&(id, _)| id == tokens[i + 1]).unwrap();
        assert!((scores[i - 19] - expected).abs() < 0.05, "position {i}: {} {expected}", scores[i - 19]);
    }
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let backend = native("numbers", &TestModel::llama(), 512);
    for temperature in [f32::NAN, -1.0, f32::INFINITY] {
        let mut request = GenerateRequest { prompt: vec![5], max_tokens: 1, ..GenerateRequest::default() };
        request.sampling.temperature = temperature;
        match backend.generate(request).last() {
            Some(Event::Failed(error)) => assert!(error.to_string().starts_with("temperature:"), "{error}"),
            other => panic!("{temperature} was accepted: {other:?}"),
        }
    }
}
