//! Quality through the real binary, on tiny models: how far predictions are from a reference's, and
//! types of weights compared.

mod binary;
mod folder;

use folder::Folder;
use pacemark_modelfile::{Strings, Value as MetadataValue};
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
    let mut model = TestModel::of("llama");
    let tokens = model.metadata.opt_strings("tokenizer.ggml.tokens").unwrap().unwrap();
    let mut renamed = Strings::default();
    tokens
        .iter()
        .enumerate()
        .for_each(|(i, token)| renamed.push(if i == 9 { "nine" } else { token }));
    model.set("tokenizer.ggml.tokens", MetadataValue::Strings(renamed));
    model.write(&other).unwrap();
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
    assert!(said.contains("other.gguf") && said.contains("token 9"), "{said}");
    assert!(said.contains("found \"nine\""), "{said}");
}

/// The model's weights as they are before they are quantized.
fn original(folder: &Folder) -> String {
    let file = folder.0.join("f32.gguf").display().to_string();
    let made = folder.pacemark(&format!("models quantize M {file} --type F32 --allow-requantize"));
    assert!(made.status.success());
    file
}

#[test]
fn types_of_weights_are_compared() {
    let folder = Folder::new("types", "qwen3");
    let path = |name: &str| folder.0.join(name).display().to_string();
    let (chart, save, dir) = (path("types.svg"), path("types.json"), path("made"));
    let original = original(&folder);
    let line =
        format!("quant-study -m {original} -f T -c 32 --chunks 2 -p 8 -n 4 -r 2 --max-kld 9");
    let study = folder.json(&format!(
        "{line} --types F16,Q8_0,Q4_0 --svg {chart} --save {save} --dir {dir} -o json"
    ));
    let rows = study["types"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert_eq!(names, ["F16", "Q8_0", "Q4_0"]);
    assert!(names.contains(&study["recommended_type"].as_str().unwrap()), "{study}");
    for (row, name) in rows.iter().zip(names) {
        let bytes = std::fs::metadata(folder.0.join("made").join(format!("{name}.gguf"))).unwrap();
        assert_eq!(row["file_bytes"], bytes.len(), "{name}");
        assert!(number(row, "decode_ts_mean") > 0.0 && number(row, "prefill_ts_mean") > 0.0);
        assert!(number(row, "loaded_rss_bytes_mean") <= number(row, "peak_rss_bytes_mean"));
        assert_eq!(row["rounds"], 2);
    }
    let klds: Vec<f64> = rows.iter().map(|row| number(row, "kld_mean")).collect();
    assert!(klds[0] < klds[1] && klds[1] < klds[2], "more bits are nearer: {klds:?}");
    assert!(std::fs::read_to_string(chart).unwrap().contains("Same top token"));
    let shown = folder.json(&format!("show {save} -o json"));
    assert_eq!(shown["types"], study["types"]);
    // What is there is not written over, and may be the model itself.
    let (code, said) = folder.failure(&format!("{line} --types F16,Q4_0 --dir {dir}"));
    assert!(code == 2 && said.contains("F16.gguf: it is there already"), "{said}");
    let new = path("new");
    let taken = format!("{line} --types Q4_0 --dir {new} --save {new}/../new/Q4_0.gguf");
    std::fs::create_dir(&new).unwrap();
    let (code, said) = folder.failure(&taken);
    assert!(code == 2 && said.contains("written twice"), "{said}");
    let line = line.replace("--max-kld 9", "--max-kld 0");
    let none = folder.json(&format!("{line} --types Q4_0 -o json"));
    assert_eq!(none["recommended_type"], Value::Null);
    assert!(none["reason"].as_str().unwrap().contains("Q4_0 is nearest"), "{none}");
}

#[test]
fn a_study_that_cannot_be_made_is_refused() {
    let folder = Folder::new("types-refused", "llama");
    let study = "quant-study -f T -c 32 -p 8 -n 4 -r 1 --chunks 1";
    let cases: &[(&str, i32, &[&str])] = &[
        ("-m M -c 32 -n 1", 2, &["-n 1", "at least 2"]),
        ("-m M -c 31", 2, &["-c 31", "even"]),
        ("-m M -c 32 --types Q8_0,Q4_0,Q8_0", 2, &["--types", "Q8_0", "twice"]),
        ("-m M -c 32 --types Q8_0,Q9_9", 2, &["Q9_9"]),
        ("-m M -c 32 --max-kld=-1", 2, &["--max-kld"]),
        ("-m M -c 32 --svg no/such/folder/a.svg", 1, &["no/such/folder"]),
        ("-m synth:qwen3-0.6b:Q8_0", 2, &["synthetic"]),
        ("-m M -c 32 -p 100000", 2, &["-p 100000", "context of 256"]),
    ];
    for (flags, code, words) in cases {
        let (found, said) = folder.failure(&format!("quant-study -f T --chunks 1 {flags}"));
        assert_eq!(found, *code, "{flags}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{flags}: {said}");
    }
    let (code, said) = folder.failure(&format!("{study} -m M --types Q4_0"));
    assert!(code == 2 && said.contains("--allow-requantize"), "{said}");
    let again = folder.pacemark(&format!("{study} -m M --types Q4_0 --allow-requantize"));
    assert!(again.status.success());
}
