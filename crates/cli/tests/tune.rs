//! `pacemark tune` through the real binary, on tiny models: what it asks and says, and what is
//! refused. Which setting of such a model is the fastest is nobody's to know; that one is dropped for
//! its answers, or that none keeps a target, is.

mod binary;
mod folder;

use folder::Folder;
use serde_json::Value;

/// A search that takes a second: prompts of 8 tokens and four after it.
const SHORT: &str = "-f T -p 8 -n 4 -c 32 --chunks 5 --min-rounds 4 --max-rounds 4";

fn rows(found: &Value) -> &[Value] {
    found["settings"].as_array().unwrap_or_else(|| panic!("{found}"))
}

fn texts<'a>(found: &'a Value, name: &str) -> Vec<&'a str> {
    rows(found).iter().map(|row| row[name].as_str().unwrap()).collect()
}

#[test]
fn settings_are_raced_and_the_command_line_is_told() {
    let folder = Folder::new("tune", "llama");
    let path = |name: &str| folder.0.join(name).display().to_string();
    let (save, svg, script) = (path("run.json"), path("tune.svg"), path("best.sh"));
    let line = format!(
        "tune -m M {SHORT} -ub 2,4 --target ttft_ms.p95<60000 --save {save} --svg {svg} --write {script} -o json"
    );
    let found = folder.json(&line);
    assert_eq!(texts(&found, "setting")[..3], ["default", "-ub 2", "-ub 4"]);
    let verdict = found["verdict"].as_str().unwrap();
    assert!(["winner", "no_difference"].contains(&verdict), "{found}");
    let recommended = found["recommended"].as_str().unwrap();
    let row = rows(&found).iter().find(|row| row["setting"] == recommended).unwrap();
    assert_eq!((&row["command"], &found["not_met"]), (&found["command"], &Value::Array(vec![])));
    // Its percentile takes 59 runs, those of the rounds among them.
    let runs = row["rounds"].as_u64().unwrap() + row["further_runs"].as_u64().unwrap();
    assert_eq!((runs, &rows(&found)[0]["n_prompt"]), (59, &8.into()));
    assert!(
        row["ttft_ms_p95"].as_f64().unwrap() < 60000.0
            && row["objective_tps"].as_f64().unwrap() > 0.0,
        "{row}"
    );
    assert!(row["peak_rss_bytes"].as_u64().unwrap() > 1 << 20, "{row}");
    let written = std::fs::read_to_string(script).unwrap();
    assert_eq!(written.trim_end(), found["command"].as_str().unwrap());
    assert!(written.starts_with("pacemark bench -m "), "{written}");
    assert!(std::fs::read_to_string(svg).unwrap().contains("-ub 2"));
    let shown = folder.json(&format!("show {save} -o json"));
    for name in ["verdict", "recommended", "reason", "command", "settings"] {
        assert_eq!(shown[name], found[name], "{name}");
    }
    let checked = folder.pacemark(&format!("show {save} -o md"));
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    for words in ["recommended", "run it", "x default", "settings raced in turn"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn answers_that_are_too_far_do_not_win() {
    let folder = Folder::new("tune-answers", "qwen3");
    let line = format!("tune -m M {SHORT} -ctk q4_0 --kv recent:8 --max-kld 0 -o json");
    let found = folder.json(&line);
    let names =
        ["default", "--kv recent:8", "-ctk q4_0 -ctv q4_0", "-ctk q4_0 -ctv q4_0 --kv recent:8"];
    assert_eq!(texts(&found, "setting"), names);
    assert_eq!(texts(&found, "verdict"), ["won", "too_far", "too_far", "too_far"]);
    assert_eq!((&found["verdict"], &found["recommended"]), (&"winner".into(), &"default".into()));
    assert_eq!(rows(&found)[0]["kld_mean"], Value::Null);
    for row in &rows(&found)[1..] {
        assert!(row["kld_mean"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!((&row["rounds"], &row["answers_alike"]), (&4.into(), &false.into()));
    }
    let near = folder.json(&line.replace("--max-kld 0", "--max-kld 99 --search moves"));
    assert!(rows(&near).len() == 3 && !texts(&near, "verdict").contains(&"too_far"), "{near}");
}

#[test]
fn where_no_setting_meets_the_target_nothing_is_recommended() {
    let folder = Folder::new("tune-none", "llama");
    let script = folder.0.join("best.sh");
    let line = format!(
        "tune -m M {SHORT} -ub 2 --target ttft_ms.p95<0.0001 --write {} -o json",
        script.display()
    );
    let output = folder.pacemark(&line);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["verdict"], &found["command"]), (&"none_meets".into(), &Value::Null));
    let reason = found["reason"].as_str().unwrap();
    assert!(reason.contains("is nearest: ttft_ms.p95<0.0001: 4 of 4 values beyond it"), "{reason}");
    assert_eq!(texts(&found, "verdict"), ["missed", "missed"]);
    assert!(!script.exists(), "there is no command line to write");
}

#[test]
fn types_of_weights_are_made_for_the_search_and_gone_after_it() {
    let folder = Folder::new("tune-weights", "qwen3");
    let line = format!("tune -m M {SHORT} --weights Q4_0 --allow-requantize --max-kld 99 -o json");
    let found = folder.json(&line);
    assert_eq!(texts(&found, "setting"), ["default", "--weights Q4_0"]);
    let command = rows(&found)[1]["command"].as_str().unwrap();
    let made =
        "model-Q4_0.gguf --type Q4_0 --allow-requantize && pacemark bench -m model-Q4_0.gguf -t ";
    assert!(
        command.starts_with("pacemark models quantize ") && command.contains(made),
        "{command}"
    );
    assert!(rows(&found)[1]["kld_mean"].as_f64().unwrap() > 0.0);
    let (code, said) = folder.failure(&line.replace(" --allow-requantize", ""));
    assert!(code == 2 && said.contains("--allow-requantize"), "{said}");
}

#[test]
fn guesses_run_as_serve_runs_them() {
    let folder = Folder::new("tune-guesses", "llama");
    let found = folder.json(
        &format!("tune -m M {SHORT} -n 12 --speculate 3 --maximize decode_tps -o json")
            .replace("-n 4 ", ""),
    );
    assert_eq!(texts(&found, "setting"), ["default", "--speculate 3"]);
    let commands = texts(&found, "command");
    assert!(
        commands[0].starts_with("pacemark bench ") && commands[1].starts_with("pacemark serve "),
        "{commands:?}"
    );
    assert!(commands[1].ends_with("--max-num-batched-tokens 512 --speculate 3"), "{commands:?}");
}

#[test]
fn weights_that_are_drawn_have_no_answers_to_compare() {
    let folder = Folder::new("tune-drawn", "llama");
    let shape = r#"synth:{"architecture":"llama","n_embd":64,"n_ff":64,"n_layers":1,"n_heads":2,"n_vocab":300}:Q8_0"#;
    let line = format!("tune -m {shape} -p 8 -n 4 --min-rounds 4 --max-rounds 4");
    let output = folder.pacemark(&format!("{line} -ctk q8_0 -o json"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows(&found)[1]["kld_mean"], Value::Null);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--max-kld decided nothing"), "{said}");
    for (flags, words) in [
        ("--weights Q4_0", "drawn"),
        ("--speculate 2", "repeats itself"),
        ("-ub 4 -f T", "no tokenizer"),
    ] {
        let (code, said) = folder.failure(&format!("{line} {flags}"));
        assert!(code == 2 && said.contains(words), "{flags}: {said}");
    }
}

#[test]
fn what_cannot_be_searched_is_refused_before_anything_runs() {
    let folder = Folder::new("tune-refused", "llama");
    let cases: &[(&str, i32, &[&str])] = &[
        ("--target tfft_ms.p95<300", 2, &["--target", "unknown metric", "did you mean ttft_ms"]),
        ("--target ttft_ms", 2, &["expected FIGURE<LIMIT"]),
        ("--target goodput>1", 2, &["a run of tune has no such figure"]),
        ("--target kld<0.1", 2, &["--max-kld"]),
        ("--maximize decode_tsp", 2, &["--maximize", "did you mean decode_tps?"]),
        ("--max-kld=-1", 2, &["--max-kld -1"]),
        ("-ub 512", 2, &["nothing to choose from"]),
        ("-n 1", 2, &["-n 1", "at least 2"]),
        ("-p 100000", 2, &["-p 100000", "context of 256"]),
        ("-ctk q8_0 -c 31", 2, &["-c 31", "even"]),
        ("--kv recnt:8", 2, &["recent"]),
        ("--kv streaming:4+8,skip=0-99", 2, &["--kv", "layers"]),
        ("-ctk f32 -ctv f16", 2, &["-ctk, -ctv", "f32"]),
        ("--confirm 3", 2, &["--confirm 3", "from 16"]),
        ("--min-rounds 2", 2, &["--min-rounds 2"]),
        ("--max-rounds 5", 2, &["--max-rounds 5: from 6"]),
        ("--resolution 0", 2, &["--resolution"]),
        ("--write M -ub 4", 2, &["--write", "part of the model"]),
        ("--save T -f T -ub 4", 2, &["--save", "read too"]),
        ("--svg no/such/folder/a.svg -ub 4", 1, &["no/such/folder"]),
        ("-f P -p 200 -n 2 -ub 4", 1, &["prompt.txt", "expected at least 200"]),
    ];
    for (flags, code, words) in cases {
        let shape = if flags.contains("-p ") { "" } else { "-p 8 " };
        let (found, said) = folder.failure(&format!("tune -m M {shape}{flags}"));
        assert_eq!(found, *code, "{flags}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{flags}: {said}");
    }
    let (code, said) = folder.failure("tune -m no-such-model");
    assert!(code == 2 && said.contains("no-such-model"), "{said}");
}

#[test]
fn time_that_is_over_at_once_decides_nothing() {
    let folder = Folder::new("tune-time", "llama");
    let output = folder.pacemark("tune -m M -p 8 -n 4 -ub 2 --max-time 1ms -o json");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("--max-time"), "{said}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["verdict"], "not_over");
}
