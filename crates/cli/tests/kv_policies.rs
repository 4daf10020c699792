//! Policies of the KV cache through the real binary, on tiny models.

mod binary;
mod folder;

use folder::Folder;

#[test]
fn a_text_is_scored_under_every_policy() {
    let folder = Folder::new("stream", "llama");
    let eval = "eval perplexity -m M -f T --stream 60 --per-token -o json";
    let full = folder.json(eval);
    assert_eq!((&full["n_tokens"], &full["cache_max"]), (&59.into(), &59.into()));
    assert_eq!(full["nll"].as_array().unwrap().len(), 59);
    let roomy = folder.json(&format!("{eval} --kv recent:59"));
    assert_eq!(roomy["nll"], full["nll"], "with room for everything nothing is different");
    for spec in ["recent:20", "streaming:4+16", "h2o:8+8,norm=lifetime", "knorm:20,every=8"] {
        let found = folder.json(&format!("{eval} --kv {spec}"));
        assert_ne!(found["nll"], full["nll"], "{spec}");
        assert_eq!(found["kv"], spec);
        assert!(found["cache_mean"].as_f64().unwrap() < 28.0, "{spec}: {found}");
        assert!(found["kv_bytes_resident"].as_u64() < full["kv_bytes_resident"].as_u64());
    }
    let after_prompt = folder.json(&format!("{eval} --prompt 40 --kv snapkv:16,window=8"));
    assert_eq!((&after_prompt["n_tokens"], &after_prompt["n_prompt"]), (&20.into(), &40.into()));
    assert_eq!(after_prompt["cache_max"], 16 + 19);
}

#[test]
fn a_text_goes_on_under_a_policy() {
    let folder = Folder::new("run", "llama");
    let run = "run -m M -f P -n 12 --ignore-eos -o json";
    let answer = |line: &str| folder.json(line)["text"].clone();
    let full = answer(run);
    assert_eq!(answer(&format!("{run} --kv full")), full);
    let kept = answer(&format!("{run} --kv streaming:4+28"));
    assert_ne!(kept, full);
    assert_eq!(answer(&format!("{run} --kv streaming:4+28 -c 64")), kept, "beyond the context");
    let all =
        |kv: &str| folder.json(&format!("run -m M -p ab -n -1 -c 64 --ignore-eos -o json{kv}"));
    assert_eq!(all(" --kv full")["text"], all("")["text"], "as many as the context holds");
    assert!(all(" --kv knorm:0.5")["timings"]["output_tokens"].as_u64() >= Some(60));
    let (code, words) = folder.failure("run -m M -f P -n 12 -c 64");
    assert!(code == 1 && words.contains("the context holds 64"), "{words}");
    let (code, words) = folder.failure("run -m M -f P -n 12 -c 64 --kv snapkv:48");
    assert!(code == 1 && words.contains("snapkv:48 holds up to"), "{words}");
}

#[test]
fn speeds_under_policies_stand_side_by_side() {
    let folder = Folder::new("bench", "llama");
    let bench = "bench -m M -p 24 -n 8 -r 2 --no-warmup --no-roof -o json --kv full,streaming:4+8";
    let rows = folder.json(bench);
    let specs: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["kv"].as_str().unwrap()).collect();
    assert_eq!(specs, ["full", "full", "streaming:4+8", "streaming:4+8"]);
    let deep = folder.json("bench -m M -p 0 -n 4 -d 32 -r 2 --no-roof -o json --kv streaming:4+8");
    assert_eq!(deep[0]["n_depth"], 32);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let folder = Folder::new("refused", "gpt2");
    for (line, code, says) in [
        ("run -m M -p x --kv recnt:4", 2, "KV policy `recnt:4`: expected recent, "),
        ("run -m M -p x --kv recent:1.5", 2, "a share above 0 and up to 1, found 1.5"),
        ("run -m M -p x --kv streaming:4+0", 2, "R: expected at least 1"),
        ("run -m M -p x --kv fix_size_l2:4,sink=4", 2, "it leaves no room in 4 tokens"),
        ("run -m M -p x --kv recent:8,colour=red", 2, "it has no colour"),
        ("serve -m M --port 0 --kv recnt:4", 2, "expected recent"),
        ("serve -m M --port 0 --kv streaming:4+8", 1, "positions=original"),
        ("run -m M -p x --kv streaming:4+8", 1, "positions=original is what it can have"),
        ("run -m M -p x --kv recent:4,skip=0-9", 1, "skip=0-9: expected layers from 0 to"),
        ("bench -m M --kv recnt:4", 2, "expected recent"),
        ("bench -m M --kv snapkv:64 -d 128", 2, "depends on where the prompt ends"),
        ("eval perplexity -m M -f T --kv recent:4", 2, "--kv: it takes --stream N"),
        ("eval perplexity -m M -f T --stream 9 --kv snapkv:64", 2, "it works when a prompt ends"),
        ("eval perplexity -m M -f T --stream 9 --prompt 9", 2, "leaves nothing"),
        ("eval perplexity -m M -f T --stream 1", 2, "at least 2 tokens"),
        ("eval perplexity -m M -f T --stream 9 -c 8", 2, "cannot be used with"),
        ("eval perplexity -m M -f T --stream 99999", 1, "--stream asks for 99999"),
        ("eval perplexity -m M -f T --stream 9 --per-token", 2, "it takes -o json"),
        ("run -m M -p x -n 999 --kv recent:8", 1, "the model has 256 positions"),
    ] {
        let (found, words) = folder.failure(line);
        assert!(found == code && words.contains(says), "{line}: {found} {words}");
    }
}
