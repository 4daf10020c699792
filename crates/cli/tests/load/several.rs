//! Several that send one load (`pacemark merge`), several servers that answer one, and what servers
//! tell of themselves beside it.

use crate::binary::pacemark;
use crate::scripted::{Answer, Server, chat_chunk, usage_chunk};
use pacemark_record::{Request, Run};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Three tokens, some ms apart.
pub(crate) fn slow() -> Answer {
    let chunks = (0..3).map(|i| chat_chunk(&format!("\"content\":\" t{i}\"")));
    let events = chunks.chain([usage_chunk(8, 3, 0), "data: [DONE]\n\n".into()]);
    Answer::stream(events).in_pieces_of(100).every_ms(3)
}

/// A folder of a test's own; it goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("pacemark-several-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn load(urls: &str, arguments: &[&str]) -> Command {
    let mut command = pacemark();
    command.args(["load", "--url", urls, "--input-tokens", "8", "--output-tokens", "3"]);
    command.args(["--warmup", "0", "-o", "json"]).args(arguments);
    command
}

pub(crate) fn record(path: &str) -> Run {
    Run::from_json(&std::fs::read_to_string(Path::new(path)).unwrap()).unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The first row of a document for programs.
pub(crate) fn row(output: &Output) -> Value {
    let rows: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(output)));
    rows[0].clone()
}

/// A figure as documents for programs have it: to the sixth decimal.
pub(crate) fn shown(row: &Value, name: &str) -> String {
    format!("{:.6}", row[name].as_f64().unwrap())
}

/// By the definition: at `q` of the way from the least to the most, in ms.
pub(crate) fn by_hand(requests: &[Request], q: f64, of: fn(&Request) -> Option<u64>) -> f64 {
    let mut ms: Vec<f64> = requests.iter().filter_map(of).map(|ns| ns as f64 / 1e6).collect();
    ms.sort_by(f64::total_cmp);
    let at = q * (ms.len() - 1) as f64;
    let low = at as usize;
    let high = (low + 1).min(ms.len() - 1);
    ms[low] + (at - low as f64) * (ms[high] - ms[low])
}

#[test]
fn records_of_two_processes_are_one_load() {
    let (server, folder) = (Server::new(|_| slow()), Folder::new("merge"));
    let files = ["a.json", "b.json"].map(|name| folder.file(name));
    let started: Vec<_> = files
        .iter()
        .zip(["7", "8"])
        .map(|(file, seed)| {
            load(&server.url(), &["-c", "2", "-n", "40", "--seed", seed, "--save", file])
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in started {
        assert!(child.wait().unwrap().success());
    }
    let whole = folder.file("whole.json");
    let merged = pacemark()
        .arg("merge")
        .args(&files)
        .args(["-o", "json", "--save", &whole])
        .output()
        .unwrap();
    assert_eq!(merged.status.code(), Some(0), "{}", said(&merged));
    let row = row(&merged);
    let raw: Vec<Request> =
        files.iter().flat_map(|file| record(file).trials[0].requests().to_vec()).collect();
    assert_eq!((row["requests"].as_u64(), row["concurrency"].as_u64()), (Some(80), Some(4)));
    for (name, q, of) in [
        ("ttft_ms_p50", 0.5, Request::ttft_ns as fn(&Request) -> Option<u64>),
        ("ttft_ms_p90", 0.9, Request::ttft_ns),
        ("e2e_ms_p50", 0.5, Request::e2e_ns),
    ] {
        assert_eq!(shown(&row, name), format!("{:.6}", by_hand(&raw, q, of)), "{name}");
    }
    let pooled = record(&whole);
    let load = pooled.trials[0].load().unwrap();
    let names: Vec<_> =
        load.senders.iter().map(|sender| (sender.name.as_str(), &sender.params["seed"])).collect();
    assert_eq!(names, [("a", &Value::from(7)), ("b", &Value::from(8))]);
    assert!(load.requests.iter().all(|r| matches!(r.sender.as_deref(), Some("a" | "b"))));
    assert!(!pooled.trials[0].params.contains_key("seed"));
    // It is a record like any other.
    for command in
        [&["show", &whole][..], &["report", &whole, "--format", "md"], &["compare", &whole, &whole]]
    {
        let told = pacemark().args(command).output().unwrap();
        let again = command[0] == "compare"; // the same file twice is no comparison
        assert_eq!(told.status.success(), !again, "{command:?}: {}", said(&told));
    }
    let told = pacemark().args(["show", &whole]).output().unwrap();
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        text.contains("same clock") && text.contains("| a ") && text.contains("| b "),
        "{text}"
    );
    let twice = pacemark().arg("merge").args([&files[0], &files[0]]).output().unwrap();
    assert_eq!(twice.status.code(), Some(1));
    assert!(said(&twice).contains("again"), "{}", said(&twice));
}

#[test]
fn records_of_other_loads_are_refused_by_name() {
    let (server, folder) = (Server::new(|_| slow()), Folder::new("refused"));
    let save = |name: &str, arguments: &[&str]| {
        let file = folder.file(name);
        let output = load(&server.url(), &[arguments, &["-n", "4", "--save", &file]].concat())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        file
    };
    let (a, later) = (save("a.json", &["-c", "1"]), save("later.json", &["-c", "1"]));
    let other = save("other.json", &["-c", "1", "--connections", "fresh"]);
    let refused = |files: [&str; 2]| {
        let output = pacemark().arg("merge").args(files).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{files:?}");
        said(&output)
    };
    let why = refused([&a, &later]);
    assert!(
        why.contains("later.json: trials[0]: expected requests at the same time as those of"),
        "{why}"
    );
    let why = refused([&a, &other]);
    let expected = "other.json: trials[0].params.connections: expected \"reuse\" as in";
    assert!(why.contains(expected) || why.contains("at the same time"), "{why}");
    let alone = pacemark().args(["merge", &a]).output().unwrap();
    assert_eq!(alone.status.code(), Some(2), "{}", said(&alone));
    std::fs::write(folder.file("no.json"), "{}").unwrap();
    let why = refused([&a, &folder.file("no.json")]);
    assert!(why.contains("no.json") && why.contains("not a record"), "{why}");
}

#[test]
fn two_servers_are_one_target_and_each_is_told_of() {
    let (a, b, folder) = (Server::new(|_| slow()), Server::new(|_| slow()), Folder::new("urls"));
    let file = folder.file("r.json");
    let urls = format!("{},{}", a.url(), b.url());
    let output = load(&urls, &["-c", "3", "-n", "20", "--save", &file]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!((a.bodies().len(), b.bodies().len()), (10, 10), "in turn");
    let run = record(&file);
    let of_a = run.trials[0]
        .requests()
        .iter()
        .filter(|r| r.url.as_deref() == Some(&*format!("{}/v1", a.url())));
    assert_eq!(of_a.count(), 10);
    // The same server twice is no second one.
    let twice = load(&format!("{},{}", a.url(), a.url()), &[]).output().unwrap();
    assert_eq!(twice.status.code(), Some(2), "{}", said(&twice));
}

#[test]
fn a_server_of_several_that_is_down_fails_its_share() {
    let folder = Folder::new("down");
    let down = { Server::new(|_| slow()).url() }; // nobody listens there any more
    let up = Server::new(|_| slow());
    let file = folder.file("r.json");
    // The one that is down first: model and tokenizer are asked of the other.
    let output = load(&down, &["--url", &up.url(), "-c", "2", "-n", "20", "--save", &file])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let row = row(&output);
    assert_eq!((row["requests"].as_u64(), row["failed"].as_u64()), (Some(20), Some(10)));
    let groups = record(&file).trials[0].grouped(|request| request.url.as_deref());
    assert_eq!(groups[&format!("{down}/v1")].answered().count(), 0);
    assert_eq!(groups[&format!("{}/v1", up.url())].answered().count(), 10);
    let told = pacemark().args(["load", "--show", &file]).output().unwrap();
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.contains("10 x connection refused"), "{text}");
    let unknown =
        load(&format!("http://no.such.host.invalid,{}", up.url()), &["-c", "1", "-n", "4"])
            .output()
            .unwrap();
    assert!(
        said(&unknown).contains("2 of 4 requests failed: cannot connect"),
        "{}",
        said(&unknown)
    );
}

#[test]
fn what_a_server_tells_stands_beside_what_the_client_saw() {
    let metrics = "vllm:num_requests_running{engine=\"0\"} 2\nvllm:generation_tokens_total ASKED\n junk {{{\nx\n";
    let (server, folder) = (Server::new(|_| slow()).tells(metrics), Folder::new("metrics"));
    let file = folder.file("r.json");
    let arguments = ["-c", "2", "--duration", "2500ms", "--save", &file];
    let output = load(&server.url(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let n = record(&file).trials[0].requests().len() as f64;
    let told = &row(&output)["servers"][0];
    assert_eq!(
        (told["generated_tokens"].as_f64(), told["running_max"].as_f64()),
        (Some(n), Some(2.0)),
        "{told}"
    );
    let told = pacemark().args(["load", "--show", &file]).output().unwrap();
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        text.contains("server: generated tokens")
            && text.contains(&format!("{n} (client: {})", 3.0 * n)),
        "{text}"
    );
    // Without such a page: a dash and why; and nobody asks where that is not wanted.
    let server = Server::new(|_| slow());
    let absent = load(&server.url(), &["-c", "1", "-n", "2"]).output().unwrap();
    let told = row(&absent)["servers"][0]["absent"].clone();
    assert!(told.as_str().unwrap().contains("/metrics answers 404"), "{told}");
    let unasked =
        load(&server.url(), &["-c", "1", "-n", "2", "--no-server-metrics"]).output().unwrap();
    assert_eq!(row(&unasked)["servers"], Value::Array(Vec::new()));
    // A page without end is given up, and the load is not.
    let huge = Server::new(|_| slow()).tells(&"junk 1\n".repeat(700_000));
    let output = load(&huge.url(), &["-c", "1", "-n", "2"]).output().unwrap();
    assert_eq!((output.status.code(), row(&output)["failed"].as_u64()), (Some(0), Some(0)));
    assert!(row(&output)["servers"][0]["absent"].as_str().unwrap().contains("more than 4 MiB"));
}
