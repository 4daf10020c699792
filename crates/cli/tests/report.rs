//! `pacemark report` through the real binary: a record of every experiment in every format and language, a
//! suite's folder, and what cannot be a report.

mod binary;
mod folder;

use folder::Folder;
use pacemark_bench::EXPERIMENTS;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What measures each experiment on a tiny model; each is followed by where its record goes.
const MEASURED: [&str; 19] = [
    "bench -m M -p 8 -n 6 -t 1-3 -r 6 --no-warmup --no-roof -o json --save",
    "bench -m M -npl 1,2,3 -npp 8 -ntg 4 -r 2 --no-warmup --no-roof -t 1 -o json --save",
    "eval perplexity -m M -f T -c 32 --chunks 3 -t 1 -o json --save",
    "eval perplexity -m M -f T --stream 60 --kv recent:16 -t 1 -o json --save",
    "eval kld -m M -f T -c 32 --chunks 2 -t 1 -o json --save",
    "eval accuracy -m M -f ITEMS --kv full,recent:2 -t 1 -o json --save",
    "eval needle -m M --lengths 240 --depths 0,100 --trials 2 --max-tokens 3 -t 1 -o json --save",
    "kv -m M --text T -t 1 --num-samples 1 --max-tokens 96 --max-new-tokens 8 --start-size 4 --recent-sizes 12 --output-dir",
    "quant-study -m M --allow-requantize -f T -c 32 --chunks 2 -p 8 -n 4 -r 1 --types F16,Q4_0 -t 1 -o json --save",
    "bench --cold -m M -p 9 -n 3 -t 1 -r 1 --page-cache warm -o json --save",
    "fit -m M -t 1 -r 1 -c 64 -o json --save",
    "stages -m M --requests 4 --gen-tokens 5 --concurrency 2 -t 1 --rounds 2 -o json --save",
    "load -m M --concurrency 1,2,3 --requests 24 --input-tokens 8 --output-tokens 4 -o json --save",
    "load --self-test --streams 4 -o json --save",
    "run -m M -p in_the -n 6 -t 1 -o json --save",
    "versus -m M --engine native --engine native:t=1,as=one -f T -c 32 --chunks 2 -p 8 -n 4 --n-parallel 2 -r 1 -t 1 -o json --save",
    "tune -m M -f T -p 8 -n 4 -c 32 --chunks 5 --min-rounds 4 --max-rounds 4 -ub 2,4 -o json --save",
    "genai-bench -m M -p in_the -n 6 -t 1 --report -o json --save",
    "doctor --seconds 0.01 --threads 1 -o json --save",
];

/// Those whose figures are told one by one.
const WITHOUT_PICTURE: [&str; 2] = ["doctor", "self-test"];

/// A record of each, whatever the command says of its targets.
fn records(folder: &Folder) -> Vec<PathBuf> {
    let items = r#"{"query":"to be","choices":["or","not"],"gold":0}"#;
    std::fs::write(folder.0.join("items.jsonl"), format!("{items}\n").repeat(3)).unwrap();
    let record = |(i, line): (usize, &&str)| {
        let path = folder.0.join(format!("record-{i}.json"));
        let place = match line.ends_with("--output-dir") {
            true => folder.0.join(format!("study-{i}")),
            false => path,
        };
        let items = folder.0.join("items.jsonl").display().to_string();
        let line = format!("{} {}", line.replace("ITEMS", &items), place.display());
        let output = folder.pacemark(&line);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let made = match place.is_dir() {
            true => std::fs::read_dir(&place)
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .path()
                .join("record.json"),
            false => place,
        };
        assert!(made.exists(), "{line}: {said}");
        made
    };
    MEASURED.iter().enumerate().map(record).collect()
}

fn read(path: &Path) -> String {
    String::from_utf8(std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_experiment_in_every_format_and_language() {
    let folder = Folder::new("report", "llama");
    let (mut found, mut undrawn) = (BTreeSet::new(), BTreeSet::new());
    for record in records(&folder) {
        let text = read(&record);
        let value: Value = serde_json::from_str(&text).unwrap();
        let name = value["trials"][0]["experiment"].as_str().unwrap().to_owned();
        for lang in ["en", "zh"] {
            let out = folder.0.join(format!("out-{name}-{lang}"));
            // Pictures of many dots take their time without optimisation: once is enough.
            let png = if lang == "en" { ",png" } else { "" };
            let formats = format!("html,svg,md,table,json,jsonl,csv,sql{png}");
            let line = format!(
                "report {} --format {formats} --lang {lang} -o {}",
                record.display(),
                out.display()
            );
            let output = folder.pacemark(&line);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && !said.contains("panicked"), "{name}: {said}");
            let html = read(&out.join("report.html"));
            if !html.contains("<figure>") {
                undrawn.insert(name.clone());
            }
            assert_eq!(html.contains("测量环境"), lang == "zh", "{name}");
            if lang == "en" {
                assert!(std::fs::read(out.join("report.png")).unwrap().starts_with(b"\x89PNG"));
            }
            assert!(read(&out.join("report.svg")).contains("</svg>"));
            let json: Value = serde_json::from_str(&read(&out.join("report.json"))).unwrap();
            assert!(
                json["environment"].is_array() && json["commands"][0].is_string(),
                "{name}: {json}"
            );
            for file in ["report.md", "report.txt", "report.jsonl", "report.csv", "report.sql"] {
                assert!(!read(&out.join(file)).trim().is_empty(), "{name}: {file}");
            }
        }
        found.insert(name);
    }
    let all: BTreeSet<String> = EXPERIMENTS.iter().map(|e| e.name().to_owned()).collect();
    assert_eq!(found, all, "each experiment has a record here");
    assert_eq!(undrawn.into_iter().collect::<Vec<_>>(), WITHOUT_PICTURE);
}

#[test]
fn a_sweep_is_advised_on_and_targets_come_first() {
    let folder = Folder::new("report-sweep", "llama");
    let path = |name: &str| folder.0.join(name).display().to_string();
    let (save, targets, out) = (path("run.json"), path("targets.yaml"), path("out"));
    let line =
        format!("bench -m M -p 0 -n 8 -t 1-3 -r 5 --no-warmup --no-roof -o json --save {save}");
    assert!(folder.pacemark(&line).status.success());
    std::fs::write(&targets, "targets:\n  decode_tps: {min: 1000000000}\n").unwrap();
    let report = folder.json(&format!("report {save} --format json --targets {targets}"));
    assert_eq!(report["verdicts"][0]["standing"], "bad", "{report}");
    assert!(report["advice"][0].as_str().unwrap().contains("n_threads"), "{report}");
    assert!(report["commands"][0].as_str().unwrap().starts_with("pacemark bench -m"));
    let terminal = folder.pacemark(&format!("report {save}"));
    let text = String::from_utf8_lossy(&terminal.stdout).into_owned();
    assert!(text.contains("Generation: t/s over n_threads") && text.contains('●'), "{text}");
    // Two of one experiment are one document, others one each.
    let doctor = path("doctor.json");
    folder.pacemark(&format!("doctor --seconds 0.01 --threads 1 -o json --save {doctor}"));
    let both = format!("report {save} {doctor} --format csv -o {out}");
    assert!(folder.pacemark(&both).status.success());
    for file in ["report-1.csv", "report-2.csv"] {
        assert!(Path::new(&out).join(file).exists(), "{file}");
    }
    let page = folder.pacemark(&format!("report {save} {doctor} --format html"));
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("<h1>Report of 2 experiments</h1>"), "of one it would be a part's");
}

/// Pictures of many rows are too many dots for one file.
#[test]
fn pictures_of_many_runs_are_several_files() {
    let folder = Folder::new("report-many", "llama");
    let path = |name: &str| folder.0.join(name).display().to_string();
    let (save, out) = (path("run.json"), path("out"));
    // The widest pictures that there are, those of bars, and six of each.
    let line = format!("run -m M -p in_the -n 6 -t 1 -o json --save {save}");
    assert!(folder.pacemark(&line).status.success());
    let text = read(Path::new(&save));
    let copies: Vec<String> = (0..40).map(|i| path(&format!("copy-{i}.json"))).collect();
    copies.iter().for_each(|copy| std::fs::write(copy, &text).unwrap());
    let line = format!("report {} --format png,html,csv -o {out}", copies.join(" "));
    let output = folder.pacemark(&line);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    for file in ["report-1.png", "report-2.png", "report.html"] {
        assert!(Path::new(&out).join(file).exists(), "{file}: {said}");
    }
}

#[test]
fn a_suites_folder_is_a_report() {
    let folder = Folder::new("report-suite", "llama");
    let path = |name: &str| folder.0.join(name).display().to_string();
    let suite = format!(
        "models: {{tiny: {}}}\nbenchmark:\n  experiments:\n    - throughput: {{n_prompt: 8, n-gen: 0, \
         repetitions: 2, no-roof: true}}\n    - doctor: {{seconds: 0.01, threads: 1}}\n",
        path("model.gguf")
    );
    std::fs::write(path("suite.yaml"), suite).unwrap();
    let run =
        folder.pacemark(&format!("suite {} --output-dir {}", path("suite.yaml"), path("suites")));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let made = std::fs::read_dir(path("suites")).unwrap().next().unwrap().unwrap().path();
    assert!(made.join("suite.json").exists());
    let line = format!("report {} --format html,csv -o {}", made.display(), path("out"));
    let report = folder.pacemark(&line);
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
    let html = read(&folder.0.join("out").join("report.html"));
    assert!(html.contains("pp8") && html.contains("what this machine is"), "both experiments");
    let (code, said) = folder.failure(&format!("report {}/suite.json", made.display()));
    assert!(code == 1 && said.contains("not a record of Pacemark"), "{code} {said}");
}

#[test]
fn what_cannot_be_a_report_is_told() {
    let folder = Folder::new("report-refused", "llama");
    let path = |name: &str| folder.0.join(name).display().to_string();
    let (newer, cut, empty, blocked) =
        (path("newer.json"), path("cut.json"), path("empty"), path("blocked"));
    std::fs::write(&newer, r#"{"schema": 99, "trials": []}"#).unwrap();
    std::fs::write(&cut, r#"{"schema": 2, "trials": [{"#).unwrap();
    std::fs::create_dir(&empty).unwrap();
    let vllm = concat!(env!("CARGO_MANIFEST_DIR"), "/../foreign/tests/data/vllm.json");
    std::fs::write(&blocked, "").unwrap();
    let save = path("run.json");
    folder.pacemark(&format!(
        "bench -m M -p 0 -n 4 -r 2 --no-warmup --no-roof -o json --save {save}"
    ));
    // Nobody answers at the port of the machine that discards.
    let dead = path("dead.json");
    folder.pacemark(&format!("load --url http://127.0.0.1:9/v1 --model m --requests 3 --concurrency 1 -o json --save {dead}"));
    let both = folder.pacemark(&format!("report {save} {dead} -o {}", path("both")));
    let said = String::from_utf8_lossy(&both.stderr).into_owned();
    assert!(
        both.status.success() && said.contains("dead.json: there is no figure in it"),
        "{said}"
    );
    for (line, code, expected) in [
        (format!("report {newer}"), 1, "schema 99"),
        (format!("report {cut}"), 1, "cut.json"),
        (format!("report {empty}"), 1, "there is no record in it"),
        (format!("report {dead} -o {}", path("dead")), 1, "dead.json: there is no figure in it"),
        (format!("report {vllm}"), 1, "`pacemark compare` reads it"),
        (format!("report {}", path("nowhere.json")), 1, "nowhere.json"),
        (format!("report {save} -o {blocked}"), 1, "cannot write to"),
        (format!("report {save} --format html,md"), 2, "room for one format"),
        (format!("report {save} {save}"), 2, "given twice"),
        (format!("report {save} --format doc"), 2, "possible values"),
        (format!("report {save} --lang fr"), 2, "possible values"),
        (format!("report {save} --targets {save}"), 2, "run.json"),
    ] {
        let (found, said) = folder.failure(&line);
        assert!(found == code && said.contains(expected), "{line}: {found} {said}");
    }
}
