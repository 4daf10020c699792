//! `check` and `compare` as a user runs them, on records that `bench` made of a tiny model.

mod binary;

use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

/// A folder of a test's own.
struct Folder(PathBuf);

/// Three records of a tiny model (`a.json`, `b.json`, `c.json`), and one of two backends in turn.
fn measured(name: &str) -> Folder {
    let folder = Folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
    let _ = fs::remove_dir_all(&folder.0);
    fs::create_dir_all(&folder.0).unwrap();
    TestModel::of("llama").write(&folder.0.join("model.gguf")).unwrap();
    for record in ["a", "b", "c"] {
        let line =
            format!("bench -m model.gguf -p 0 -n 4 -r 6 -t 1 --no-warmup --save {record}.json");
        let output = pacemark(&folder, &line);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let line = "bench -m model.gguf -p 0 -n 4 -r 6 -t 1 --no-warmup --backend native,native --save turns.json";
    let output = pacemark(&folder, line);
    assert!(output.status.success(), "{}", stderr(&output));
    folder
}

/// Runs a command line in the folder.
fn pacemark(folder: &Folder, line: &str) -> Output {
    let words = line.split(' ').map(|word| word.replace('~', " "));
    binary::pacemark().args(words).current_dir(&folder.0).output().unwrap()
}

fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn code(folder: &Folder, line: &str) -> (i32, String) {
    let output = pacemark(folder, line);
    (output.status.code().unwrap(), stderr(&output))
}

/// A record whose times are so many times those of another.
fn slowed(folder: &Folder, from: &str, to: &str, times: f64) {
    let text = fs::read_to_string(folder.0.join(from)).unwrap();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    for trial in record["trials"].as_array_mut().unwrap() {
        for sample in trial["samples"].as_array_mut().unwrap() {
            let elapsed = sample["elapsed_ns"].as_f64().unwrap() * times;
            sample["elapsed_ns"] = (elapsed as u64).into();
        }
    }
    fs::write(folder.0.join(to), record.to_string()).unwrap();
}

#[test]
fn targets_are_judged_with_exit_codes_and_junit() {
    let folder = measured("check");
    let targets = |text: &str| fs::write(folder.0.join("t.yaml"), text).unwrap();
    targets("targets: {decode_tps: {min: 0}, peak_memory_gb: {max: 1000}}\n");
    let output = pacemark(&folder, "check a.json b.json --targets t.yaml -o json");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["met"], &found["targets"][0]["run"]), (&4.into(), &"a.json".into()));

    targets(
        "targets:\n  model.gguf:\n    min_tokens_per_second: 1.0e15\n    ttft_ms.p99: {max: 1}\n    goodput: {min: 1}\n",
    );
    let output = pacemark(&folder, "check a.json --targets t.yaml --junit t.xml");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{shown}");
    for line in [
        "Failed: decode_tps = ",
        "Undecided: ttft_ms_p99 = - (target: at most 1; takes 299 runs, there are 6)",
        "Not measured: goodput = - (target: at least 1; no trial of model.gguf in a.json has it)",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let xml = fs::read_to_string(folder.0.join("t.xml")).unwrap();
    assert!(xml.contains("tests=\"3\" failures=\"1\" errors=\"2\" skipped=\"0\""), "{xml}");

    targets("targets: {ttft_ms.p99: {max: 1}}\n");
    assert_eq!(code(&folder, "check a.json --targets t.yaml").0, 3);
    assert_eq!(code(&folder, "check a.json --targets t.yaml --allow-undecided").0, 0);
}

#[test]
fn bad_files_of_targets_are_told_with_their_lines() {
    let folder = measured("check-bad");
    let bad = |text: &str| {
        fs::write(folder.0.join("t.yaml"), text).unwrap();
        let (code, told) = code(&folder, "check a.json --targets t.yaml");
        assert_eq!(code, 2, "{told}");
        told
    };
    let told = bad("targets:\n  ttft_sm: {max: 3}\n  decode_tps: {mn: 3}\n");
    assert!(told.contains("t.yaml:2: targets.ttft_sm: unknown metric"), "{told}");
    assert!(told.contains("t.yaml:3: targets.decode_tps"), "{told}");
    assert!(told.contains("error: t.yaml: "), "{told}");
    assert!(bad("targets: [").contains("t.yaml:1"));
    assert!(bad("a: 1\na: 2\n").contains("first in line 1"));
    let run = fs::read_to_string(folder.0.join("a.json")).unwrap();
    fs::write(folder.0.join("newer.json"), run.replacen("\"schema\":2", "\"schema\":99", 1))
        .unwrap();
    fs::write(folder.0.join("cut.json"), &run[..run.len() / 2]).unwrap();
    fs::write(folder.0.join("t.yaml"), "decode_tps: {min: 1}\n").unwrap();
    for (file, why) in [
        ("newer.json", "the record has schema 99"),
        ("cut.json", "not a record of Pacemark: EOF"),
        ("t.yaml", "not a record of Pacemark, and no JSON"),
        ("absent.json", "cannot read absent.json"),
    ] {
        let (code, told) = code(&folder, &format!("check {file} --targets t.yaml"));
        assert!(code == 1 && told.contains(why), "{file}: {code} {told}");
    }
    let (code, told) = code(&folder, "check a.json --targets t.yaml --junit t.yaml");
    assert!(code == 2 && told.contains("it is read too"), "{told}");
}

#[test]
fn records_are_compared_in_all_ways() {
    let folder = measured("compare");
    let json = |line: &str| -> Value {
        let output = pacemark(&folder, line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    for i in 1..=6 {
        slowed(&folder, "a.json", &format!("n{i}.json"), 1.2);
        slowed(&folder, "a.json", &format!("b{i}.json"), 1.0);
    }
    let (base, new) = (
        "b1.json b2.json b3.json b4.json b5.json b6.json",
        "n1.json n2.json n3.json n4.json n5.json n6.json",
    );
    let found = json(&format!("compare {base} --metric decode_tps -o json --to {new}"));
    let ratio = &found["ratios"][0];
    assert_eq!((&found["pairing"], &ratio["pairs"]), (&"runs".into(), &6.into()));
    assert_eq!(ratio["verdict"], "worse");
    assert!((ratio["ratio"].as_f64().unwrap() - 1.0 / 1.2).abs() < 1e-4, "{ratio}");
    let alternating = "b1.json n1.json b2.json n2.json b3.json n3.json b4.json n4.json b5.json n5.json b6.json n6.json";
    let again = json(&format!("compare {alternating} --alternate --metric decode_tps -o json"));
    assert_eq!(again["ratios"], found["ratios"]);
    let single = json("compare b1.json n1.json --metric decode_tps -o json");
    assert_eq!((&single["pairing"], &single["ratios"][0]["pairs"]), (&"none".into(), &0.into()));
    let turns = json("compare turns.json --metric decode_tps -o json");
    assert_eq!(turns["pairing"], "repetitions");

    // Runs of the history go by their names.
    let keep = |times: f64| {
        slowed(&folder, "a.json", "kept.json", times);
        let record = fs::read_to_string(folder.0.join("kept.json")).unwrap();
        let record =
            record.replace("\"started_unix_s\":", &format!("\"started_unix_s\":{}", times as u64));
        fs::write(folder.0.join("kept.json"), record).unwrap();
        let line = "history import kept.json".split(' ');
        let output = binary::pacemark()
            .args(line)
            .current_dir(&folder.0)
            .env("PACEMARK_HISTORY", "h.db")
            .output();
        assert!(output.unwrap().status.success());
    };
    keep(1.0);
    keep(2.0);
    let named = |line: &str| {
        let mut command = binary::pacemark();
        command
            .args(line.split(' '))
            .current_dir(&folder.0)
            .env("PACEMARK_HISTORY", "h.db")
            .output()
            .unwrap()
    };
    let found = named("compare latest~1 latest --metric decode_tps -o json");
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert!((found["ratios"][0]["ratio"].as_f64().unwrap() - 0.5).abs() < 1e-4, "{found}");
    let twice = named("compare latest latest~0");
    assert!(twice.status.code() == Some(2) && stderr(&twice).contains("given twice"));
    assert_eq!(named("compare latest~7 latest").status.code(), Some(2));

    let gate = |condition: &str| {
        code(&folder, &format!("compare {base} --fail-if {condition} --to {new}"))
    };
    let (code, told) = gate("decode_tps~<~0.97");
    assert!(code == 3 && told.contains("failed: decode_tps < 0.97"), "{code} {told}");
    assert_eq!(gate("decode_tps~<~0.8").0, 0);
    assert_eq!(gate("goodput~<~0.8").0, 1, "what nobody has is no pass");
    assert_eq!(gate("goodput~<~0.8 --bisect").0, 125);

    let shown = pacemark(&folder, "compare b1.json n1.json --plot --svg r.svg --png r.png");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("unpaired") && text.contains('●'), "{text}");
    let svg = fs::read_to_string(folder.0.join("r.svg")).unwrap();
    assert!(svg.contains("decode_tps") && fs::read(folder.0.join("r.png")).unwrap().len() > 1000);
}

#[test]
fn other_tools_results_and_what_cannot_be_compared() {
    let folder = measured("compare-others");
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../foreign/tests/data");
    for name in
        ["llama-bench.json", "vllm-detailed.json", "guidellm.json", "aiperf.json", "vllm.json"]
    {
        fs::copy(format!("{data}/{name}"), folder.0.join(name)).unwrap();
    }
    let shown = pacemark(&folder, "compare llama-bench.json a.json -o csv");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.status.success() && text.contains("\"tg4\",\"decode_tps\""), "{text}");
    let shown = pacemark(&folder, "compare guidellm.json vllm-detailed.json aiperf.json vllm.json");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.status.success() && text.matches("ttft_ms ").count() >= 3, "{text}");
    let own = pacemark(&folder, "bench -m model.gguf -p 0 -n 4 -r 2 -t 1 -o json");
    fs::write(folder.0.join("own.json"), &own.stdout).unwrap();
    assert_eq!(code(&folder, "compare own.json a.json").0, 0);
    fs::write(folder.0.join("other.json"), "{\"a\": 1}").unwrap();
    for (line, expected, why) in [
        ("compare a.json", 2, "a.json alone has nothing to compare"),
        ("compare a.json a.json", 2, "a.json is given twice"),
        ("compare a.json ./a.json", 2, "./a.json is given twice"),
        ("compare a.json b.json c.json --alternate", 2, "3 runs are no pairs"),
        ("compare a.json b.json --to c.json", 2, "2 runs cannot be paired with 1"),
        ("compare a.json b.json c.json -o json", 2, "these are 2 comparisons"),
        ("compare a.json aiperf.json", 1, "nothing in common"),
        ("compare a.json other.json", 1, "for llama-bench n_prompt is missing"),
        ("compare a.json b.json --metric decode_tpx", 2, "did you mean decode_tps?"),
        ("compare a.json b.json --metric goodput", 1, "no figure that both sides have, of goodput"),
        ("compare a.json b.json --fail-if decode_tps", 2, "expected FIGURE < RATIO"),
        ("compare a.json absent.json --bisect", 125, "cannot read absent.json"),
        ("compare a.json b.json --svg a.json", 2, "it is read too"),
    ] {
        let (code, told) = code(&folder, line);
        assert!(code == expected && told.contains(why), "{line}: {code} {told}");
    }
}
