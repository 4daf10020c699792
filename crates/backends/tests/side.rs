//! The engines of Python packages for real, as far as they are here: the conformance suite on a real
//! model, and what they hold likely against what Pacemark's own engine does. What is not here is skipped
//! with the reason printed; PACEMARK_PYTHON names the Python that has them.

use pacemark_backend::{Backend, conformance};
use pacemark_backends::side::{self, ENGINES};
use pacemark_backends::{ModelText, find};
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::quantize::{self, Choices, Recipe};
use pacemark_setup::{Precision, Setup};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Of Charles Darwin, On the Origin of Species (1859).
const TEXT: &str = "There is grandeur in this view of life, with its several powers, having been originally breathed into a few \
     forms or into one; and that, whilst this planet has gone cycling on according to the fixed law of gravity, from so \
     simple a beginning endless forms most beautiful and most wonderful have been, and are being, evolved.";

/// SmolLM2 in F16, where the real models are: a type whose blocks nobody rounds.
fn model() -> Option<PathBuf> {
    let directory = std::env::var_os("PACEMARK_TEST_MODELS")?;
    let stored = PathBuf::from(directory).join("SmolLM2-135M-Instruct.Q4_1.gguf");
    let model = ModelFile::open(stored).ok()?;
    let choices = Choices { recipe: Recipe::F16, pure: false, output: None, embedding: None };
    let plan = quantize::plan(&model, &choices, true).unwrap();
    let path = std::env::temp_dir().join(format!("side-{}-f16.gguf", std::process::id()));
    let go_on = AtomicBool::new(false);
    quantize::write(&model, &plan, &path, 2, &mut |_| {}, &go_on).unwrap();
    Some(path)
}

#[test]
fn every_engine_that_is_here_keeps_the_contract() {
    let Some(model) = model() else {
        eprintln!("skipped: PACEMARK_TEST_MODELS names no directory with SmolLM2");
        return;
    };
    let text = ModelText::open(&model).unwrap().unwrap();
    let tokens = text.tokenizer().encode_prompt(TEXT);
    let setup = Setup { n_ctx: Some(128), n_seqs: 3, ..Setup::default() };
    let native = (find("native").unwrap().load.unwrap())(&model, &setup, &mut |_, _| {}).unwrap();
    let mean = |backend: &dyn Backend| {
        let scores = backend.score(&tokens, 10).unwrap();
        scores.iter().sum::<f32>() / scores.len() as f32
    };
    let ours = mean(&*native);
    for engine in ENGINES {
        let found = side::look(engine, &AtomicBool::new(false));
        if let Some(lacking) = found.lacking {
            eprintln!("skipped {}: {} ({})", engine.name, lacking.cause, lacking.mend);
            continue;
        }
        let entry = find(engine.name).unwrap();
        let setup = Setup { precision: Some(Precision::F32), ..setup.clone() };
        let backend = (entry.load.unwrap())(&model, &setup, &mut |_, _| {}).unwrap();
        conformance::check(&*backend).unwrap_or_else(|why| panic!("{}: {why}", engine.name));
        let theirs = mean(&*backend);
        assert!((theirs - ours).abs() < 0.02, "{}: {theirs}, ours {ours}", engine.name);
        eprintln!("{}: {} keeps the contract", engine.name, backend.info().engine);
    }
    std::fs::remove_file(model).unwrap();
}
