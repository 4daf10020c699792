//! `load --workers`: several processes that send one load, and what becomes of it when one of them
//! is not there, dies or is not wanted any longer.

use crate::binary::pacemark;
use crate::scripted::Server;
use crate::several::{Folder, by_hand, load, record, row, said, shown, slow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pacemark_record::{OffsetMethod, Request};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A script of that name in the folder, first on the PATH.
fn script(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.file(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let before = std::env::var("PATH").unwrap();
    format!("{}:{before}", Path::new(&path).parent().unwrap().display())
}

/// Processes that a process has started and that live.
fn children(of: u32) -> Vec<i32> {
    let path = format!("/proc/{of}/task/{of}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

fn is_alive(id: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

/// Until it is so; no test waits for ever.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn four_processes_send_one_load_and_its_figures_are_of_all_requests() {
    let (server, folder) = (Server::new(|_| slow()), Folder::new("four"));
    let file = folder.file("r.json");
    let arguments =
        ["--workers", "local:4", "-c", "6,8", "-n", "62", "--seed", "3", "--save", &file];
    let output = load(&server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let run = record(&file);
    assert_eq!(run.trials.len(), 2, "a row each");
    let trial = &run.trials[0];
    assert_eq!((trial.count("concurrency"), trial.requests().len()), (6, 62));
    let of =
        |name: &str| trial.requests().iter().filter(|r| r.sender.as_deref() == Some(name)).count();
    assert_eq!(["local-1", "local-2", "local-3", "local-4"].map(of), [16, 16, 15, 15]);
    let row = row(&output);
    for (name, q) in [("ttft_ms_p50", 0.5), ("ttft_ms_p90", 0.9)] {
        let expected = format!("{:.6}", by_hand(trial.requests(), q, Request::ttft_ns));
        assert_eq!(shown(&row, name), expected, "{name}");
    }
    let senders = &trial.load().unwrap().senders;
    let clocks: Vec<_> = senders.iter().map(|sender| sender.clock.unwrap()).collect();
    // One machine has one clock: what was measured is within what it says it may be off by.
    for clock in clocks {
        assert_eq!(clock.method, OffsetMethod::RoundTrip);
        assert!(clock.offset_ns.unsigned_abs() <= clock.error_ns.unwrap(), "{clock:?}");
    }
    let mut seeds: Vec<_> = senders.iter().map(|sender| sender.params["seed"].as_u64()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!((seeds.len(), trial.params["seed"].as_u64()), (4, Some(3)));
    // Prompts are each worker's own: no two requests are the same.
    let mut bodies: Vec<String> =
        server.bodies().iter().map(|body| body["messages"].to_string()).collect();
    let n = bodies.len();
    bodies.sort();
    bodies.dedup();
    assert_eq!((n, bodies.len()), (124, 124));
}

#[test]
fn a_rate_is_divided_and_a_sweep_is_judged_of_all() {
    let (server, folder) = (Server::new(|_| slow()), Folder::new("rate"));
    let file = folder.file("r.json");
    let arguments = [
        "--workers",
        "local:2",
        "--rate",
        "200",
        "--arrival",
        "constant",
        "-n",
        "21",
        "--save",
        &file,
    ];
    let output = load(&server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let run = record(&file);
    let trial = &run.trials[0];
    assert_eq!((trial.params["rate"].as_f64(), trial.requests().len()), (Some(200.0), 21));
    // Each sends every 10 ms, the second 5 ms after the first.
    let of = |name: &str| {
        let own = trial.requests().iter().filter(|r| r.sender.as_deref() == Some(name));
        let began = trial.load().unwrap().senders.iter().find(|s| s.name == name).unwrap().began_ns;
        own.map(|r| r.scheduled_ns - began).min().unwrap()
    };
    assert_eq!((of("local-1"), of("local-2")), (0, 5_000_000));
    let arguments = ["--workers", "local:2", "--sweep", "--sweep-to", "4", "-n", "8"];
    let output = load(&server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let levels: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["concurrency"].as_u64()).collect();
    assert_eq!(levels, [Some(2), Some(4)]);
}

#[test]
fn what_cannot_be_divided_is_refused() {
    for (arguments, why) in [
        ("--workers local:8 -c 4", "fewer streams than workers (8)"),
        ("--workers local:2 -c 4 -n 1", "--requests 1: fewer than workers (2)"),
        ("--workers local:2 --until 2%", "--until: a process judges"),
        ("--workers=-oProxyCommand=x", "invalid value"),
        ("--worker-command x", "that is of --workers"),
        ("--workers local:2 --start-at 1", "cannot be used with"),
    ] {
        let output =
            load("http://127.0.0.1:9", &arguments.split(' ').collect::<Vec<_>>()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {}", said(&output));
        assert!(said(&output).contains(why), "{arguments}: {}", said(&output));
    }
}

#[test]
fn a_host_that_is_not_there_is_told_before_anything_is_sent() {
    let (server, folder) = (Server::new(|_| slow()), Folder::new("nobody"));
    let text = "echo 'ssh: connect to host far port 22: No route to host' >&2; exit 255";
    let path = script(&folder, "ssh", text);
    let mut command = load(&server.url(), &["--workers", "local:1,far", "-c", "4"]);
    let output = command.env("PATH", path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let why = said(&output);
    assert!(why.contains("worker far is not there") && why.contains("No route to host"), "{why}");
    assert!(server.bodies().is_empty());
}

#[test]
fn a_host_is_reached_over_ssh_and_a_shell_may_greet() {
    let (server, folder) = (Server::new(|_| slow()), Folder::new("ssh"));
    // What ssh does after it has logged in: options, the host, the command.
    let text =
        "while [ \"${1#-}\" != \"$1\" ]; do shift; done; shift; echo Welcome; exec sh -c \"$*\"";
    let path = script(&folder, "ssh", text);
    let file = folder.file("r.json");
    let ours = pacemark();
    let binary = ours.get_program().to_str().unwrap();
    let arguments = [
        "--workers",
        "me@h1,h1,h1",
        "--worker-command",
        binary,
        "-c",
        "3",
        "-n",
        "12",
        "--save",
        &file,
    ];
    let output = load(&server.url(), &arguments).env("PATH", path).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let run = record(&file);
    let names: Vec<_> =
        run.trials[0].load().unwrap().senders.iter().map(|s| s.name.clone()).collect();
    assert_eq!(names, ["me@h1", "h1", "h1 (2)"]);
}

#[test]
fn a_worker_that_dies_costs_its_share_and_no_more() {
    let (server, folder) = (Server::new(|_| slow()), Folder::new("dies"));
    let file = folder.file("r.json");
    let arguments = ["--workers", "local:3", "-c", "3", "--duration", "3s", "--save", &file];
    let child = load(&server.url(), &arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("a load that goes", || server.bodies().len() > 30);
    let workers = children(child.id());
    assert_eq!(workers.len(), 3);
    kill(Pid::from_raw(workers[1]), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("died: signal: 9"), "{}", said(&output));
    let run = record(&file);
    let load = run.trials[0].load().unwrap();
    let lost: Vec<_> = load.senders.iter().filter_map(|sender| sender.lost.as_deref()).collect();
    assert!(lost.len() == 1 && lost[0].contains("missing: its share "), "{lost:?}");
    assert_eq!((load.senders.len(), run.trials[0].count("concurrency")), (3, 2));
    assert!(run.trials[0].answered().count() > 10);
    wait_until("the end of all workers", || workers.iter().all(|id| !is_alive(*id)));
}

#[test]
fn an_interrupt_keeps_what_was_measured_and_ends_the_workers() {
    let (server, folder) = (Server::new(|_| slow()), Folder::new("interrupt"));
    let file = folder.file("r.json");
    let arguments = ["--workers", "local:2", "-c", "2", "--duration", "60s", "--save", &file];
    let child = load(&server.url(), &arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("a load that goes", || server.bodies().len() > 20);
    let workers = children(child.id());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(record(&file).trials[0].answered().count() > 10);
    assert!(workers.len() == 2 && workers.iter().all(|id| !is_alive(*id)));
}

#[test]
fn workers_do_not_outlive_who_started_them() {
    let server = Server::new(|_| slow());
    let mut child = load(&server.url(), &["--workers", "local:2", "-c", "2", "--duration", "60s"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("a load that goes", || server.bodies().len() > 20);
    let workers = children(child.id());
    assert_eq!(workers.len(), 2);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("their end", || workers.iter().all(|id| !is_alive(*id)));
}

#[test]
fn a_stranger_is_no_worker() {
    // Whoever runs the hidden command without a coordinator ends at once.
    let output = pacemark().arg("load-worker").stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}
