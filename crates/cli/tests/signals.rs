//! The signals that end a program, sent to commands at work: what was measured is shown, no half of
//! a file stays.

#![cfg(target_os = "linux")]

mod binary;

use pacemark_testmodel::TestModel;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A folder that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("pacemark-signals-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Started, and far enough to take signals: the thread that waits for them is there. `shell` is
/// done before.
fn started(shell: &str, arguments: &[&str]) -> Child {
    let mut command = binary::shell();
    command
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_pacemark")])
        .args(arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let tasks = PathBuf::from(format!("/proc/{}/task", child.id()));
    let waits = |task: &Path| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "signals")
    };
    while !std::fs::read_dir(&tasks)
        .is_ok_and(|mut all| all.any(|task| task.is_ok_and(|task| waits(&task.path()))))
    {
        assert!(tasks.exists(), "it has ended by itself");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

fn send(signal: &str, child: &Child) {
    assert!(
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success()
    );
}

fn bench(folder: &Folder) -> Vec<String> {
    let model = folder.0.join("tiny.gguf");
    TestModel::llama().write(&model).unwrap();
    let words = "-p 4 -n 4 -r 1000000 -t 1 --no-roof --no-warmup -o json";
    ["bench", "-m", model.to_str().unwrap()]
        .into_iter()
        .chain(words.split(' '))
        .map(str::to_owned)
        .collect()
}

fn repetitions(output: &Output) -> usize {
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).expect("whole JSON");
    rows[0]["samples_ns"].as_array().map_or(0, Vec::len)
}

#[test]
fn bench_shows_what_it_has() {
    let folder = Folder::new("bench");
    let arguments = bench(&folder);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for signal in ["-INT", "-TERM", "-HUP"] {
        let child = started("", &arguments);
        // Repetitions of such a model take well under a millisecond.
        std::thread::sleep(Duration::from_millis(500));
        send(signal, &child);
        let output = child.wait_with_output().unwrap();
        assert!(repetitions(&output) > 0, "{signal}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn tune_keeps_what_it_raced_and_says_that_it_was_not_over() {
    let folder = Folder::new("tune");
    let (model, record) = (folder.0.join("tiny.gguf"), folder.0.join("run.json"));
    TestModel::llama().write(&model).unwrap();
    let words = "-p 4 -n 4 -ub 2 --min-rounds 9999 --max-rounds 9999 -o json --save";
    let arguments = ["tune", "-m", model.to_str().unwrap()].into_iter().chain(words.split(' '));
    let arguments: Vec<&str> = arguments.chain([record.to_str().unwrap()]).collect();
    let child = started("", &arguments);
    // It is there after the first round.
    while !record.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    send("-INT", &child);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("interrupted"), "{said}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("whole JSON");
    assert_eq!(
        (&found["verdict"], &found["command"]),
        (&"not_over".into(), &serde_json::Value::Null)
    );
    assert!(found["settings"][1]["rounds"].as_u64().unwrap() > 0, "{found}");
}

#[test]
fn an_older_record_outlives_an_interrupt_before_the_first_row() {
    let folder = Folder::new("older");
    let (model, record) = (folder.0.join("tiny.gguf"), folder.0.join("older.json"));
    TestModel::llama().write(&model).unwrap();
    std::fs::write(&record, "of yesterday").unwrap();
    let (model, path) = (model.to_str().unwrap(), record.to_str().unwrap());
    let words = ["bench", "-m", model, "-p", "20000", "-n", "0", "-t", "1", "--save", path];
    let child = started("", &words);
    send("-INT", &child);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&record).unwrap(), "of yesterday");
}

#[test]
fn what_nohup_starts_lives_on() {
    let folder = Folder::new("nohup");
    let arguments = bench(&folder);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = started("trap '' HUP;", &arguments);
    send("-HUP", &child);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the signal was ignored when it began");
    send("-TERM", &child);
    assert!(repetitions(&child.wait_with_output().unwrap()) > 0);
}

#[test]
fn quantize_leaves_nothing() {
    let folder = Folder::new("quantize");
    let file = folder.0.join("out.gguf");
    for signal in ["-INT", "-TERM", "-HUP"] {
        let arguments = [
            "models",
            "quantize",
            "synth:smollm2-135m:F16",
            file.to_str().unwrap(),
            "--type",
            "Q4_K_M",
            "-t",
            "1",
        ];
        let child = started("", &arguments);
        send(signal, &child);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(1) && said.contains("interrupted"),
            "{signal}: {said}"
        );
        assert_eq!(folder.names(), [""; 0], "{signal}");
    }
}
