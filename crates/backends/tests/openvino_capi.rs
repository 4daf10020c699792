//! OpenVINO without Python for real, where it is: the conformance suite on the OpenVINO-IR directory that
//! `PACEMARK_TEST_OPENVINO_IR` names, and what it holds likely against what Pacemark's own engine does on
//! the same weights, the file that `PACEMARK_TEST_OPENVINO_GGUF` names. What is not here is skipped with
//! the reason printed.

use pacemark_backend::{Backend, Event, GenerateRequest, ScoreRequest, TokenId, conformance};
use pacemark_backends::{ModelText, find, look};
use pacemark_setup::{Offload, Precision, Setup};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Of Charles Darwin, On the Origin of Species (1859).
const TEXT: &str = "There is grandeur in this view of life, with its several powers, having been originally breathed into a few \
     forms or into one; and that, whilst this planet has gone cycling on according to the fixed law of gravity, from so \
     simple a beginning endless forms most beautiful and most wonderful have been, and are being, evolved.";

fn named(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: {variable} names nothing");
    }
    path
}

/// The directory, if the library is here too.
fn graph() -> Option<PathBuf> {
    let path = named("PACEMARK_TEST_OPENVINO_IR")?;
    match look(find("openvino-capi").unwrap(), &AtomicBool::new(false)).lacking {
        None => Some(path),
        Some(lacking) => {
            eprintln!("skipped: {} ({})", lacking.cause, lacking.mend);
            None
        }
    }
}

fn load(backend: &str, path: &Path, setup: &Setup) -> Result<Box<dyn Backend>, String> {
    let load = find(backend).unwrap().load.unwrap();
    load(path, setup, &mut |_, _| {}).map_err(|error| error.to_string())
}

fn setup() -> Setup {
    Setup { n_ctx: Some(256), n_seqs: 3, precision: Some(Precision::F32), ..Setup::default() }
}

#[test]
fn it_keeps_the_contract() {
    let Some(path) = graph() else { return };
    for n_seqs in [1, 3] {
        let backend = load("openvino-capi", &path, &Setup { n_seqs, ..setup() }).unwrap();
        let info = backend.info();
        assert_eq!((info.backend.as_str(), info.n_seqs), ("openvino-capi", n_seqs));
        assert_eq!((info.precision.as_str(), info.kv_types.as_str()), ("f32", "f16"));
        conformance::check(&*backend).unwrap_or_else(|why| panic!("{n_seqs} sequences: {why}"));
        eprintln!("openvino-capi: {}, {n_seqs} sequences: keeps the contract", info.engine);
    }
}

#[test]
fn a_state_is_gone_on_with_where_it_is_a_prefix_and_dropped_elsewhere() {
    let Some(path) = graph() else { return };
    let backend = load("openvino-capi", &path, &setup()).unwrap();
    let run = |prompt: Vec<TokenId>, reuse_prefix, max_tokens| {
        let request = GenerateRequest {
            prompt,
            max_tokens,
            ignore_eos: true,
            reuse_prefix,
            ..GenerateRequest::default()
        };
        let mut found = (0, Vec::new());
        for event in backend.generate(request) {
            match event {
                Event::Started { cached_tokens, .. } => found.0 = cached_tokens,
                Event::Token { id, .. } => found.1.push(id),
                Event::Failed(error) => panic!("{error}"),
                _ => {}
            }
        }
        found
    };
    let prompt = |n: u32, tail: u32| (0..n).map(|i| (i * 7 + i / 40 * tail) % 300).collect();
    let longer: Vec<TokenId> = prompt(60, 1);
    let other: Vec<TokenId> = prompt(60, 5);
    let alone = [run(longer.clone(), false, 5).1, run(other.clone(), false, 5).1];
    run(longer[..40].to_vec(), true, 0);
    assert_eq!(run(longer.clone(), true, 5), (40, alone[0].clone()));
    assert_eq!(run(other, true, 5), (0, alone[1].clone()), "cut where it can't be");
}

#[test]
fn scores_are_those_of_our_own_engine_whatever_the_steps() {
    let Some(path) = graph() else { return };
    let Some(file) = named("PACEMARK_TEST_OPENVINO_GGUF") else { return };
    let native = load("native", &file, &Setup { precision: None, ..setup() }).unwrap();
    let text = ModelText::open(&file).unwrap().unwrap();
    let tokens = text.tokenizer().encode_prompt(TEXT);
    assert!(tokens.len() > 60, "{}", tokens.len());
    let mean = |backend: &dyn Backend| {
        let scores = backend.score(&tokens, 10).unwrap();
        assert_eq!(scores.len(), tokens.len() - 11);
        scores.iter().sum::<f32>() / scores.len() as f32
    };
    let ours = mean(&*native);
    for n_ubatch in [512, 24] {
        let backend = load("openvino-capi", &path, &Setup { n_ubatch, ..setup() }).unwrap();
        let theirs = mean(&*backend);
        let n = tokens.len();
        eprintln!("mean log-probability of {n} tokens, steps of {n_ubatch}: {theirs}, ours {ours}");
        assert!((theirs - ours).abs() < 0.02, "{theirs}, ours {ours}");
        let mut n_rows = 0;
        let request = ScoreRequest {
            tokens: tokens.clone(),
            first: tokens.len() - 10,
            ..ScoreRequest::default()
        };
        let row = &mut |_: usize, logits: &[f32]| {
            n_rows += 1;
            assert_eq!(logits.len(), backend.info().vocab_size);
            ControlFlow::Continue(())
        };
        backend.predict(&request, row).unwrap();
        assert_eq!(n_rows, 9);
    }
}

#[test]
fn what_cannot_be_loaded_is_refused_with_the_cause() {
    let Some(path) = graph() else { return };
    let refused = |setup| load("openvino-capi", &path, &setup).err().unwrap();
    let devices = Some(vec!["NPU.7".to_owned()]);
    let missing = refused(Setup { offload: Offload { devices, ..Offload::default() }, ..setup() });
    assert!(missing.starts_with("device NPU.7: not here; OpenVINO finds CPU"), "{missing}");
    let directory = std::env::temp_dir().join(format!("capi-broken-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("openvino_model.xml"), "<net type=\"ReadValue\">").unwrap();
    std::fs::write(directory.join("openvino_model.bin"), "").unwrap();
    let broken = load("openvino-capi", &directory, &setup()).err().unwrap();
    assert!(broken.contains("OpenVINO cannot read the graph: "), "{broken}");
    std::fs::remove_dir_all(&directory).unwrap();
}
