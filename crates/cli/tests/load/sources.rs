//! `pacemark load` through the real binary: everything that prompts and their times can come from,
//! as a server sees it.

use crate::scripted::{Answer, Server, chat_chunk, usage_chunk};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;

fn load(url: &str, arguments: &[&str]) -> Output {
    let mut command = crate::binary::pacemark();
    command.args(["load", "-o", "json"]).args(arguments);
    if !arguments.contains(&"--show") {
        command.args(["--url", url]);
        // A trace has no warm-up: its requests are what they are.
        let says = arguments.contains(&"--trace") || arguments.contains(&"--warmup");
        command.args(if says { &[][..] } else { &["--warmup", "0"] });
    }
    command.output().unwrap()
}

/// The rows, and what was said besides; the load must have gone well.
fn rows(url: &str, arguments: &[&str]) -> (Vec<Value>, String) {
    let output = load(url, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    (rows.as_array().unwrap().clone(), said)
}

/// Two tokens, a chunk each.
fn good() -> Answer {
    let chunks = (0..2).map(|i| chat_chunk(&format!("\"content\":\" t{i}\"")));
    Answer::stream(chunks.chain([usage_chunk(8, 2, 0), "data: [DONE]\n\n".into()]))
}

/// A file that is removed with it.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: impl AsRef<[u8]>) -> File {
        let path =
            std::env::temp_dir().join(format!("pacemark-load-{}-{name}", std::process::id()));
        std::fs::write(&path, text.as_ref()).unwrap();
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // only a leftover
    }
}

fn prompt(body: &Value) -> &str {
    body["messages"][0]["content"].as_str().unwrap()
}

/// What follows the mark that makes a prompt new.
fn without_mark(body: &Value) -> &str {
    let (mark, rest) = prompt(body).split_once("] ").unwrap();
    assert_eq!(mark.len(), 9, "{mark}");
    rest
}

#[test]
fn a_dataset_gives_prompts_turns_and_lengths() {
    let talks = r#"[
        {"id": "a", "conversations": [{"from": "human", "value": "what is a cat"}, {"from": "gpt", "value": "it purrs and sleeps"},
            {"from": "human", "value": "and a dog"}, {"from": "gpt", "value": "barks"}]},
        {"id": "b", "conversations": [{"from": "human", "value": "count"}, {"from": "gpt", "value": "one two"}]}]"#;
    let file = File::new("sharegpt.json", talks);
    let server = Server::new(|_| good());
    let (found, said) =
        rows(&server.url(), &["--dataset", file.path(), "-c", "1", "-n", "6", "--turns", "2"]);
    assert_eq!(
        (&found[0]["output_lengths"], &found[0]["prompts"]),
        (&"file".into(), &file.path().into())
    );
    assert!(!said.contains("how long answers"), "{said}");
    // Answers are as long as the file's, counted by the server; the second turn holds the first and
    // its answer.
    let bodies = server.bodies();
    let first = bodies.iter().position(|body| prompt(body).ends_with("what is a cat")).unwrap();
    assert_eq!(
        (without_mark(&bodies[first]), &bodies[first]["max_tokens"]),
        ("what is a cat", &4.into())
    );
    let second = bodies[first + 1]["messages"].as_array().unwrap();
    assert_eq!(
        (second.len(), &second[1]["content"], &second[2]["content"]),
        (3, &" t0 t1".into(), &"and a dog".into())
    );
    assert_eq!(bodies[first + 1]["max_tokens"], 1);
    assert!(bodies.iter().any(|body| prompt(body).ends_with("count") && body["max_tokens"] == 2));
}

#[test]
fn prompts_of_a_file_each_once_a_round() {
    let file = File::new(
        "prompts.txt",
        "first line\n{\"prompt\": \"of\\nan object\", \"output_tokens\": 3}\n\nlast\n",
    );
    let server = Server::new(|_| good());
    let (found, _) = rows(&server.url(), &["--prompts", file.path(), "-c", "1", "-n", "3"]);
    assert_eq!(found[0]["output_lengths"], "file");
    let bodies = server.bodies();
    let mut asked: Vec<&str> = bodies.iter().map(without_mark).collect();
    asked.sort_unstable();
    assert_eq!(asked, ["first line", "last", "of\nan object"]);
    let of_object = bodies.iter().find(|body| prompt(body).ends_with("object")).unwrap();
    assert_eq!(of_object["max_tokens"], 3);
    assert!(
        bodies.iter().filter(|body| body.get("max_tokens").is_none()).count() == 2,
        "others end as they will"
    );
    // Nothing says how long answers are to be: that is told, not made up.
    let file = File::new("short.txt", "hello\n");
    let (found, said) = rows(&server.url(), &["--prompts", file.path(), "-c", "1", "-n", "1"]);
    assert_eq!(found[0]["output_lengths"], "any");
    assert!(said.contains("nothing says how long answers are to be"), "{said}");
}

#[test]
fn a_trace_is_replayed_at_its_times() {
    let text = "{\"timestamp\": 5200, \"input_length\": 7, \"output_length\": 2, \"hash_ids\": [1]}\n\
        {\"arrival_s\": 5.0, \"prompt\": \"hello there\", \"output_tokens\": 4}\n{\"timestamp\": 5100, \"input_tokens\": 3}\n";
    let file = File::new("trace.jsonl", text);
    let record = File::new("trace-record.json", "");
    let server = Server::new(|_| good());
    let (found, _) = rows(
        &server.url(),
        &["--trace", file.path(), "--save", record.path(), "--output-tokens", "9"],
    );
    assert_eq!((&found[0]["requests"], &found[0]["trace"]), (&3.into(), &file.path().into()));
    let bodies = server.bodies();
    let recorded = bodies.iter().find(|body| prompt(body).ends_with("there")).unwrap();
    assert_eq!(
        (without_mark(recorded), &recorded["max_tokens"]),
        ("hello there", &4.into()),
        "new to every cache"
    );
    let body = |n: usize| {
        bodies
            .iter()
            .find(|body| prompt(body).split(' ').count() == n && !prompt(body).starts_with('['))
            .unwrap()
    };
    assert_eq!((&body(7)["max_tokens"], &body(3)["max_tokens"]), (&2.into(), &9.into()));
    let run =
        pacemark_record::Run::from_json(&std::fs::read_to_string(record.path()).unwrap()).unwrap();
    let mut due: Vec<u64> =
        run.trials[0].requests().iter().map(|r| r.scheduled_ns / 1_000_000).collect();
    due.sort_unstable();
    assert_eq!(due, [0, 100, 200]);
}

#[test]
fn every_run_has_other_words_and_a_nonce_repeats_them() {
    let asked = |arguments: &[&str]| {
        let server = Server::new(|_| good());
        rows(&server.url(), &[&["-c", "1", "-n", "4", "--warmup", "2"], arguments].concat());
        let prompts: Vec<String> =
            server.bodies().iter().map(|body| prompt(body).to_owned()).collect();
        prompts
    };
    let (one, other) = (asked(&[]), asked(&[]));
    assert!(one.iter().all(|prompt| !other.contains(prompt)));
    // Those of the warm-up are not sent again, or what is counted would find them in a cache.
    assert_eq!(one.iter().collect::<std::collections::HashSet<_>>().len(), 6);
    let again = asked(&["--nonce", "7"]);
    assert!(again == asked(&["--nonce", "7"]) && again != asked(&["--nonce", "8"]));
}

#[test]
fn prompts_that_are_not_as_long_as_they_were_made_are_told() {
    let server = Server::new(|_| good());
    // More are made ahead than are sent.
    let (found, said) = rows(&server.url(), &["-c", "1", "-n", "3", "--input-tokens", "300"]);
    assert!(
        found[0]["prompts_checked"].as_u64().unwrap() >= 3 && found[0]["prompts_off"] == 0,
        "{}",
        found[0]
    );
    assert!(!said.contains("encoded again"), "{said}");
    let (found, said) = rows(&server.url(), &["-c", "1", "-n", "3", "--input-tokens", "301"]);
    let off = found[0]["prompts_off"].as_u64().unwrap();
    assert!(off >= 3 && found[0]["prompts_checked"] == off, "{}", found[0]);
    assert!(
        said.contains(&format!("{off} of {off} prompts that were encoded again are not as long")),
        "{said}"
    );
}

#[test]
fn a_models_own_tokenizer_counts_what_usage_does_not() {
    let model = File::new("tokenizer.gguf", "");
    pacemark_testmodel::TestModel::llama().write(&model.0).unwrap();
    let file = File::new("counted.txt", "abc\n");
    // Its tokens are bytes: four of reasoning, two of text, in three chunks.
    let answer = |usage: Option<u64>| {
        let chunks = [r#""reasoning_content":"hm""#, r#""reasoning":"so""#, r#""content":"ab""#]
            .map(chat_chunk);
        let end =
            usage.map(|n| usage_chunk(8, n, 0)).into_iter().chain(["data: [DONE]\n\n".to_owned()]);
        Answer::stream(chunks.into_iter().chain(end))
    };
    let counted = ["--tokenizer", model.path(), "--prompts", file.path(), "-c", "1", "-n", "5"];
    let (found, said) = rows(&Server::new(move |_| answer(None)).url(), &counted);
    assert_eq!(
        (&found[0]["token_source"], &found[0]["output_tokens"]),
        (&"tokenizer".into(), &30.into()),
        "{said}"
    );
    assert!(
        found[0]["chunks_are_tokens"] == false && said.contains("one token a chunk, by tokenizer"),
        "{said}"
    );
    let (found, said) = rows(&Server::new(move |_| answer(Some(6))).url(), &counted);
    assert_eq!(
        (&found[0]["token_source"], &found[0]["output_tokens"]),
        (&"usage".into(), &30.into())
    );
    assert!(!said.contains("by usage than by the tokenizer"), "{said}");
    let (found, said) = rows(&Server::new(move |_| answer(Some(7))).url(), &counted);
    assert_eq!(found[0]["output_tokens"], 35);
    assert!(
        said.contains(
            "5 of 5 answers have another number of tokens by usage than by the tokenizer"
        ),
        "{said}"
    );
}

#[test]
fn shared_prefixes_are_shared_by_their_groups() {
    let server = Server::new(|_| good());
    let (found, _) = rows(
        &server.url(),
        &[
            "--shared-prefix",
            "20",
            "--prefix-groups",
            "3",
            "-n",
            "30",
            "-c",
            "2",
            "--input-tokens",
            "uniform:2..5",
        ],
    );
    assert_eq!(
        (&found[0]["cache"], &found[0]["prompt_tokens_exact"]),
        (&"shared:20 x3".into(), &true.into())
    );
    let bodies = server.bodies();
    let words = |body: &Value| prompt(body).split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert!(
        bodies.iter().all(|body| (22..=25).contains(&words(body).len())),
        "the prefix comes on top"
    );
    let mut prefixes: Vec<_> = bodies.iter().map(|body| words(body)[..20].to_vec()).collect();
    prefixes.sort();
    prefixes.dedup();
    assert_eq!(prefixes.len(), 3);
    // A warm cache: one prompt for all.
    let server = Server::new(|_| good());
    rows(&server.url(), &["--cache", "warm", "-n", "6", "-c", "2"]);
    let bodies = server.bodies();
    assert!(bodies.iter().all(|body| body["messages"] == bodies[0]["messages"]));
}

#[test]
fn rates_arrivals_and_ramps() {
    let server = Server::new(|_| good());
    let due = |arguments: &[&str]| -> Vec<u64> {
        let record = File::new(&format!("due-{}.json", arguments.join("-").replace(':', "")), "");
        rows(&server.url(), &[arguments, &["--save", record.path()]].concat());
        let run = pacemark_record::Run::from_json(&std::fs::read_to_string(record.path()).unwrap())
            .unwrap();
        let mut due: Vec<u64> =
            run.trials[0].requests().iter().map(|request| request.scheduled_ns).collect();
        due.sort_unstable();
        due
    };
    let constant = due(&["--rate", "100", "--arrival", "constant", "-n", "20"]);
    assert_eq!(constant, (0..20).map(|i| i * 10_000_000).collect::<Vec<u64>>());
    let poisson = due(&["--rate", "100", "-n", "20"]);
    assert_eq!(poisson, due(&["--rate", "100", "-n", "20"]), "the seed decides");
    assert_ne!(poisson, due(&["--rate", "100", "-n", "20", "--seed", "1"]));
    assert_ne!(poisson, due(&["--rate", "100", "-n", "20", "--arrival", "gamma:2"]));
    // 10/s rising to 90/s over 400 ms: 20 in all, six of them (by the integral) in the first half.
    let ramp = due(&["--ramp", "10..90", "--duration", "400ms", "--arrival", "constant"]);
    assert_eq!(
        (ramp.len(), ramp.iter().filter(|ns| **ns < 200_000_000).count()),
        (20, 6),
        "{ramp:?}"
    );
    let (found, said) =
        rows(&server.url(), &["--ramp", "10..90", "--duration", "200ms", "--arrival", "constant"]);
    assert_eq!(
        (&found[0]["ramp"], &found[0]["steady_verdict"]),
        (&"10..90/s".into(), &Value::Null)
    );
    assert!(!said.contains("steady"), "a ramp has no steady state to miss: {said}");
}

#[test]
fn a_sweep_doubles_until_its_end_and_names_a_knee() {
    let server = Server::new(|_| good().after_ms(5));
    let (found, said) = rows(&server.url(), &["--sweep", "--sweep-to", "4", "-n", "12"]);
    let streams: Vec<_> = found.iter().map(|row| row["concurrency"].as_u64().unwrap()).collect();
    assert!(streams == [1, 2, 4], "{streams:?}");
    assert!(said.contains("knee at ") && said.contains("tokens/s"), "{said}");
    let table = crate::binary::pacemark()
        .args(["load", "--url", &server.url(), "-c", "1,2", "-n", "6", "--warmup", "0"])
        .output()
        .unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    // Rows that are to be compared are below each other at the end, and what is missing is
    // explained.
    let summary = table
        .lines()
        .filter(|line| line.starts_with("1 stream  ") || line.starts_with("2 streams  "));
    assert_eq!(summary.count(), 2, "{table}");
    assert!(table.contains("p90 takes 29, p95 takes 59, p99 takes 299"), "{table}");
    assert!(
        !table.contains("scheduled"),
        "without a schedule there is nothing to say of it: {table}"
    );
}

#[test]
fn files_that_are_wrong_are_named_with_their_line() {
    let server = Server::new(|_| good());
    let wrong = |flag: &str, text: &str| {
        let file = File::new("wrong.json", text);
        let output = load(&server.url(), &[flag, file.path()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}: {said}");
        assert!(said.contains("wrong.json"), "{said}");
        said
    };
    assert!(
        wrong("--trace", "{\"timestamp\":0,\"prompt\":\"x\"}\n{\"timestamp\":-3,\"prompt\":\"x\"}")
            .contains("line 2")
    );
    assert!(
        wrong("--trace", "{\"timestamp\":0,\"input_length\":1e99}")
            .contains("input_length: expected 1 to")
    );
    assert!(wrong("--trace", "").contains("no prompt"));
    assert!(wrong("--prompts", "fine\n{\"prompt\": 3}").contains("line 2"));
    assert!(wrong("--prompts", "fine\n{\"prompt\": \"x\"").contains("line 2"));
    assert!(
        wrong("--dataset", "[{\"conversations\": [{\"value\": \"x\"}]}]")
            .contains("found none in 1")
    );
    let deep =
        format!("[{{\"conversations\":[{{\"from\":\"human\",\"value\":{}", "[".repeat(100_000));
    assert!(wrong("--dataset", &deep).contains("recursion"));
    assert!(wrong("--show", "{\"schema\":99}").contains("schema 99"));
    assert!(wrong("--show", "nonsense").contains("not a record"));
}

/// Text to the bytes of a file.
type Encode<'a> = &'a dyn Fn(&str) -> Vec<u8>;

/// As Windows' editors and PowerShell write it.
#[test]
fn files_with_byte_order_marks() {
    let utf16 = |text: &str| {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let encodings: [Encode<'_>; 2] = [&|text| format!("\u{feff}{text}").into_bytes(), &utf16];
    for (flag, text) in [
        ("--prompts", "{\"prompt\":\"one\"}\r\n{\"prompt\":\"two\"}\r\n"),
        ("--prompts", "one\r\ntwo\r\n"),
        (
            "--dataset",
            r#"[{"conversations":[{"from":"human","value":"one"}]},{"conversations":[{"from":"human","value":"two"}]}]"#,
        ),
        (
            "--trace",
            "{\"arrival_s\":0,\"prompt\":\"one\"}\r\n{\"arrival_s\":0,\"prompt\":\"two\"}\r\n",
        ),
    ] {
        for encode in encodings {
            let (file, record) =
                (File::new("marked.json", encode(text)), File::new("marked-record.json", ""));
            let server = Server::new(|_| good());
            let more = if flag == "--trace" { &[][..] } else { &["-c", "1", "-n", "2"] };
            let (found, _) = rows(
                &server.url(),
                &[&[flag, file.path(), "--save", record.path()], more].concat(),
            );
            let bodies = server.bodies();
            let mut asked: Vec<&str> = bodies.iter().map(without_mark).collect();
            asked.sort_unstable();
            assert_eq!(asked, ["one", "two"], "{flag}");
            // And a record that an editor has had.
            let text = std::fs::read_to_string(record.path()).unwrap();
            let marked = File::new("marked-again.json", encode(&text));
            assert_eq!(rows("", &["--show", marked.path()]).0[0]["requests"], found[0]["requests"]);
        }
    }
}

/// The names of files that are read, and what stands beside them.
#[test]
#[cfg(unix)]
fn a_record_replaces_nothing_but_an_older_one() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let prompts = File::new("kept-prompts.txt", "one\n");
    let server = Server::new(|_| good());
    let arguments = ["--prompts", prompts.path(), "-c", "1", "-n", "1", "--save"];
    let other = File::new("kept-record.json", "old");
    let beside = File::new("kept-record.json.part", "mine");
    let link = PathBuf::from(format!("{}-link", other.path()));
    symlink(other.path(), &link).unwrap();
    rows(&server.url(), &[&arguments[..], &[link.to_str().unwrap()]].concat());
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(other.path()).unwrap().starts_with("{\"schema\""));
    assert_eq!(std::fs::read(beside.path()).unwrap(), b"mine");
    std::fs::remove_file(&link).unwrap();
    // A pipe gets it and stays one.
    nix::unistd::mkfifo(&link, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (pipe, to) = (link.clone(), link.to_str().unwrap().to_owned());
    let reader = std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap());
    rows(&server.url(), &[&arguments[..], &[&to]].concat());
    assert!(reader.join().unwrap().starts_with("{\"schema\""));
    assert!(std::fs::symlink_metadata(&link).unwrap().file_type().is_fifo());
    std::fs::remove_file(&link).unwrap();
    // What is read is not written.
    symlink(prompts.path(), &link).unwrap();
    for name in [prompts.path(), &to] {
        let output = load(&server.url(), &[&arguments[..], &[name]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::remove_file(&link).unwrap();
    assert_eq!(std::fs::read(prompts.path()).unwrap(), b"one\n");
}

#[test]
fn prompts_of_an_array_and_entries_that_hold_nothing() {
    let server = Server::new(|_| good());
    let array = File::new("array.json", "[\"one\", {\"prompt\": \"two\"},\n \"\"]");
    let (rows, said) =
        rows(&server.url(), &["--prompts", array.path(), "-n", "2", "-c", "1", "--cache", "warm"]);
    assert_eq!(rows[0]["failed"], 0);
    assert!(said.contains("1 entries of the file hold nothing that a user says"), "{said}");
    let talks = File::new(
        "talks.json",
        r#"[{"id":"a"},{"conversations":null},{"conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"x"}]}]"#,
    );
    let (_, said) = self::rows(&server.url(), &["--dataset", talks.path(), "-n", "2", "-c", "1"]);
    assert!(said.contains("2 entries of the file hold nothing that a user says"), "{said}");
    let asked =
        server.bodies().last().unwrap()["messages"][0]["content"].as_str().unwrap().to_owned();
    assert!(asked.ends_with("hi"), "{asked}");
}

#[test]
fn an_endless_rate_sends_all_at_once() {
    let server = Server::new(|_| good().after_ms(300));
    let record = File::new("inf.json", "");
    let (rows, said) =
        rows(&server.url(), &["--request-rate", "inf", "-n", "8", "--save", record.path()]);
    assert_eq!((&rows[0]["requests"], &rows[0]["failed"]), (&8.into(), &0.into()), "{said}");
    let run =
        pacemark_record::Run::from_json(&std::fs::read_to_string(record.path()).unwrap()).unwrap();
    assert_eq!(run.trials[0].params["rate"], "inf");
    assert!(run.trials[0].requests().iter().all(|request| request.scheduled_ns == 0));
    assert!(server.connections() >= 8, "all of them at once");
    let (shown, _) = self::rows("", &["--show", record.path()]);
    assert_eq!(shown[0]["requests"], 8);
}
