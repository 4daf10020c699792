//! What must hold of every policy of the KV cache, on tiny models of every architecture: identities
//! between policies, and that chunks and threads change nothing.

use pacemark_engine::*;
use pacemark_testmodel::{N_CTX, N_VOCAB, TestModel};
use std::path::PathBuf;

/// A spec of every policy that lets tokens go within [`N_CTX`] tokens.
const SPECS: &[&str] = &[
    "recent:20",
    "streaming:4+16",
    "streaming:4+16,positions=original",
    "fix_size_l2:20,keep=0.5",
    "fix_size_l2:20,keep=0.25,order=high,sink=2",
    "fix_size_l2:20,order=random",
    "l2_compress:keep=0.5,prune_after=24",
    "h2o:10+10",
    "tova:20",
    "random:20,skip=0",
];

fn decoder(name: &str, model: &TestModel, n_threads: usize) -> Decoder {
    let thread = std::thread::current().id();
    let path: PathBuf = std::env::temp_dir()
        .join(format!("pacemark-policies-{}-{thread:?}-{name}.gguf", std::process::id()));
    model.write(&path).unwrap();
    let cache = DecoderOptions { n_ctx: N_CTX, ..DecoderOptions::default() };
    let threads = Threads::new(n_threads);
    let model = Model::load(&path, threads, Residence::default(), cache, &mut |_, _| {}).unwrap();
    std::fs::remove_file(path).unwrap();
    Decoder::new(model, cache)
}

fn tokens(n: usize) -> Vec<TokenId> {
    (0..n).map(|i| ((i * 7919 + 3 * 104_729) % N_VOCAB) as TokenId).collect()
}

/// All logits of a text in chunks of `size` under a spec, and what each layer holds at its end.
fn run(decoder: &mut Decoder, spec: &str, n: usize, size: usize) -> (Vec<f32>, Option<Vec<f64>>) {
    let policy = Policy::parse(spec).unwrap();
    let mut kv = policy.map_or(SequenceKv::default(), |policy| decoder.kv().sequence(policy));
    let mut logits = Vec::new();
    for chunk in tokens(n).chunks(size) {
        let item = BatchItem { kv: &mut kv, tokens: chunk, logits: LogitRows::From(0) };
        logits.extend_from_slice(decoder.forward(&mut [item]).unwrap());
    }
    assert_eq!(kv.len(), n, "{spec}");
    let held = kv.held_by_layer();
    let before = decoder.kv().n_free_blocks();
    decoder.kv_mut().release(&mut kv);
    assert!(decoder.kv().n_free_blocks() > before && kv.is_empty(), "{spec}");
    (logits, held)
}

#[test]
fn a_text_is_the_same_in_any_chunks_and_with_any_threads() {
    for (name, model) in TestModel::all() {
        let (mut one, mut two) = (decoder(name, &model, 1), decoder(name, &model, 2));
        for spec in SPECS {
            let whole = run(&mut two, spec, 60, 60);
            assert_eq!(run(&mut two, spec, 60, 1), whole, "{name} {spec}: token by token");
            assert_eq!(run(&mut one, spec, 60, 7), whole, "{name} {spec}: one thread");
        }
    }
}

#[test]
fn with_room_for_all_nothing_changes_a_bit() {
    for (name, model) in TestModel::all() {
        let mut decoder = decoder(name, &model, 2);
        let (full, _) = run(&mut decoder, "full", 30, 30);
        for spec in [
            "recent:30",
            "streaming:4+26",
            "fix_size_l2:30",
            "l2_compress:keep=0.5,prune_after=31",
            "h2o:15+15",
            "tova:30",
            "random:30",
        ] {
            assert_eq!(run(&mut decoder, spec, 30, 30).0, full, "{name} {spec}");
        }
    }
}

#[test]
fn policies_that_say_the_same_are_the_same() {
    let mut decoder = decoder("same", &TestModel::llama(), 2);
    let recent = run(&mut decoder, "recent:20", 60, 60);
    for spec in ["streaming:0+20", "fix_size_l2:20,keep=1", "h2o:0+20"] {
        assert_eq!(run(&mut decoder, spec, 60, 60), recent, "{spec}");
    }
    assert_ne!(run(&mut decoder, "recent:19", 60, 60).0, recent.0);
}

#[test]
fn what_is_held_is_the_budget() {
    for (name, model) in TestModel::all() {
        let mut decoder = decoder(name, &model, 2);
        let n_layers = decoder.model().config().layers.len();
        for spec in SPECS {
            let held = run(&mut decoder, spec, 60, 60).1.unwrap();
            assert_eq!(held.len(), n_layers);
            let kept = held.iter().filter(|held| **held <= 24.0).count();
            let skipped = usize::from(spec.contains("skip="));
            assert_eq!(kept, n_layers - skipped, "{name} {spec}: {held:?}");
        }
    }
}

#[test]
fn beside_others_and_after_others_it_is_the_same() {
    let mut decoder = decoder("beside", &TestModel::llama(), 2);
    let alone = run(&mut decoder, "streaming:4+16", 40, 40).0;
    let mut full = SequenceKv::default();
    let policy = |spec| Policy::parse(spec).unwrap().unwrap();
    let mut streaming = decoder.kv().sequence(policy("streaming:4+16"));
    let mut tova = decoder.kv().sequence(policy("tova:20"));
    let text = tokens(40);
    let item = |kv| BatchItem { kv, tokens: &text, logits: LogitRows::From(0) };
    let mut items = [item(&mut full), item(&mut streaming), item(&mut tova)];
    let together = decoder.forward(&mut items).unwrap();
    assert_eq!(together[alone.len()..2 * alone.len()], alone);
    let full_bytes = decoder.kv().bytes_of(&full);
    let (held, pages) = decoder.kv().bytes_of(&streaming);
    assert_eq!(held, full_bytes.0 / 2, "20 of 40 tokens");
    assert!(pages >= held && pages < full_bytes.1, "{pages}");
}
