//! `pacemark eval accuracy`, `needle`, `passkey` and `ruler` through the real binary: rows, records,
//! pictures, and everything that is refused.
//!
//! The last test needs a real model: `PACEMARK_TEST_MODELS` names the directory where `pacemark models
//! pull` puts it; without it the test says that it is skipped.

mod binary;

use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A folder of its own for each test, with a model; removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("pacemark-tasks-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        TestModel::llama().write(&path.join("tiny.gguf")).unwrap();
        Folder(path)
    }

    fn items(&self, lines: &[&str]) {
        std::fs::write(self.0.join("items.jsonl"), lines.join("\n")).unwrap();
    }

    /// Runs `pacemark` there, words apart by spaces.
    fn run(&self, line: &str) -> Output {
        let mut command = binary::pacemark();
        command.current_dir(&self.0).env("PACEMARK_HOME", self.0.join("home"));
        command.args(line.split_whitespace()).output().unwrap()
    }

    fn fine(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn rows(&self, line: &str) -> Vec<Value> {
        let rows: Value = serde_json::from_str(&self.fine(line)).unwrap();
        rows.as_array().unwrap().clone()
    }

    fn record(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.0.join(name)).unwrap()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const ITEMS: [&str; 6] = [
    r#"{"id": "one", "context": "in the beginning", "choices": ["of the end", "the"], "answer": 0}"#,
    r#"{"query": "the end", "choices": ["of", "in", "the beginning"], "gold": "2"}"#,
    r#"{"question": "of the", "choices": ["a", "end of the"], "label": 1}"#,
    r#"{"ctx": "in the ", "endings": ["end", "of"], "expected_index": 0}"#,
    r#"{"context": "the", "choices": ["end", "beginning of the end"], "answer": 1}"#,
    r#"{"context": "of", "choices": ["the end", "in"], "answer": 0}"#,
];

/// The figures are those that the record's sums give, under every setting, whoever shows them.
#[test]
fn choices_are_ranked_and_the_record_says_how() {
    let folder = Folder::new("choices");
    folder.items(&ITEMS);
    let line = "eval accuracy -m tiny.gguf -f items.jsonl --kv full,recent:2 -ctk f16,q8_0 -ctv f16,q8_0 -o json";
    let rows = folder.rows(&format!("{line} --save run.json"));
    assert_eq!(rows, folder.rows("show run.json -o json"));
    let names: Vec<&str> = rows.iter().map(|row| row["setting"].as_str().unwrap()).collect();
    assert_eq!(names, ["full f16", "recent:2 f16", "full q8_0", "recent:2 q8_0"]);
    let record = folder.record("run.json");
    let mut sums = Vec::new();
    for (row, trial) in rows.iter().zip(record["trials"].as_array().unwrap()) {
        let items = trial["items"].as_array().unwrap();
        assert_eq!((items.len(), &row["n_items"]), (6, &6.into()));
        let right = |by_length: bool| {
            let is_right = |item: &&Value| {
                let numbers = |name: &str| -> Vec<f64> {
                    let list = item[name].as_array().unwrap();
                    list.iter().map(|value| value.as_f64().unwrap()).collect()
                };
                let by = |(sum, n): (&f64, &f64)| if by_length { sum / n } else { *sum };
                let scores: Vec<f64> =
                    numbers("logprobs").iter().zip(&numbers("n_chars")).map(by).collect();
                let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                scores.iter().position(|score| *score == best)
                    == item["gold"].as_u64().map(|gold| gold as usize)
            };
            items.iter().filter(is_right).count() as f64 / 6.0
        };
        let shown = |name: &str| row[name].as_f64().unwrap();
        assert!((shown("acc") - right(false)).abs() < 1e-6, "{row}");
        assert!((shown("acc_norm") - right(true)).abs() < 1e-6, "{row}");
        assert!(shown("acc_ci95_low") < shown("acc") + 1e-9 && row["acc_stderr"].is_number());
        sums.push(items[0]["logprobs"].clone());
    }
    assert_ne!(sums[0], sums[1], "a policy changes what is likely");
    assert_ne!(sums[0], sums[2], "a type of cache does");
    assert_eq!(rows[0]["acc_difference"], Value::Null, "the first is compared with nothing");
    assert_eq!(rows[1]["acc_difference_pairs"], 6);
    let ids: Vec<&str> = record["trials"][0]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["one", "line 2", "line 3", "line 4", "line 5", "line 6"]);
    let same =
        folder.fine("eval accuracy -m tiny.gguf -f items.jsonl --kv full,recent:200 --limit 5");
    assert!(same.contains("not distinguishable"), "{same}");
}

#[test]
fn a_needle_is_drawn_by_depth_and_length() {
    let folder = Folder::new("needle");
    for task in ["needle", "passkey"] {
        let line = format!(
            "eval {task} -m tiny.gguf --lengths 240,250 --depths 0,100 --trials 2 --max-tokens 3 \
             --kv full,snapkv:64 --question outside -o json --save run.json --svg a.svg --png a.png"
        );
        let rows = folder.rows(&line);
        assert_eq!(rows, folder.rows("show run.json -o json"));
        let named = |row: &Value| (row["length"].clone(), row["setting"].clone());
        let expected = [(240, "full"), (240, "snapkv:64"), (250, "full"), (250, "snapkv:64")];
        assert_eq!(
            rows.iter().map(named).collect::<Vec<_>>(),
            expected.map(|(length, setting)| (length.into(), setting.into()))
        );
        let record = folder.record("run.json");
        for trial in record["trials"].as_array().unwrap() {
            assert_eq!(trial["params"]["question"], "outside");
            for item in trial["items"].as_array().unwrap() {
                assert_eq!(item["n_prompt"], trial["params"]["length"], "exactly as long: {item}");
                assert!(item["output"].is_string() && item["expected"][0].is_string());
            }
        }
        let svg = std::fs::read_to_string(folder.0.join("a.svg")).unwrap();
        for said in [">full</text>", ">snapkv:64</text>", ">250</text>", ">100 %</text>"] {
            assert!(svg.contains(said), "{said}");
        }
        assert!(std::fs::read(folder.0.join("a.png")).unwrap().starts_with(b"\x89PNG"));
    }
    let page = folder.fine("show run.json");
    assert!(page.contains("|  100 % |") && page.contains("Found, by depth"), "{page}");
}

#[test]
fn what_cannot_be_measured_is_refused_by_name() {
    let folder = Folder::new("refused");
    let write = |name: &str, text: &str| std::fs::write(folder.0.join(name), text).unwrap();
    write("one.jsonl", r#"{"context": "a", "choices": ["b"], "answer": 0}"#);
    write(
        "range.jsonl",
        &format!("{}\n\n{}", ITEMS[0], r#"{"context": "a", "choices": ["b", "c"], "answer": 2}"#),
    );
    write("none.jsonl", r#"{"context": "a", "answer": 0}"#);
    write("answer.jsonl", r#"{"context": "a", "choices": ["b", "c"]}"#);
    let marks = r#"{"activity_label": "a", "ctx": "b", "endings": ["c", "[title]"], "label": 0}"#;
    write("marks.jsonl", marks);
    write("both.jsonl", &ITEMS[0].replace("{", r#"{"question": "a", "#));
    write("text.jsonl", "context,choices\n");
    write("empty.jsonl", "\n");
    write("long.jsonl", &ITEMS[0].replace("in the beginning", &"the end of ".repeat(400)));
    folder.items(&ITEMS);
    for (line, code, said) in [
        // The items are looked at before there is a model.
        (
            "accuracy -m no.gguf -f one.jsonl",
            1,
            "one.jsonl, line 1: choices: expected at least 2, found 1",
        ),
        (
            "accuracy -m no.gguf -f range.jsonl",
            1,
            "range.jsonl, line 3: answer: expected the number of a choice, 0 to 1, found 2",
        ),
        (
            "accuracy -m no.gguf -f none.jsonl",
            1,
            "line 1: choices: expected a list of texts, found nothing",
        ),
        (
            "accuracy -m no.gguf -f answer.jsonl",
            1,
            "line 1: answer: expected the number of a choice, 0 to 1, found nothing",
        ),
        (
            "accuracy -m no.gguf -f text.jsonl",
            1,
            "text.jsonl, line 1: the line: expected a JSON object",
        ),
        ("accuracy -m no.gguf -f empty.jsonl", 1, "found no line with text"),
        ("accuracy -m no.gguf -f nothing.jsonl", 1, "cannot read nothing.jsonl"),
        ("accuracy -f items.jsonl --dataset hellaswag-100", 2, "cannot be used with"),
        ("accuracy --dataset mmlu", 2, "hellaswag-100, truthfulqa-mc1"),
        (
            "accuracy -m tiny.gguf -f items.jsonl --save items.jsonl",
            2,
            "--save items.jsonl: it is read too",
        ),
        ("accuracy -m tiny.gguf -f long.jsonl", 2, "one: it takes "),
        ("accuracy -m tiny.gguf -f items.jsonl --kv recnt:4", 2, "expected recent"),
        ("accuracy -m tiny.gguf -f items.jsonl --kv full,full", 2, "full is there twice"),
        ("accuracy -m tiny.gguf -f items.jsonl --kv recent:4,skip=7", 2, "skip"),
        ("needle -m tiny.gguf --lengths 20", 1, "needle of 20 tokens: expected at least"),
        ("needle -m tiny.gguf --lengths 5000", 2, "--lengths 5000: tiny.gguf has a context of 256"),
        (
            "needle -m tiny.gguf --lengths 18446744073709551615",
            2,
            "--lengths 18446744073709551615: tiny.gguf has a context of 256",
        ),
        (
            "needle -m tiny.gguf --lengths 100 --trials 18446744073709551615",
            2,
            "prompts in all, at most 100000",
        ),
        (
            "passkey -m tiny.gguf --lengths 100 --max-tokens 18446744073709551615",
            2,
            "--max-tokens 18446744073709551615: tiny.gguf has a context of 256",
        ),
        // Before the first of the two is measured.
        ("accuracy -m tiny.gguf -f items.jsonl -ctk f16,q4_0 -ctv f16,f32", 2, "-ctk, -ctv"),
        (
            "accuracy -m no.gguf -f both.jsonl",
            1,
            "line 1: question: expected no such field beside context, found both",
        ),
        (
            "accuracy -m no.gguf --format hellaswag -f items.jsonl",
            1,
            "line 1: activity_label: expected a text, found nothing",
        ),
        (
            "accuracy -m no.gguf --format hellaswag -f marks.jsonl",
            1,
            "line 1: endings[1]: expected a text beside marks in brackets, found none",
        ),
        ("needle -m tiny.gguf --lengths 200,200", 2, "--lengths: 200 is there twice"),
        ("needle -m tiny.gguf --depths 0,101", 2, "expected 0 to 100"),
        ("needle -m tiny.gguf --svg a --png a", 2, "it is to be written twice"),
        ("passkey -m tiny.gguf --trials 0", 2, "--trials"),
        (
            "ruler -m tiny.gguf --task niah",
            2,
            "not one of niah_single_1, niah_multikey_1, vt, cwe, fwe",
        ),
        ("ruler -m tiny.gguf --task vt --lengths 64", 1, "vt of 64 tokens: expected at least"),
    ] {
        let output = folder.run(&format!("eval {line}"));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(said), "{line}: {error}");
        assert_eq!(output.status.code(), Some(code), "{line}: {error}");
        assert!(output.stdout.is_empty(), "{line}");
    }
    assert!(!folder.0.join("a").exists());
}

/// SmolLM2 knows what everybody does, and finds a number in a few hundred tokens; with the last 64
/// tokens alone it does not.
#[test]
fn a_real_model_finds_what_is_there() {
    let file = "SmolLM2-135M-Instruct.Q4_1.gguf";
    let Some(directory) = std::env::var_os("PACEMARK_TEST_MODELS") else {
        eprintln!("skipped: set PACEMARK_TEST_MODELS to a directory with {file}");
        return;
    };
    let folder = Folder::new("real");
    let model = Path::new(&directory).join(file);
    let model = model.to_str().unwrap();
    folder.items(&[
        r#"{"context": "The capital of France is", "choices": ["Madrid.", "Paris.", "a spoon."], "answer": 1}"#,
        r#"{"context": "She drank a glass of", "choices": ["water.", "the of.", "stones."], "answer": 0}"#,
        r#"{"context": "Two plus two is", "choices": ["green.", "four."], "answer": 1}"#,
    ]);
    let rows = folder.rows(&format!("eval accuracy -m {model} -f items.jsonl -o json"));
    assert_eq!(rows[0]["acc"], 1.0);
    let line = format!(
        "eval passkey -m {model} --lengths 300 --depths 0,50 --trials 3 --kv full,recent:64 -o json"
    );
    let rows = folder.rows(&line);
    assert_eq!((&rows[0]["recall"], &rows[1]["recall"]), (&1.0.into(), &0.0.into()), "{rows:?}");
    assert_eq!(rows[1]["recall_difference_verdict"], "worse");
    let rows = folder.rows(&format!("eval ruler -m {model} --lengths 1024 --trials 1 -o json"));
    let tasks: Vec<&str> = rows.iter().map(|row| row["task"].as_str().unwrap()).collect();
    assert_eq!(tasks, ["niah_single_1", "niah_multikey_1", "vt", "cwe", "fwe"]);
    assert_eq!(rows[0]["recall"], 1.0);
}
