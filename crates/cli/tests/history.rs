//! `pacemark history` through the real binary: every measurement is there, whoever else writes, and
//! whatever the file is.
#![cfg(unix)]

mod binary;

use pacemark_testmodel::TestModel;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A short benchmark.
const BENCH: &str = "bench -m m.gguf -p 8 -n 4 -r 5 -t 1 --no-roof --no-warmup -o csv";

/// A folder with a model and a home of its own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("pacemark-hist-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        TestModel::llama().write(&path.join("m.gguf")).unwrap();
        Folder(path)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = binary::pacemark();
        command.args(line.split_whitespace()).current_dir(&self.0);
        command.env_remove("PACEMARK_HISTORY").env("PACEMARK_HOME", self.0.join("home"));
        command.env("TMPDIR", self.0.join("tmp"));
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// What it prints; it is to succeed and to say nothing of the history.
    fn fine(&self, line: &str) -> String {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        assert!(!said.contains("not in the history"), "{line}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Vec<Value> {
        serde_json::from_str(&self.fine(line)).unwrap()
    }

    /// Exit code and standard error of what is to fail.
    fn failure(&self, line: &str) -> (i32, String) {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{line}: {said}");
        (output.status.code().unwrap(), said)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Records of a benchmark made once, as if begun an hour after each other, with repetitions that
    /// took so many times as long.
    fn records(&self, name: &str, times: &[f64]) {
        self.fine(&format!("{BENCH} --no-history --save one.json"));
        let one: Value =
            serde_json::from_str(&fs::read_to_string(self.path("one.json")).unwrap()).unwrap();
        let record = |(i, times): (usize, &f64)| {
            let mut record = one.clone();
            record["env"]["started_unix_s"] = json!(1_790_000_000 + 3600 * i);
            for trial in record["trials"].as_array_mut().unwrap() {
                for (j, sample) in trial["samples"].as_array_mut().unwrap().iter_mut().enumerate() {
                    sample["elapsed_ns"] = json!((1e8 * times * (1.0 + 0.002 * j as f64)) as u64);
                }
            }
            format!("{record}\n")
        };
        let text: String = times.iter().enumerate().map(record).collect();
        fs::write(self.path(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_measurement_is_there_with_what_was_said_of_it() {
    let folder = Folder::new("there");
    assert_eq!(folder.json("history -o json"), [] as [Value; 0]);
    let line = format!("{BENCH} --save r.json --tag v1 --tag nightly --note quiet");
    let shown = folder.fine(&line);
    let runs = folder.json("history -o json");
    assert_eq!(runs.len(), 1);
    let run = &runs[0];
    assert_eq!(
        (&run["experiment"], &run["tags"], &run["note"]),
        (&json!("throughput"), &json!("nightly v1"), &json!("quiet"))
    );
    let trials = run["trials"].as_array().unwrap();
    let tests: Vec<_> = trials.iter().map(|trial| trial["test"].as_str().unwrap()).collect();
    assert_eq!(tests, ["pp8, threads 1", "tg4, threads 1"]);
    assert!(trials.iter().all(|t| t["metric"] == "avg_ts" && t["value"].as_f64() > Some(0.0)));
    assert_eq!(folder.fine("history show -o csv"), shown);
    assert_eq!(folder.fine("show r.json -o csv"), shown);
    // The file is the same run.
    let said = folder.run("history import r.json").stderr;
    assert!(String::from_utf8_lossy(&said).contains("imported 0 runs, 1 were there already"));
    let table = folder.fine("history");
    for said in ["throughput", "pp8", "quiet", &run["id"].as_str().unwrap()[..10]] {
        assert!(table.contains(said), "{said}: {table}");
    }
    for format in ["table", "md", "json", "jsonl", "csv", "sql"] {
        assert!(
            folder.fine(&format!("history list -o {format}")).contains("throughput"),
            "{format}"
        );
    }
}

#[test]
fn nothing_is_kept_where_that_is_wanted() {
    let folder = Folder::new("off");
    folder.fine(&format!("{BENCH} --no-history"));
    let off = folder.command(BENCH).env("PACEMARK_HISTORY", "off").output().unwrap();
    assert!(off.status.success());
    // A prompt is nobody's business.
    folder.fine("run -m m.gguf -p in_the -n 2 -t 1");
    assert!(!folder.path("home/history.db").exists());
    folder.fine("run -m m.gguf -p in_the -n 2 -t 1 --tag said");
    assert_eq!(folder.json("history -o json")[0]["experiment"], "run");
    let elsewhere =
        folder.command(BENCH).env("PACEMARK_HISTORY", "else/where.db").output().unwrap();
    assert!(elsewhere.status.success() && folder.path("else/where.db").exists());
    let list = folder.command("history").env("PACEMARK_HISTORY", "off").output().unwrap();
    assert_eq!(list.status.code(), Some(2));
    for wrong in ["--tag a,b", "--tag x --no-history", "--note x --no-history"] {
        assert_eq!(folder.failure(&format!("{BENCH} {wrong}")).0, 2, "{wrong}");
    }
}

/// The interrupt is the first of three ways to end early; the reader that goes away is the second.
#[test]
fn what_was_cut_short_is_kept() {
    let folder = Folder::new("cut");
    let mut child = folder
        .command(&format!("{} -r 1000000", BENCH.replace("-r 5", "")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_signals(&child);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let record = folder.fine("history export");
    let line: Value = serde_json::from_str(&record).unwrap();
    let samples = line["record"]["trials"][0]["samples"].as_array().unwrap().len();
    assert!((1..1_000_000).contains(&samples), "{samples}");
}

/// Until the thread is there that takes signals.
fn wait_for_signals(child: &Child) {
    let tasks = PathBuf::from(format!("/proc/{}/task", child.id()));
    let waits = |task: &Path| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "signals")
    };
    while !fs::read_dir(&tasks)
        .is_ok_and(|mut all| all.any(|task| task.is_ok_and(|task| waits(&task.path()))))
    {
        assert!(tasks.exists(), "it has ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

#[test]
fn what_cannot_be_stored_goes_to_a_file() {
    let folder = Folder::new("aside");
    fs::create_dir_all(folder.path("home")).unwrap();
    let broken = "no database at all, but as long as the header of one would be\n".repeat(40);
    fs::write(folder.path("home/history.db"), &broken).unwrap();
    let output = folder.run(&format!("{BENCH} --tag kept"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "what was measured is fine: {said}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("build_commit"), "{said}");
    assert!(said.contains("not in the history") && said.contains("damaged"), "{said}");
    let unsaved: Vec<PathBuf> = fs::read_dir(folder.path("home/unsaved"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(unsaved.len(), 1);
    assert!(said.contains(&format!("history import {}", unsaved[0].display())), "{said}");
    let (code, list) = folder.failure("history");
    assert!(code == 1 && list.contains("damaged") && list.contains("history.db"), "{list}");
    assert_eq!(fs::read_to_string(folder.path("home/history.db")).unwrap(), broken);
    fs::remove_file(folder.path("home/history.db")).unwrap();
    folder.fine(&format!("history import {}", unsaved[0].display()));
    assert_eq!(folder.json("history -o json")[0]["tags"], "kept");
    // Where nothing can be made beside it, in the temporary folder.
    fs::write(folder.path("file"), "").unwrap();
    fs::create_dir_all(folder.path("tmp")).unwrap();
    let output =
        folder.command(BENCH).env("PACEMARK_HISTORY", folder.path("file/h.db")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("tmp/pacemark-unsaved"), "{said}");
    assert_eq!(fs::read_dir(folder.path("tmp/pacemark-unsaved")).unwrap().count(), 1);
}

/// A history that cannot grow, and one that may not be written: the run goes to a file, and what was there
/// stays as it is.
#[cfg(target_os = "linux")]
#[test]
fn a_full_or_read_only_history_loses_nothing() {
    let folder = Folder::new("full");
    folder.fine(BENCH);
    let before = folder.json("history -o json").len();
    let history = folder.path("home/history.db");
    let limited = |shell: &str| {
        let pacemark = env!("CARGO_BIN_EXE_pacemark");
        let mut command = Command::new("sh");
        let script = format!("{shell} {pacemark} {BENCH}");
        command.args(["-c", &script]).current_dir(&folder.0);
        for (name, value) in folder.command(BENCH).get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("not in the history"), "{shell}: {said}");
        said
    };
    // No file may be longer than 16 KB, which the history is already, and its log would be.
    assert!(fs::metadata(&history).unwrap().len() > 16 << 10);
    limited("trap '' XFSZ; ulimit -f 32; exec");
    let unsaved = folder.path("home/unsaved");
    let file = fs::read_dir(&unsaved).unwrap().next().unwrap().unwrap().path();
    assert_eq!(folder.json("history -o json").len(), before);
    folder.fine(&format!("history import {}", file.display()));
    assert_eq!(folder.json("history -o json").len(), before + 1);
    // Who may do everything is not stopped by a mode: root gives that up for this one.
    let mut mode = fs::metadata(&history).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&history, mode).unwrap();
    let is_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0;
    let said = limited(if is_root { "exec setpriv --bounding-set=-all" } else { "" });
    assert!(said.contains("history.db"), "{said}");
    assert_eq!(fs::read_dir(&unsaved).unwrap().count(), 2);
    assert_eq!(folder.json("history -o json").len(), before + 1);
}

/// Real processes, each of which makes the history if it is the first.
#[test]
fn sixteen_at_once_lose_none() {
    let folder = Folder::new("sixteen");
    let children: Vec<Child> = (0..16)
        .map(|i| {
            let line = format!("{BENCH} --tag run-{i}");
            folder.command(&line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("warning: this run"), "{said}");
    }
    let runs = folder.json("history -n 0 -o json");
    let mut tags: Vec<_> = runs.iter().map(|run| run["tags"].as_str().unwrap()).collect();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!((runs.len(), tags.len()), (16, 16));
}

#[test]
fn a_kill_leaves_a_history_that_can_be_read() {
    let folder = Folder::new("kill");
    let n = 400;
    folder.records("many.jsonl", &vec![1.0; n]);
    let mut cut_short = 0;
    for delay in 0..12u64 {
        let mut child =
            folder.command("history import many.jsonl").stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5 + delay * 12));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        if !folder.path("home/history.db").exists() {
            continue;
        }
        let runs = folder.json("history -n 0 -o json");
        cut_short += usize::from(!runs.is_empty() && runs.len() < n);
        if !runs.is_empty() {
            folder.fine("history show latest");
        }
        if runs.len() == n {
            fs::remove_dir_all(folder.path("home")).unwrap();
        }
    }
    folder.fine("history import many.jsonl");
    assert_eq!(folder.json("history -n 0 -o json").len(), n, "{cut_short} were cut short");
}

#[test]
fn a_trend_shows_where_the_level_changed() {
    let folder = Folder::new("trend");
    let noise = [0.0, 0.01, -0.01, 0.005, -0.004, 0.008, -0.007, 0.002];
    let times: Vec<f64> = (0..16).map(|i| if i < 10 { 1.0 } else { 1.25 } + noise[i % 8]).collect();
    folder.records("runs.jsonl", &times);
    folder.fine("history import runs.jsonl");
    let rows = folder.json("history trend avg_ts --test tg4 -o json");
    assert_eq!(rows.len(), 16);
    let changes: Vec<usize> = (0..16).filter(|i| !rows[*i]["change"].is_null()).collect();
    assert_eq!(changes, [10]);
    let change = rows[10]["change"].as_f64().unwrap();
    assert!((change + 0.2).abs() < 0.02, "{change}");
    assert!(rows[0]["ci95_low"].as_f64() < rows[0]["value"].as_f64());
    let table = folder.fine("history trend avg_ts --png t.png --svg t.svg");
    assert!(table.contains('●') && table.contains("worse") && table.contains("pp8"), "{table}");
    assert!(fs::read(folder.path("t.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(fs::read_to_string(folder.path("t.svg")).unwrap().contains("avg_ts over time"));
    let (code, said) = folder.failure("history trend avg_st");
    assert!(code == 2 && said.contains("avg_ts"), "{said}");
    let (code, said) = folder.failure("history list --experiment thruput");
    assert!(code == 2 && said.contains("throughput"), "{said}");
    assert!(folder.fine("history trend ppl -o csv").lines().count() <= 1);
}

#[test]
fn runs_are_named_tagged_and_let_go() {
    let folder = Folder::new("tidy");
    folder.records("runs.jsonl", &[1.0, 1.1, 1.2, 1.3]);
    folder.fine("history import runs.jsonl");
    let ids: Vec<String> = folder
        .json("history -o json")
        .iter()
        .map(|run| run["id"].as_str().unwrap().to_owned())
        .collect();
    folder.fine(&format!("history tag {} release", &ids[3][..12]));
    folder.fine("history note latest~3 first");
    let oldest = &folder.json("history --tag release -o json")[0];
    assert_eq!((&oldest["id"], &oldest["note"]), (&json!(ids[3]), &json!("first")));
    for (name, says) in [("latest~4", "4 runs"), ("zzz", "no run"), ("latest~", "no run")] {
        let (code, said) = folder.failure(&format!("history show {name}"));
        assert!(code == 2 && said.contains(says), "{name}: {said}");
    }
    folder.fine("history export all.jsonl");
    fs::create_dir(folder.path("each")).unwrap();
    folder.fine("history export each");
    assert_eq!(fs::read_dir(folder.path("each")).unwrap().count(), 4);
    assert!(folder.fine("history gc --keep 1 --dry-run").contains(&ids[1][..10]));
    assert_eq!(folder.json("history -o json").len(), 4);
    folder.fine("history gc --keep 1 --older-than 1d");
    let kept = folder.json("history -o json");
    assert_eq!(kept.len(), 2, "the newest and the one with a tag");
    folder.fine("history rm latest latest~1");
    assert!(folder.json("history -o json").is_empty());
    for wrong in ["gc", "gc --keep 0", "gc --older-than soon", "tag latest", "rm"] {
        assert_eq!(folder.failure(&format!("history {wrong}")).0, 2, "{wrong}");
    }
    folder.fine("history import all.jsonl");
    assert_eq!(folder.json("history --tag release -o json")[0]["note"], "first");
}

#[test]
fn what_is_no_run_is_told_and_the_rest_is_taken() {
    let folder = Folder::new("import");
    folder.records("runs.jsonl", &[1.0, 1.1]);
    let good = fs::read_to_string(folder.path("runs.jsonl")).unwrap();
    let newer = good.lines().next().unwrap().replacen("\"schema\":2", "\"schema\":99", 1);
    fs::write(folder.path("mixed.jsonl"), format!("{newer}\n{good}{{\"cut")).unwrap();
    let (code, said) = folder.failure("history import mixed.jsonl missing.json m.gguf");
    assert_eq!(code, 1, "{said}");
    for expected in [
        "mixed.jsonl: line 1: the record has schema 99",
        "mixed.jsonl: line 4: expected JSON",
        "missing.json",
        "m.gguf",
        "imported 2 runs",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(folder.json("history -o json").len(), 2);
}

/// Whoever runs the tests has a history of his own.
#[test]
fn no_test_writes_into_the_history_of_who_runs_it() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut folders = vec![tests];
    let path = concat!("CARGO_BIN_EXE", "_pacemark");
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path_of = entry.unwrap().path();
            if path_of.is_dir() {
                folders.push(path_of);
                continue;
            }
            let Ok(text) = fs::read_to_string(&path_of) else { continue };
            let runs = text.contains(path) && !path_of.ends_with("binary/mod.rs");
            let is_kept_out = text.contains("binary::shell()");
            assert!(!runs || is_kept_out, "{}: use binary::pacemark()", path_of.display());
        }
    }
}
