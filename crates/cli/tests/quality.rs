//! Quality through the real binary, on tiny models: how far predictions are from a reference's.

mod folder;

use folder::Folder;
use pacemark_testmodel::TestModel;
use serde_json::Value;

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_else(|| panic!("{name}: {row}"))
}

#[test]
fn distances_from_exact_arithmetic() {
    let folder = Folder::new("exact", "llama");
    let kld = "eval kld -m M -f T -c 32 --chunks 6 -o json";
    let row = &folder.json(kld)[0];
    let perplexity = folder.json("eval perplexity -m M -f T -c 32 --chunks 6 -o json");
    let same = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-5, "{a} {b}");
    same(number(row, "ppl"), number(&perplexity, "ppl"));
    same(number(row, "bits_per_byte"), number(&perplexity, "bits_per_byte"));
    assert_eq!((&row["n_scored"], &row["reference"]), (&90.into(), &"exact".into()));
    assert!(row["reference_type"].as_str().unwrap().ends_with("all F32"), "{row}");
    let kept = [&row["type_k"], &row["reference_type_k"]];
    assert_eq!(kept, ["f16", "f32"]);
    let (mean, most) = (number(row, "kld_mean"), number(row, "kld_max"));
    assert!(0.0 < mean && mean < most && most < 0.1, "{mean} {most}");
    assert!(number(row, "kld_mean_ci95_low") < mean && mean < number(row, "kld_mean_ci95_high"));
    assert_eq!(row["kld_p99"], Value::Null, "90 tokens do not bound a 99th percentile");
    let coarse = &folder.json(&format!("{kld} -ctk q4_0 -ctv q4_0"))[0];
    assert!(number(coarse, "kld_mean") > 2.0 * mean, "{coarse}");
    let kept = &folder.json(&format!("{kld} --kv recent:8"))[0];
    assert!(number(kept, "kld_mean") > 2.0 * mean && kept["kv"] == "recent:8", "{kept}");
}

#[test]
fn a_model_is_at_no_distance_from_itself() {
    let folder = Folder::new("itself", "gemma3");
    let row = &folder.json("eval kld -m M --reference M -f T -c 32 --chunks 5 -o json")[0];
    let found = ["kld_max", "rms_dp", "dp_mean"].map(|name| number(row, name));
    assert_eq!(found, [0.0; 3]);
    assert_eq!((number(row, "same_top"), number(row, "ppl_ratio")), (1.0, 1.0));
}

#[test]
fn a_distance_is_kept_and_shown_again() {
    let folder = Folder::new("kept", "qwen2");
    let save = folder.0.join("run.json").display().to_string();
    let printed = folder.pacemark(&format!("eval kld -m M -f T -c 32 --save {save} -o md"));
    let shown = folder.pacemark(&format!("show {save} -o md"));
    let text = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text(&printed).contains("KLD mean") && printed.status.success());
    assert_eq!(text(&shown), text(&printed));
}

#[test]
fn what_has_no_distance_is_refused_before_it_is_loaded() {
    let folder = Folder::new("refused", "llama");
    let other = folder.0.join("other.gguf");
    TestModel::of("gpt2").write(&other).unwrap();
    let other = other.display().to_string();
    let cases: &[(&str, i32, &[&str])] = &[
        ("eval kld -m M -f T -c 7", 2, &["-c 7", "even"]),
        ("eval kld -m M -f T -c 100000", 2, &["-c 100000", "context"]),
        ("eval kld -m M -f P -c 256", 1, &["prompt.txt", "256"]),
        ("eval kld -m M -f T -c 32 --reference no-such-model", 2, &["no-such-model"]),
        ("eval kld -m M -f T -c 32 --kv newest:5", 2, &["newest"]),
        ("eval kld -m M -f T -c 32 --backend nobody", 2, &["nobody", "native"]),
        ("eval kld -m M -f T -c 32 -ctk f32", 2, &["-ctk", "f32"]),
        ("eval kld -m synth:qwen3-0.6b:Q8_0 -f T -c 32", 2, &["synthetic"]),
        ("eval kld -m M -f T -c 32 --save M", 2, &["--save", "part of the model"]),
    ];
    for (line, code, words) in cases {
        let (found, said) = folder.failure(line);
        assert_eq!(found, *code, "{line}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{line}: {said}");
    }
    let (code, said) = folder.failure(&format!("eval kld -m M -f T -c 32 --reference {other}"));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("other.gguf") && said.contains("vocabulary"), "{said}");
}
