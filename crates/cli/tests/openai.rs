//! The `openai` backend against our own server: the suite of all backends, and the commands that ask
//! a server, through the real binary.

#![cfg(unix)]

mod binary;

use pacemark_backend::{Backend, conformance};
use pacemark_backends::openai::OpenAiBackend;
use pacemark_setup::{Secret, Server, Setup};
use pacemark_testmodel::TestModel;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};

/// A tiny model and a server of it.
struct Served {
    child: Child,
    url: String,
    folder: PathBuf,
}

impl Served {
    fn start(name: &str, arguments: &[&str]) -> Served {
        let folder = std::env::temp_dir().join(format!("pacemark-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        TestModel::llama().write(&folder.join("tiny.gguf")).unwrap();
        let mut child = binary::pacemark()
            .args(["serve", "--port", "0", "--threads", "1", "-m"])
            .arg(folder.join("tiny.gguf"))
            .args(arguments)
            .env_remove("PACEMARK_API_KEY")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("ready: ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it was ready");
        }
        // Read on, so that it never waits for a reader.
        std::thread::spawn(move || stderr.lines().for_each(drop));
        let url = line.split(' ').find(|word| word.starts_with("http://")).unwrap().to_owned();
        Served { child, url, folder }
    }

    fn model(&self) -> String {
        self.folder.join("tiny.gguf").display().to_string()
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let of_server = ["--backend", "openai", "--url", &self.url, "-m", &self.model()];
        run(&[arguments, &of_server].concat())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn run(arguments: &[&str]) -> Output {
    let mut command = binary::pacemark();
    command.env_remove("PACEMARK_API_KEY").env_remove("OPENAI_API_KEY");
    command.args(arguments).output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn our_own_server_passes_the_suite_of_all_backends() {
    let served = Served::start("openai-suite", &[]);
    let setup = Setup { n_seqs: 3, server: Some(Server::at(&served.url)), ..Setup::default() };
    let backend = OpenAiBackend::load(&served.folder.join("tiny.gguf"), &setup).unwrap();
    conformance::check(&backend).unwrap();
    let info = backend.info();
    assert!(info.engine.contains("ignore_eos, min_tokens"), "{}", info.engine);
    // A tiny model's bytes are characters together only, and come so.
    let other = |said: &&String| !said.contains("several tokens in a chunk");
    assert_eq!(info.warnings.iter().find(other), None);
    assert!(backend.capabilities().logprobs);
}

#[test]
fn run_and_bench_say_of_a_server_what_they_say_of_the_engine_in_it() {
    let served = Served::start("openai-run", &[]);
    let prompt = ["run", "-p", "the cat", "-n", "12", "--ignore-eos"];
    let (far, errors) = said(&served.ask(&prompt));
    let near = said(&run(&[&prompt[..], &["-m", &served.model()]].concat())).0;
    assert_eq!(far, near, "{errors}");
    let output = served.ask(&[
        "bench",
        "-p",
        "16",
        "-n",
        "4",
        "-r",
        "2",
        "-o",
        "json",
        "--no-roof",
        "--warmups",
        "1",
    ]);
    let (rows, errors) = said(&output);
    let rows: serde_json::Value =
        serde_json::from_str(&rows).unwrap_or_else(|_| panic!("{errors}"));
    let tests: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| (&row["n_prompt"], &row["n_gen"])).collect();
    assert_eq!(tests, [(&16.into(), &0.into()), (&0.into(), &4.into())]);
    let both = ["bench", "--backend", "native,openai", "--url", &served.url, "-m", &served.model()];
    let short = ["-npp", "8", "-ntg", "24", "-npl", "1,3", "-r", "2", "-o", "jsonl", "--no-roof"];
    let (rows, errors) = said(&run(&[&both[..], &short].concat()));
    assert_eq!(rows.lines().count(), 4, "{rows}{errors}");
}

#[test]
fn what_a_server_does_not_do_is_said_by_its_flag() {
    let wrong = |arguments: &[&str], part: &str| {
        let output = run(arguments);
        let errors = said(&output).1;
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(part), "{errors}");
    };
    let url = ["--url", "http://127.0.0.1:9"];
    wrong(&["bench", "--backend", "openai"], "name one with --url");
    wrong(&["bench", url[0], url[1]], "--url: only --backend openai");
    wrong(
        &["run", "--backend", "openai", url[0], url[1], "-ctk", "q8_0", "-p", "a"],
        "-ctk, -ctv: ",
    );
    wrong(&["run", "--backend", "openai", "--url", "http://h/v1/embeddings", "-p", "a"], "--url: ");
    wrong(&["serve", "--backend", "openai"], "serve: not with --backend openai");
    wrong(&["bench", "--cold", "--backend", "openai", url[0], url[1]], "--cold: not with");
}

#[test]
fn a_key_is_asked_for_and_scores_are_not_to_be_had() {
    let served = Served::start("openai-key", &["--api-key", "sk-right"]);
    let ask = ["run", "-p", "a", "-n", "2"];
    let without = served.ask(&ask);
    assert_eq!(without.status.code(), Some(1));
    assert!(said(&without).1.contains("wants an API key (--api-key)"), "{}", said(&without).1);
    let wrong = said(&served.ask(&[&ask[..], &["--api-key", "sk-wrong"]].concat())).1;
    assert!(wrong.contains("does not take the API key") && !wrong.contains("sk-wrong"), "{wrong}");
    assert!(served.ask(&[&ask[..], &["--api-key", "sk-right"]].concat()).status.success());
    let setup = Setup {
        server: Some(Server { api_key: Some(Secret::new("sk-right")), ..Server::at(&served.url) }),
        ..Setup::default()
    };
    let backend = OpenAiBackend::load(&served.folder.join("tiny.gguf"), &setup).unwrap();
    assert!(!backend.capabilities().score, "our server refuses echo");
}
