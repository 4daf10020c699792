//! What a policy lets go of is the system's again. A test of its own process: it looks at what the
//! whole process holds.
#![cfg(target_os = "linux")]

use pacemark_engine::*;
use pacemark_testmodel::{N_VOCAB, TestModel};

const N_PROMPT: usize = 8192;

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// By how much a prompt's memory falls under a policy, what it takes before, and what is left.
fn falls(spec: &str) -> (u64, u64, u64) {
    let path = std::env::temp_dir().join(format!("pacemark-memory-{}.gguf", std::process::id()));
    TestModel::llama().write(&path).unwrap();
    let kv = KvTypes::new(KvType::F32, KvType::F32).unwrap();
    let cache = DecoderOptions { n_ctx: N_PROMPT + KV_BLOCK, kv };
    let model =
        Model::load(&path, Threads::new(2), Residence::default(), cache, &mut |_, _| {}).unwrap();
    std::fs::remove_file(path).unwrap();
    let mut decoder = Decoder::new(model, cache);
    let policy = Policy::parse(spec).unwrap().unwrap();
    let policy = policy.on(decoder.model().config()).unwrap();
    let mut kv = decoder.kv().sequence(policy, Some(N_PROMPT));
    let tokens: Vec<TokenId> = (0..N_PROMPT).map(|i| ((i * 7919) % N_VOCAB) as TokenId).collect();
    let (most, last) = tokens.split_at(N_PROMPT - 1);
    for tokens in most.chunks(512) {
        let item = BatchItem { kv: &mut kv, tokens, logits: LogitRows::None };
        decoder.forward(&mut [item]).unwrap();
    }
    let (_, pages) = decoder.kv().bytes_of(&kv);
    let before = resident_bytes();
    let item = BatchItem { kv: &mut kv, tokens: last, logits: LogitRows::None };
    decoder.forward(&mut [item]).unwrap();
    let after = resident_bytes();
    let (_, left) = decoder.kv().bytes_of(&kv);
    (before.saturating_sub(after), pages, left)
}

/// One test, so that nothing else takes or gives memory meanwhile.
#[test]
fn memory_of_a_prompt_falls_when_the_policy_lets_it_go() {
    // All lanes alike; lanes that keep more or less than others; and a layer that keeps all.
    for (spec, kept) in [("knorm:64", 64), ("pyramidkv:64,window=8", 64), ("knorm:64,skip=0", 0)] {
        let (fell, pages, left) = falls(spec);
        assert!(pages >= 4 << 20, "{spec}: {pages}");
        if kept > 0 {
            let most = pages / N_PROMPT as u64 * (kept + KV_BLOCK as u64);
            assert!(left <= most, "{spec}: {left} bytes of pages are left");
        }
        // Memory pages at the ends of what was let go may hold what is kept.
        assert!(fell > (pages - left) * 3 / 4, "{spec}: {pages} to {left}, {fell} fewer resident");
    }
}
