//! `pacemark bench` with several backends, through the real binary on a tiny model. What is
//! measured is not looked at: no test depends on time.

mod binary;

use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;

/// A tiny model in a folder of its own, removed at the end.
struct Model(PathBuf);

impl Model {
    fn new(name: &str) -> Model {
        let path = std::env::temp_dir()
            .join(format!("pacemark-paired-{}-{name}.gguf", std::process::id()));
        TestModel::llama().write(&path).unwrap();
        Model(path)
    }

    fn bench(&self, line: &str) -> Output {
        let mut command = binary::pacemark();
        command
            .args(["bench", "-m", self.0.to_str().unwrap(), "-t", "1"])
            .args(line.split_whitespace());
        command.output().unwrap()
    }

    fn text(&self, line: &str) -> String {
        let output = self.bench(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Vec<Value> {
        serde_json::from_str(&self.text(&format!("{line} -o json"))).unwrap()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The comparisons of a row: as many pairs as repetitions, the ratio within its interval, the
/// verdict as the interval has it.
fn checked(row: &Value, repetitions: u64) -> Vec<&str> {
    let comparisons = row["comparisons"].as_array().unwrap();
    for c in comparisons {
        let number = |name: &str| c[name].as_f64().unwrap_or_else(|| panic!("{name}: {c}"));
        let (low, ratio, high) = (number("ci95_low"), number("ratio"), number("ci95_high"));
        assert!(low <= ratio && ratio <= high && c["pairs"] == repetitions, "{c}");
        let holds_one = low <= 1.0 && 1.0 <= high;
        assert_eq!(c["verdict"] == "not_distinguishable", holds_one, "{c}");
        assert_eq!(
            (&c["first"], &c["second"]),
            (&Value::from("native (1)"), &Value::from("native (2)"))
        );
    }
    comparisons.iter().map(|c| c["metric"].as_str().unwrap()).collect()
}

#[test]
fn an_engine_against_itself() {
    let model = Model::new("itself");
    let rows = model.json("--backend native,native -p 16 -n 4 -r 6 --no-warmup");
    let tests: Vec<_> = rows
        .iter()
        .map(|r| (r["n_prompt"].as_u64().unwrap(), r["n_gen"].as_u64().unwrap()))
        .collect();
    assert_eq!(tests, [(16, 0), (16, 0), (0, 4), (0, 4)]);
    assert_eq!(checked(&rows[0], 6), [""; 0]);
    assert_eq!(checked(&rows[1], 6), ["avg_ts", "ttft_ms"]);
    assert_eq!(checked(&rows[2], 6), [""; 0]);
    assert_eq!(checked(&rows[3], 6), ["avg_ts", "ttft_ms", "tpot_ms"]);
    for row in &rows {
        assert_eq!(row["samples_ns"].as_array().unwrap().len(), 6);
        assert_eq!(
            row["peak_rss_bytes"],
            Value::Null,
            "two engines in one process cannot be told apart"
        );
        assert!(
            row["engine"].as_str().unwrap().ends_with(" native") && row["flags"].is_string(),
            "{row}"
        );
    }
}

#[test]
fn the_table_is_followed_by_the_ratios() {
    let model = Model::new("table");
    let text = model.text("--backend native,native -p 8 -n 0 -r 5 --no-warmup");
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("note: ") && !line.is_empty()).collect();
    assert_eq!(lines.len(), 4 + 4 + 1, "{text}");
    assert!(
        lines[4].contains("| ratio of | compared ") && lines[6].contains("native (1) / native (2)"),
        "{text}"
    );
    // Too few for an interval: the ratio stands, and says so.
    let text = model.text("--backend native,native -p 8 -n 0 -r 2 --no-warmup");
    assert!(text.contains("too few pairs"), "{text}");
    let text = model.text("-p 8 -n 0 -r 2 --no-warmup");
    assert!(!text.contains("compared"), "{text}");
}

#[test]
fn a_record_shows_again_what_was_shown_and_compares_within_it_only() {
    let model = Model::new("record");
    let path = model.0.with_extension("json");
    let path = path.to_str().unwrap();
    let line = "--backend native,native -p 8,9 -n 0 -r 5 --no-warmup --save ";
    let text = model.text(&(line.to_owned() + path));
    let show = |arguments: &[&str]| {
        let mut command = binary::pacemark();
        let output = command.arg("show").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(show(&[path]), text);
    let both: Vec<Value> = serde_json::from_str(&show(&[path, path, "-o", "json"])).unwrap();
    let compared: Vec<usize> =
        both.iter().map(|row| row["comparisons"].as_array().unwrap().len()).collect();
    assert_eq!(compared, [0, 2, 0, 2, 0, 2, 0, 2], "no row with one of another record");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn batches_of_several_sequences() {
    let model = Model::new("batches");
    let text = model.text("-npp 8 -ntg 4 -npl 1,3 -r 1 --no-warmup");
    assert!(text.starts_with("|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |"), "{text}");
    assert!(text.contains("\n|     8 |      4 |    3 |     36 | "), "{text}");
    let rows = model.json("--backend native,native -npp 8 -ntg 4 -npl 1,3 -r 5 --no-warmup");
    let found: Vec<_> = rows.iter().map(|r| (r["pl"].as_u64(), r["n_kv"].as_u64())).collect();
    assert_eq!(
        found,
        [(1, 12), (1, 12), (3, 36), (3, 36)].map(|(pl, n_kv)| (Some(pl), Some(n_kv)))
    );
    assert_eq!(checked(&rows[3], 5), ["speed_pp", "speed_tg", "speed"]);
    assert_eq!((&rows[3]["early_tokens"], &rows[3]["n_kv_max"]), (&0.into(), &(3 * 13).into()));
    assert!(rows.iter().all(|row| row["speed_tg"].as_f64() > Some(0.0)), "{rows:?}");
}

#[test]
#[cfg(feature = "llama-cpp")]
fn llama_cpp_beside_native() {
    let model = Model::new("llama-cpp");
    let rows = model.json("--backend native,llama-cpp -p 8 -n 4 -d 16 -r 2 --no-warmup");
    let backends: Vec<_> = rows.iter().map(|row| row["backends"].as_str().unwrap()).collect();
    assert_eq!(backends, ["CPU", "llama.cpp CPU", "CPU", "llama.cpp CPU"]);
    assert!(rows[1]["engine"].as_str().unwrap().starts_with("llama.cpp "), "{}", rows[1]);
    assert_eq!(rows[1]["comparisons"][0]["second"], "llama-cpp");
    let rows = model.json("--backend native,llama-cpp -npp 8 -ntg 4 -npl 1,3 -r 2 --no-warmup");
    assert_eq!((rows.len(), &rows[3]["comparisons"][1]["metric"]), (4, &"speed_tg".into()));
    let rows = model.json("--backend llama-cpp -p 8 -n 4 -r 2 --no-warmup -fa off -ctk q8_0 -ub 4");
    assert_eq!(
        (rows.len(), &rows[0]["flash_attn"], &rows[0]["type_k"]),
        (2, &0.into(), &"q8_0".into())
    );
    // llama.cpp quantizes values with flash attention only, and its refusal is told.
    let output = model.bench("--backend llama-cpp -p 8 -n 0 -fa off -ctv q8_0");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && text.contains("llama.cpp cannot set up a context"),
        "{text}"
    );
}

#[test]
#[cfg(not(feature = "llama-cpp"))]
fn a_backend_that_was_left_out_says_how_to_get_it() {
    let output = Model::new("left-out").bench("--backend native,llama-cpp");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}");
    assert!(
        text.contains(
            "--backend llama-cpp: it was left out of this build: build with --features llama-cpp"
        ),
        "{text}"
    );
}
