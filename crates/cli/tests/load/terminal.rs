//! `pacemark load` as a user at a terminal meets it: the live line, Ctrl-C, and records that are
//! shown again.

use crate::scripted::{Answer, Server, chat_chunk, usage_chunk};
use nix::pty::{Winsize, openpty};
use pacemark_record::Run;
use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn pacemark() -> Command {
    let mut command = crate::binary::pacemark();
    command.arg("load").env("TERM", "xterm");
    command
}

/// Two tokens after a while.
fn good() -> Answer {
    let chunks = (0..2).map(|i| chat_chunk(&format!("\"content\":\" t{i}\"")));
    Answer::stream(chunks.chain([usage_chunk(8, 2, 0), "data: [DONE]\n\n".into()]))
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pacemark-terminal-{}-{name}", std::process::id()))
}

/// A load that gets Ctrl-C, as a terminal sends it, when the server has seen `n_requests`: exit
/// code, standard output and error.
fn cut(
    server: &Server,
    n_requests: usize,
    arguments: &[&str],
    save: &Path,
) -> (Option<i32>, String, String) {
    ended_by("-INT", server, n_requests, arguments, save)
}

/// Likewise by any signal.
fn ended_by(
    signal: &str,
    server: &Server,
    n_requests: usize,
    arguments: &[&str],
    save: &Path,
) -> (Option<i32>, String, String) {
    let mut command = pacemark();
    command.args(["--url", &server.url(), "--warmup", "0"]).args(arguments).arg("--save").arg(save);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while server.bodies().len() < n_requests {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success()
    );
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_live_line_is_one_line_and_leaves_nothing_behind() {
    let server = Server::new(|_| good().after_ms(60));
    let size = Winsize { ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(Some(&size), None).unwrap();
    let mut command = pacemark();
    command.args(["--url", &server.url(), "-c", "1,2", "-n", "12"]).env("NO_COLOR", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::from(terminal.slave));
    let child = command.spawn().unwrap();
    drop(command); // and with it our end of the slave
    let reader = std::thread::spawn(move || {
        let (mut all, mut master) = (Vec::new(), std::fs::File::from(terminal.master));
        let mut some = [0; 4096];
        // The end of a terminal is an error.
        while let Ok(n @ 1..) = master.read(&mut some) {
            all.extend_from_slice(&some[..n]);
        }
        String::from_utf8_lossy(&all).into_owned()
    });
    let output = child.wait_with_output().unwrap();
    let live = reader.join().unwrap();
    assert!(output.status.success(), "{live}");
    assert!(
        live.contains("1 stream: making prompts") && live.contains("1 stream, warm-up: "),
        "{live:?}"
    );
    assert!(live.contains("/12 done, 2 in flight, 0 failed"), "{live:?}");
    // Never wider than the terminal, never another line, no colour; all of it is wiped at last.
    let lines = || live.split("\x1b[2K").flat_map(|drawn| drawn.split('\r')).map(str::trim_end);
    assert!(lines().all(|line| line.chars().count() <= 60), "{live:?}");
    assert!(
        !live.contains('\n') && !live.contains("\x1b[1A") && !live.contains("\x1b[3"),
        "{live:?}"
    );
    assert_eq!(lines().last(), Some(""), "{live:?}");
    let rates = lines()
        .filter_map(|line| line.split(" chunks/s").next()?.rsplit(' ').next()?.parse::<f64>().ok());
    assert!(rates.clone().count() > 2 && rates.clone().all(|rate| rate < 1e6), "{live:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        table.starts_with("1 stream, scripted, 128 → 64 tokens") && !table.contains('\x1b'),
        "{table}"
    );
}

#[test]
fn a_server_that_dies_costs_its_level_and_no_other() {
    // Six answers of the first level and two of the second; the third finds nobody.
    let server = Server::until(8, |_| good());
    let path = file("died.json");
    let output = pacemark()
        .args(["--url", &server.url(), "-c", "1,2,3", "-n", "6", "--warmup", "0", "-o", "json"])
        .arg("--save")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot make prompts"), "{said}");
    let rows: Value = serde_json::from_slice(&output.stdout).expect("the array is closed");
    let streams = |row: &Value| (row["concurrency"].as_u64(), row["failed"].as_u64());
    let rows: Vec<_> = rows.as_array().unwrap().iter().map(streams).collect();
    assert_eq!(rows, [(Some(1), Some(0)), (Some(2), Some(4))], "{said}");
    let run = Run::from_json(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(run.trials.len(), 2);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn ctrl_c_shows_and_keeps_what_was_measured() {
    let server = Server::new(|_| good().after_ms(40));
    let path = file("cut.json");
    let (code, table, said) = cut(&server, 6, &["-c", "2", "-n", "100000"], &path);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        table.contains("interrupted: ") && table.contains("in flight given up and not counted"),
        "{table}"
    );
    let run = Run::from_json(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let trial = &run.trials[0];
    assert!(
        trial.requests().len() >= 4 && (1..=2).contains(&trial.load().unwrap().cut_requests),
        "{}",
        trial.requests().len()
    );
    assert!(
        trial.requests().iter().all(|request| request.is_ok()),
        "what was cut is not a failure of the server"
    );
    // The same figures again, in any format, and held to limits that nobody had thought of.
    let show =
        |arguments: &[&str]| pacemark().arg("--show").arg(&path).args(arguments).output().unwrap();
    let again = String::from_utf8(show(&[]).stdout).unwrap();
    assert_eq!(again, table);
    let csv = String::from_utf8(show(&["-o", "csv"]).stdout).unwrap();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert_eq!(show(&["--slo", "ttft<100s"]).status.code(), Some(0));
    assert_eq!(show(&["--slo", "ttft<1ms"]).status.code(), Some(3));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn rows_before_an_interrupted_one_are_kept() {
    // The first row's four requests are answered, then silence.
    let server = Server::new(|i| if i < 4 { good() } else { good().hang() });
    let path = file("rows.json");
    let (code, table, said) = cut(&server, 6, &["-c", "1,2", "-n", "4"], &path);
    assert_eq!(code, Some(1), "{said}");
    assert!(table.contains("1 stream, ") && !table.contains("2 streams, "), "{table}");
    let run = Run::from_json(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((run.trials.len(), run.trials[0].requests().len()), (1, 4));
    std::fs::remove_file(&path).unwrap();
    // Nothing at all was measured: that is a failure, and leaves no file.
    let server = Server::new(|_| good().hang());
    let (code, _, said) = cut(&server, 1, &["-n", "4"], &path);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("interrupted before a request had ended"), "{said}");
    assert!(!path.exists() && !file("rows.json.part").exists());
}

#[test]
fn the_signals_of_containers_and_closed_terminals_are_ctrl_c() {
    for signal in ["-TERM", "-HUP"] {
        let server = Server::new(|i| if i < 3 { good() } else { good().hang() });
        let path = file(&format!("signal{signal}.json"));
        let (code, table, said) = ended_by(signal, &server, 4, &["-c", "1", "-n", "9"], &path);
        assert!(code == Some(1) && table.contains("1 stream, "), "{signal}: {said}");
        let run = Run::from_json(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(
            (run.trials[0].requests().len(), run.trials[0].load().unwrap().cut_requests),
            (3, 1),
            "{signal}"
        );
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn ctrl_c_before_the_load_ends_at_once_and_leaves_nothing() {
    // Accepts, and says nothing when it is asked for its model.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let path = file("early.json");
    let url = format!("http://{}", silent.local_addr().unwrap());
    let child = pacemark()
        .args(["--url", &url, "--save"])
        .arg(&path)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _asked = silent.accept().unwrap();
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    // Not after the two minutes that an answer may take.
    assert!(!child.wait_with_output().unwrap().status.success());
    assert!(!path.exists() && !file("early.json.part").exists());
}

#[test]
fn a_record_that_cannot_be_written_is_told_before_the_load() {
    let server = Server::new(|_| good());
    let output = pacemark()
        .args(["--url", &server.url(), "-n", "2", "--save", "/nowhere/run.json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot write /nowhere/run.json") && server.bodies().is_empty(),
        "{said}"
    );
}

#[test]
fn warm_ups_that_fail_are_told_and_are_no_more_than_the_load_needs() {
    let server = Server::new(|i| if i < 3 { Answer::status(500, "{}") } else { good() });
    let output = pacemark()
        .args(["--url", &server.url(), "-c", "50", "-n", "3", "-o", "json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("3 of 3 warm-up requests failed: "), "{said}");
    assert_eq!(server.bodies().len(), 6);
}

#[test]
fn a_server_of_its_own_with_a_real_model() {
    let dir = file("model");
    std::fs::create_dir_all(&dir).unwrap();
    let (model, prompts) = (dir.join("tiny.gguf"), dir.join("prompts.txt"));
    TestModel::llama().write(&model).unwrap();
    std::fs::write(&prompts, "abc\ncab\n").unwrap();
    let output = pacemark()
        .args([
            "-m",
            model.to_str().unwrap(),
            "-c",
            "1,3",
            "-n",
            "6",
            "--output-tokens",
            "4",
            "-o",
            "json",
        ])
        .args(["--endpoint", "completions", "--prompts", prompts.to_str().unwrap()])
        .args(["--serve-arg=-t", "--serve-arg=1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&rows[1]["requests"], &rows[1]["failed"], &rows[1]["model"]),
        (&6.into(), &0.into(), &"tiny".into())
    );
    assert_eq!(
        (&rows[1]["output_tokens"], &rows[1]["token_source"]),
        (&24.into(), &"usage".into()),
        "{said}"
    );
    std::fs::remove_dir_all(&dir).unwrap();
}
