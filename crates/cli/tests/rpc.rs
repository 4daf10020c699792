//! Workers through the real binary: `rpc-worker`, `--rpc`, `--plan`, devices; and what a build without
//! llama.cpp says of them. What is measured is not looked at: no test depends on time.

mod binary;

use std::process::Output;

fn run(line: &str) -> Output {
    binary::pacemark().args(line.split_whitespace()).output().unwrap()
}

/// What a command line that is wrong says.
fn refused(line: &str) -> String {
    let output = run(line);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{line}: {said}");
    said
}

#[test]
fn pacemarks_own_engine_has_no_devices_and_no_workers() {
    for command in ["bench", "run -p x", "serve --port 0", "eval perplexity -f Cargo.toml"] {
        let said = refused(&format!("{command} --rpc 127.0.0.1:1"));
        assert!(said.contains("--rpc") && said.contains("--backend llama-cpp"), "{said}");
        let said = refused(&format!("{command} -ngl 10"));
        assert!(said.contains("-ngl") && said.contains("no GPU"), "{said}");
    }
    let said = refused("run -p x -sm row");
    assert!(said.contains("no GPU"), "{said}");
    let said = refused("bench --plan 1gbit/1ms");
    assert!(said.contains("--backend llama-cpp"), "{said}");
}

#[test]
fn what_is_no_worker_device_or_link_is_refused() {
    for (line, says) in [
        ("bench --rpc 127.0.0.1", "port"),
        ("bench --rpc a:1,a:1", "there twice"),
        ("bench --rpc a:99999", "from 1 to 65535"),
        ("bench --plan 1gbit", "1gbit/1ms"),
        ("bench --plan 1gbit/1ms --rpc a:1", "cannot be used with"),
        ("bench --plan 1gbit/1ms --cold", "cannot be used with"),
        ("bench -ncmoe 2 --rpc a:1", "-ncmoe"),
        ("bench -ngl -2", "-1"),
        ("bench -ts 1/x", "shares"),
        ("bench -ts 0/0", "-ts 0/0"),
        ("bench -dev RPC0/RPC0", "-dev RPC0/RPC0"),
        ("run -p x -sm diagonal", "not one of none, layer, row, tensor"),
        ("run -p x --rpc-timeout 0 --rpc a:1", "1..=3600"),
        ("rpc-worker --host 8.8.8.8 --port 0", "--public"),
        ("rpc-worker --device none/x", "--device"),
        ("rpc-worker -t 513 --port 0", "1..=512"),
        ("load --rpc a:1", "-m starts"),
        ("load --url http://127.0.0.1:1 --rpc a:1", "-m starts"),
        ("run -p x --tensor-split 0,0", "shares of nothing"),
    ] {
        let said = refused(line);
        assert!(said.contains(says), "{line}: {said}");
    }
}

#[cfg(not(feature = "llama-cpp"))]
#[test]
fn a_build_without_llama_cpp_says_how_to_get_it() {
    let output = run("rpc-worker --port 0");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("--features llama-cpp"), "{said}");
    let said = refused("bench --backend llama-cpp --rpc 127.0.0.1:1");
    assert!(said.contains("--features llama-cpp"), "{said}");
}

#[cfg(feature = "llama-cpp")]
mod with_llama_cpp {
    use super::binary;
    use super::run;
    use pacemark_testmodel::TestModel;
    use serde_json::Value;
    use std::io::{BufRead, BufReader};
    use std::path::PathBuf;
    use std::process::{Child, Stdio};

    /// A tiny model, removed at the end.
    struct Model(PathBuf);

    impl Model {
        fn new(name: &str) -> Model {
            let path = std::env::temp_dir()
                .join(format!("pacemark-rpc-{}-{name}.gguf", std::process::id()));
            TestModel::llama().write(&path).unwrap();
            Model(path)
        }

        fn path(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for Model {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// A worker in a process of its own, killed at the end.
    struct Worker(Child, String);

    impl Worker {
        fn start() -> Worker {
            let mut process = binary::pacemark()
                .args(["rpc-worker", "--port", "0", "-t", "1", "--until-eof"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
            let ready = said.by_ref().map(Result::unwrap).find(|line| line.starts_with("ready: "));
            let ready = ready.expect("the worker is ready");
            std::thread::spawn(move || said.for_each(drop));
            let address = ready.split_once(" at ").unwrap().1.split_once(',').unwrap().0.to_owned();
            Worker(process, address)
        }
    }

    impl Drop for Worker {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn text_and_perplexity_are_those_of_one_machine() {
        let (model, worker) = (Model::new("text"), Worker::start());
        let text = std::env::temp_dir().join(format!("pacemark-rpc-{}.txt", std::process::id()));
        std::fs::write(&text, "the cat sat on the mat and the dog ate the cake ".repeat(60))
            .unwrap();
        let one = |command: &str, rpc: &str| {
            let line = format!("{command} -m {} --backend llama-cpp -t 1 {rpc}", model.path());
            let output = run(&line);
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let rpc = format!("--rpc {}", worker.1);
        assert_eq!(one("run -p hello -n 12", ""), one("run -p hello -n 12", &rpc));
        let command = format!("eval perplexity -f {} -c 128 --chunks 2 -o json", text.display());
        let ppl = |rpc: &str| -> f64 {
            let rows: Value = serde_json::from_str(&one(&command, rpc)).unwrap();
            rows["ppl"].as_f64().unwrap_or_else(|| panic!("{rows}"))
        };
        let (here, far) = (ppl(""), ppl(&rpc));
        assert!((here / far - 1.0).abs() < 0.01, "{here} {far}");
        std::fs::remove_file(text).unwrap();
    }

    #[test]
    fn a_sweep_tells_where_the_time_goes_and_what_follows() {
        let (model, worker) = (Model::new("sweep"), Worker::start());
        let line = format!(
            "bench -m {} --backend llama-cpp -t 1 -p 16 -n 8 -r 3 --no-roof --no-warmup -ngl 0,2,99 --rpc {}",
            model.path(),
            worker.1
        );
        let output = run(&format!("{line} -o md"));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        for words in ["together: ", "Where the time goes on several machines", &worker.1] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let rows: Vec<Value> =
            serde_json::from_slice(&run(&format!("{line} -o json")).stdout).unwrap();
        assert_eq!(rows.len(), 6);
        let ngl: Vec<i64> = rows.iter().map(|row| row["n_gpu_layers"].as_i64().unwrap()).collect();
        assert_eq!(ngl, [0, 0, 2, 2, 99, 99]);
        for row in &rows {
            let far = row["n_gpu_layers"] != 0;
            assert_eq!(row["round_trips"].as_f64().is_some_and(|n| n >= 1.0), far, "{row}");
            assert_eq!(row["workers_ms"].is_number(), far, "{row}");
        }
    }

    #[test]
    fn a_plan_starts_workers_of_its_own() {
        let model = Model::new("plan");
        let line = "--backend llama-cpp -t 1 -p 16 -n 8 -r 3 --no-roof --no-warmup --plan 1gbit/1ms,100mbit/10ms";
        let output = run(&format!("bench -m {} {line} --plan-workers 2", model.path()));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        for words in ["1000 Mbit/s, 1 ms", "100 Mbit/s, 10 ms", "one machine", "Planned:"] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    /// Killed in the middle of a test: an error that names it, soon; what was measured is in the
    /// record, and no process is left.
    #[test]
    fn a_worker_that_is_killed_ends_a_sweep_and_loses_nothing() {
        let (model, worker) = (Model::new("killed"), Worker::start());
        let record = std::env::temp_dir().join(format!("pacemark-rpc-{}.json", std::process::id()));
        let mut command = binary::pacemark();
        command.args(["bench", "-m", model.path(), "--backend", "llama-cpp", "-t", "1"]);
        command.args(["-p", "16", "-n", "0,400", "-r", "200", "--no-roof", "--rpc", &worker.1]);
        command.args(["--save", record.to_str().unwrap(), "--progress"]).stdout(Stdio::null());
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        // The prompt's row is complete when the next test begins.
        let begun = said.by_ref().find(|line| line.contains("tg400"));
        assert!(begun.is_some(), "the second test begins");
        let (Worker(child, address), mut rest) = (&mut { worker }, String::new());
        child.kill().unwrap();
        said.for_each(|line| rest += &format!("{line}\n"));
        assert_eq!(process.wait().unwrap().code(), Some(1), "{rest}");
        assert!(rest.contains(address.as_str()) && rest.contains("is lost"), "{rest}");
        let kept: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        assert_eq!(kept["trials"][0]["params"]["n_prompt"], 16, "{kept}");
        std::fs::remove_file(record).unwrap();
    }

    #[test]
    fn devices_are_listed_with_their_workers() {
        let worker = Worker::start();
        let output = run(&format!("bench --list-devices --rpc {}", worker.1));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&format!("RPC0: {}", worker.1)), "{text}");
    }
}
