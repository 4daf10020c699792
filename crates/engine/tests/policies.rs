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
    "recent:0.4",
    "h2o:0.2+0.2,norm=lifetime",
    "knorm:20,every=3",
    "keydiff:0.5,every=16",
    "pyramidkv:20,window=4,every=16",
    "adakv:10+10,scorer=h2o,floor=0.5",
];

/// Specs of policies that work on prompts: here of 40 tokens.
const OF_PROMPTS: &[&str] = &[
    "knorm:16",
    "keydiff:0.4",
    "snapkv:16,window=8",
    "snapkv:16,window=8,kernel=3,pool=max,every=16",
    "pyramidkv:16,window=4,beta=4",
    "expected_attention:16,future=9",
    "expected_attention:0.4,epsilon=0.01,skip=1",
    "adakv:16,scorer=snapkv,window=8",
    "adakv:16,scorer=expected_attention",
];

/// All specs, and how long the prompt is.
fn all_specs() -> impl Iterator<Item = (&'static str, Option<usize>)> {
    let texts = SPECS.iter().map(|spec| (*spec, None));
    texts.chain(OF_PROMPTS.iter().map(|spec| (*spec, Some(40))))
}

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

fn sequence(decoder: &Decoder, spec: &str, n_prompt: Option<usize>) -> SequenceKv {
    match Policy::parse(spec).unwrap() {
        Some(policy) => {
            let policy = policy.on(decoder.model().config()).unwrap();
            decoder.kv().sequence(policy, n_prompt)
        }
        None => SequenceKv::default(),
    }
}

/// All logits of a text in chunks of `size` under a spec, and what each layer holds at its end.
fn run(decoder: &mut Decoder, spec: &str, n: usize, size: usize) -> (Vec<f32>, Option<Vec<f64>>) {
    let n_prompt = all_specs().find(|(known, _)| *known == spec).and_then(|(_, prompt)| prompt);
    let mut kv = sequence(decoder, spec, n_prompt);
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

/// Specs that a model can have: compact positions are none for learned ones.
fn own_specs(decoder: &Decoder) -> Vec<&'static str> {
    let learned = decoder.model().config().learned_positions;
    let specs = all_specs().map(|(spec, _)| spec);
    specs
        .filter(|spec| !learned || !spec.starts_with("streaming") || spec.contains("original"))
        .collect()
}

#[test]
fn a_text_is_the_same_in_any_chunks_and_with_any_threads() {
    for (name, model) in TestModel::all() {
        let (mut one, mut two) = (decoder(name, &model, 1), decoder(name, &model, 2));
        for spec in own_specs(&two) {
            let whole = run(&mut two, spec, 60, 60);
            assert!(run(&mut two, spec, 60, 1) == whole, "{name} {spec}: token by token");
            assert!(run(&mut one, spec, 60, 7) == whole, "{name} {spec}: one thread");
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
            "streaming:4+26,positions=original",
            "fix_size_l2:30",
            "l2_compress:keep=0.5,prune_after=31",
            "h2o:15+15",
            "tova:30",
            "random:30",
            "knorm:30,every=1",
            "keydiff:1.0,every=16",
            "adakv:30,scorer=knorm,every=1",
        ] {
            assert!(run(&mut decoder, spec, 30, 30).0 == full, "{name} {spec}");
        }
    }
}

#[test]
fn policies_that_say_the_same_are_the_same() {
    let mut decoder = decoder("same", &TestModel::llama(), 2);
    let recent = run(&mut decoder, "recent:20", 60, 60);
    for spec in ["streaming:0+20", "fix_size_l2:20,keep=1", "h2o:0+20"] {
        assert!(run(&mut decoder, spec, 60, 60) == recent, "{spec}");
    }
    assert_ne!(run(&mut decoder, "recent:19", 60, 60).0, recent.0);
}

#[test]
fn what_is_held_is_what_the_account_says() {
    for (name, model) in TestModel::all() {
        let mut decoder = decoder(name, &model, 2);
        let n_layers = decoder.model().config().layers.len();
        let own = own_specs(&decoder);
        for (spec, n_prompt) in all_specs().filter(|(spec, _)| own.contains(spec)) {
            let policy = Policy::parse(spec).unwrap().unwrap();
            let policy = policy.on(decoder.model().config()).unwrap();
            let mut ledger = Ledger::new(policy.clone(), n_prompt);
            let mut kv = sequence(&decoder, spec, n_prompt);
            let n_free = decoder.kv().n_free_blocks();
            let mut most = 0;
            for (i, token) in tokens(60).chunks(1).enumerate() {
                let item = BatchItem { kv: &mut kv, tokens: token, logits: LogitRows::None };
                decoder.forward(&mut [item]).unwrap();
                most = most.max(ledger.advance(1));
                let blocks = n_free - decoder.kv().n_free_blocks();
                assert_eq!(blocks, ledger.n_slots().div_ceil(KV_BLOCK), "{name} {spec} {i}");
                let (held, pages) = decoder.kv().bytes_of(&kv);
                let (_, all) = (0, decoder.kv().allocated_bytes() / (N_CTX / KV_BLOCK) as u64);
                assert!(held <= pages && pages <= all * blocks as u64, "{name} {spec} {i}");
            }
            assert!(most <= policy.most(n_prompt, 60), "{name} {spec}: {most}");
            let held = kv.held_by_layer().unwrap();
            assert_eq!(held.len(), n_layers);
            let windows = decoder.model().config().layers.iter().map(|layer| layer.window);
            for (layer, (held, window)) in held.iter().zip(windows).enumerate() {
                let skipped = spec.contains(&format!("skip={layer}"));
                // 20 more tokens came after the prompt.
                let budget: f64 = if n_prompt.is_some() { 59.0 } else { 52.0 };
                let most = window.map_or(budget, |window| budget.max(window as f64));
                assert_eq!(*held <= most && *held < 60.0, !skipped, "{name} {spec} {layer}");
            }
            decoder.kv_mut().release(&mut kv);
        }
    }
}

#[test]
fn tokens_that_were_found_computed_are_as_good_as_computed_ones() {
    for (name, model) in TestModel::all() {
        let mut decoder = decoder(name, &model, 2);
        let own = own_specs(&decoder);
        for (spec, n_prompt) in all_specs().filter(|(spec, _)| own.contains(spec)) {
            let policy = Policy::parse(spec).unwrap().unwrap();
            let policy = policy.on(decoder.model().config()).unwrap();
            let found = policy.findable(n_prompt, 60) / KV_BLOCK * KV_BLOCK;
            let (alone, _) = run(&mut decoder, spec, 60, 60);
            // Somebody without a policy computed them.
            let text = tokens(60);
            let mut other = SequenceKv::default();
            let (head, tail) = text.split_at(found);
            if found == 0 {
                continue;
            }
            let item = BatchItem { kv: &mut other, tokens: head, logits: LogitRows::None };
            decoder.forward(&mut [item]).unwrap();
            decoder.kv_mut().release(&mut other);
            let blocks = decoder.kv_mut().lease();
            let mut kv = sequence(&decoder, spec, n_prompt);
            // `release` gave them back in order, so the next sequence gets the same.
            kv.place(&blocks_of(&blocks, N_CTX / KV_BLOCK), found);
            let item = BatchItem { kv: &mut kv, tokens: tail, logits: LogitRows::From(0) };
            let logits = decoder.forward(&mut [item]).unwrap();
            let n_vocab = logits.len() / tail.len();
            assert!(logits == &alone[found * n_vocab..], "{name} {spec}");
            decoder = self::decoder(name, &model, 2);
        }
    }
}

fn blocks_of(leased: &[u32], n: usize) -> Vec<u32> {
    leased[..n].to_vec()
}

#[test]
fn what_a_model_cannot_have_is_refused_by_name() {
    let models: Vec<_> = TestModel::all();
    for (name, model) in &models {
        let decoder = decoder(name, model, 1);
        let on = |spec: &str| {
            Policy::parse(spec).unwrap().unwrap().on(decoder.model().config()).map(drop)
        };
        let learned = decoder.model().config().learned_positions;
        assert_eq!(on("streaming:4+16").is_err(), learned, "{name}");
        assert!(on("streaming:4+16,positions=original").is_ok(), "{name}");
        let error = on("recent:4,skip=1-99").unwrap_err().to_string();
        assert!(error.contains("expected layers from 0 to"), "{name}: {error}");
    }
}

#[test]
fn beside_others_and_after_others_it_is_the_same() {
    let mut decoder = decoder("beside", &TestModel::llama(), 2);
    let alone = run(&mut decoder, "streaming:4+16", 40, 40).0;
    let mut full = SequenceKv::default();
    let mut streaming = sequence(&decoder, "streaming:4+16", None);
    let mut tova = sequence(&decoder, "tova:20", None);
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
