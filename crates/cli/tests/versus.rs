//! `pacemark versus` through the real binary, on a tiny model: Pacemark's engine against itself under
//! other settings, and engines that are not here.

mod binary;
mod folder;

use folder::Folder;
use serde_json::Value;

const SMALL: &str = "versus -m M -p 8 -n 4 --n-parallel 2 -t 1 -f T -c 32 --chunks 2 -o json";

fn rows(told: &Value) -> Vec<&Value> {
    told.as_array().unwrap().iter().collect()
}

#[test]
fn one_engine_against_itself_under_another_setting() {
    let folder = Folder::new("versus", "llama");
    let line =
        format!("{SMALL} -r 2 --engine native --engine native:t=2,kv=f32,as=two --baseline two");
    let told = folder.json(&line);
    let rows = rows(&told);
    let names: Vec<&str> = rows.iter().map(|row| row["contender"].as_str().unwrap()).collect();
    assert_eq!(names, ["two", "native"], "the baseline is first");
    for row in &rows {
        for figure in [
            "prefill_ts_mean",
            "decode_ts_mean",
            "batch_ts_mean",
            "ttft_ms_mean",
            "load_ms_mean",
            "ppl",
        ] {
            assert!(row[figure].as_f64().is_some_and(|x| x > 0.0), "{figure}: {row}");
        }
        assert_eq!((&row["rounds"], &row["failure"]), (&2.into(), &Value::Null));
        assert_eq!(row["terms"]["output tokens"], "5 of 5", "{row}");
    }
    assert_eq!([&rows[0]["terms"]["threads"], &rows[1]["terms"]["threads"]], ["2", "1"]);
    let ppl = |row: &Value| row["ppl"].as_f64().unwrap();
    assert!((ppl(rows[0]) / ppl(rows[1]) - 1.0).abs() < 0.01);
    let compared = &rows[1]["comparisons"][0];
    assert_eq!((&compared["first"], &compared["second"]), (&"two".into(), &"native".into()));
}

#[test]
fn fair_is_what_differs_in_nothing() {
    let folder = Folder::new("versus-fair", "llama");
    let code = |engines: &str| folder.failure(&format!("{SMALL} -r 1 --fair {engines}")).0;
    assert_eq!(code("--engine native --engine native:as=again"), 0);
    assert_eq!(code("--engine native --engine native:t=2"), 3);
}

#[test]
fn an_engine_that_is_not_here_says_why_and_the_others_go_on() {
    let folder = Folder::new("versus-missing", "llama");
    let record = folder.0.join("run.json").display().to_string();
    let line = format!(
        "{SMALL} -r 2 --save {record} --engine native --engine openai:url=http://127.0.0.1:1,as=nobody"
    );
    let output = folder.pacemark(&line);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = rows(&told);
    assert!(rows[0]["decode_ts_mean"].as_f64().is_some_and(|x| x > 0.0));
    assert_eq!((&rows[1]["decode_ts_mean"], &rows[1]["rounds"]), (&Value::Null, &0.into()));
    let failure = rows[1]["failure"].as_str().unwrap();
    assert!(failure.contains("refused"), "{failure}");
    let shown = folder.pacemark(&format!("show {record} -o md"));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("nobody: failed after 0 of 2 runs"), "{shown}");
}

#[test]
fn what_cannot_be_is_a_usage_error() {
    let folder = Folder::new("versus-usage", "llama");
    let cases = [
        ("versus -m M", "--engine"),
        ("versus -m M --engine vllm", "--engine vllm: there is no such backend"),
        ("versus -m M --engine native:x=1", "x: expected one of t, dtype"),
        ("versus -m M --engine native --engine native", "native: there twice"),
        (
            "versus -m M --engine native --baseline other",
            "--baseline other: expected one of native",
        ),
        (
            "versus -m M --engine native:dtype=f32",
            "weights are computed in the types of their file",
        ),
        ("versus -m M --engine native -c 5", "-c 5"),
        ("versus -m M --engine openai", "it asks a server: url=http://HOST:PORT"),
    ];
    for (line, words) in cases {
        let (code, said) = folder.failure(line);
        assert!(code == 2 && said.contains(words), "{line}: {code} {said}");
    }
}
