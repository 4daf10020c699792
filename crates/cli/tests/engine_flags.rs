//! The flags that steer the engine (threads, KV types, memory), through the real binary on a tiny
//! model: each shows in what the command says about itself, or is refused.

mod binary;

use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;

/// A tiny model in a file of its own, removed at the end.
struct Model(PathBuf);

impl Model {
    fn new(name: &str) -> Model {
        let path =
            std::env::temp_dir().join(format!("pacemark-flags-{}-{name}.gguf", std::process::id()));
        TestModel::llama().write(&path).unwrap();
        Model(path)
    }

    fn pacemark(&self, command: &str, line: &str) -> Output {
        let mut process = binary::pacemark();
        process.args([command, "-m", self.0.to_str().unwrap()]).args(line.split_whitespace());
        process.output().unwrap()
    }

    /// Perplexity as JSON.
    fn eval(&self, line: &str) -> Value {
        let mut process = binary::pacemark();
        process.args(["eval", "perplexity", "-m", self.0.to_str().unwrap(), "-o", "json"]);
        let output = process.args(line.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn json(&self, command: &str, line: &str) -> Value {
        let output = self.pacemark(command, &format!("{line} -o json"));
        assert!(
            output.status.success(),
            "{command} {line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn prompts_and_decoding_have_threads_of_their_own() {
    let model = Model::new("threads");
    let run = |line: &str| model.json("run", &format!("-p in_the_in_the -n 6 --ignore-eos {line}"));
    let (one, mixed) = (run("-t 1"), run("-t 1 -tb 3"));
    assert_eq!(
        (&one["timings"]["n_threads"], &one["timings"]["n_threads_batch"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        (&mixed["timings"]["n_threads"], &mixed["timings"]["n_threads_batch"]),
        (&1.into(), &3.into())
    );
    assert_eq!(one["ids"], mixed["ids"]);

    let rows = model.json("bench", "-p 8 -n 2 -r 1 --no-warmup --no-roof -t 2 -tb 1,3");
    let threads: Vec<_> =
        rows.as_array().unwrap().iter().map(|r| (&r["n_threads"], &r["n_threads_batch"])).collect();
    let expected = [1, 1, 3, 3].map(|n| (Value::from(2), Value::from(n)));
    assert_eq!(threads, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    let text = model.pacemark("bench", "-p 8 -n 0 -r 1 --no-warmup --no-roof -t 2 -tb 3").stdout;
    assert!(String::from_utf8(text).unwrap().contains("| t batch |"));
    let rows = model.json("bench", "-npp 8 -ntg 2 -npl 2 -r 1 --no-warmup --no-roof -t 1 -tb 2");
    assert_eq!(rows[0]["n_threads_batch"], 2);
}

#[test]
fn keys_and_values_are_stored_as_asked() {
    let model = Model::new("kv");
    let text = std::env::temp_dir().join(format!("pacemark-flags-{}-kv.txt", std::process::id()));
    std::fs::write(&text, "in the on in the ".repeat(12)).unwrap();
    let ppl = |kv: &str| model.eval(&format!("-f {} -c 64 {kv}", text.display()));
    let exact = ppl("-ctk f32 -ctv f32");
    // Two KV heads of 64 elements in six layers.
    for (kv, bytes, tolerance) in [
        ("-ctk f32 -ctv f32", 4 * 64 + 4 * 64, 0.0),
        ("", 2 * 64 + 2 * 64, 0.02),
        ("-ctk q8_0 -ctv q8_0", 2 * 34 + 2 * 34, 0.02),
        ("-ctk q8_0 -ctv q4_0", 2 * 34 + 2 * 18, 0.2),
        ("-ctk f16 -ctv q4_0", 2 * 64 + 2 * 18, 0.2),
    ] {
        let found = ppl(kv);
        assert_eq!(found["kv_bytes_per_token"], 6 * 2 * bytes, "{kv}");
        let off = found["ppl"].as_f64().unwrap() / exact["ppl"].as_f64().unwrap() - 1.0;
        assert!(off.abs() <= tolerance, "{kv}: {off}");
    }
    std::fs::remove_file(text).unwrap();
    let run = model.json("run", "-p in_the -n 4 --ignore-eos -ctk q8_0 -ctv q4_0");
    assert_eq!(run["timings"]["kv_bytes_per_token"], 6 * 2 * (2 * 34 + 2 * 18));
    let rows = model.json("bench", "-p 8 -n 2 -r 1 --no-warmup --no-roof -ctk f16,q8_0 -ctv q4_0");
    let types: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["type_k"].as_str(), r["type_v"].as_str()))
        .collect();
    assert_eq!(types, ["f16", "f16", "q8_0", "q8_0"].map(|k| (Some(k), Some("q4_0"))));
}

/// `ulimit` is the shell's, so the limit is set by one.
#[cfg(target_os = "linux")]
#[test]
fn weights_are_locked_or_the_limit_is_named() {
    let model = Model::new("mlock");
    let run = |limit: &str, flags: &str| {
        let binary = env!("CARGO_BIN_EXE_pacemark");
        let line = format!(
            "ulimit -l {limit} && exec {binary} run -m {} -p in_the -n 1 {flags}",
            model.0.display()
        );
        binary::shell().args(["-c", &line]).output().unwrap()
    };
    assert!(run("0", "").status.success());
    let locked = run("0", "--mlock");
    let text = String::from_utf8_lossy(&locked.stderr).into_owned();
    // Who may lock without a limit (CAP_IPC_LOCK) does.
    assert!(
        locked.status.success() || text.contains("(--mlock)") && text.contains("may lock 0 KiB"),
        "{text}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn threads_run_on_the_processors_of_the_mask() {
    let model = Model::new("mask");
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap()
        .trim()
        .to_owned();
    let first: usize = allowed.split([',', '-']).next().unwrap().parse().unwrap();
    let mask = format!("0x{}{}", 1 << (first % 4), "0".repeat(first / 4));
    let anywhere = model.json("run", "-p in_the -n 4 --ignore-eos -t 1");
    let placed =
        model.json("run", &format!("-p in_the -n 4 --ignore-eos -t 1 -C {mask} --cpu-strict 1"));
    assert_eq!(anywhere["ids"], placed["ids"]);
    assert_eq!(
        (&placed["timings"]["cpu_mask"], &placed["timings"]["cpu_strict"]),
        (&mask.clone().into(), &true.into())
    );
    assert!(anywhere["timings"].get("cpu_mask").is_none());

    let rows =
        model.json("bench", &format!("-p 8 -n 0 -r 1 --no-warmup --no-roof -t 1 -C 0x0,{mask}"));
    assert_eq!((&rows[0]["cpu_mask"], &rows[1]["cpu_mask"]), (&"0x0".into(), &mask.clone().into()));
    let table = |line: &str| {
        let output =
            model.pacemark("bench", &format!("-p 8 -n 0 -r 1 --no-warmup --no-roof -t 1 {line}"));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(table(&format!("-C {mask}")).contains("| cpu_mask   |"));
    assert!(!table("-C 0x0").contains("cpu_mask"));

    for (line, parts) in [
        (format!("-t 2 -C {mask}"), ["2 threads on 1 processor", "(-t)"]),
        (
            "-t 1 -C 0x".to_owned() + &"f".repeat(256),
            ["names processors 0-1023", "this process may use"],
        ),
        ("-t 1 -C 0xg1".to_owned(), ["0xg1", "hexadecimal"]),
        ("-t 1 --cpu-strict 1".to_owned(), ["--cpu-strict 1: ", "-C MASK"]),
        ("-t 1 --numa distribute --cpu-strict 1".to_owned(), ["--cpu-strict 1: ", "-C MASK"]),
    ] {
        for command in ["run -p in", "bench -p 8 -n 0"] {
            let (command, rest) = command.split_once(' ').unwrap();
            let output = model.pacemark(command, &format!("{rest} {line}"));
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                !output.status.success() && parts.iter().all(|part| text.contains(part)),
                "{command} {line}: {text}"
            );
        }
    }
}

#[test]
fn memory_nodes_are_used_where_there_are_several() {
    let model = Model::new("numa");
    let nodes = std::fs::read_dir("/sys/devices/system/node").map_or(0, |entries| {
        entries
            .filter(|entry| entry.as_ref().is_ok_and(|e| e.path().join("cpulist").exists()))
            .count()
    });
    for command in ["run -p in_the -n 1", "bench -p 8 -n 0 -r 1 --no-warmup --no-roof -o json"] {
        let (command, line) = command.split_once(' ').unwrap();
        let output = model.pacemark(command, &format!("{line} -t 1 --numa distribute"));
        let (text, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if nodes > 1 {
            assert!(output.status.success(), "{error}");
            assert!(command == "run" || text.contains(r#""numa": "distribute""#), "{text}");
        } else {
            assert!(!output.status.success() && error.contains("one memory node"), "{error}");
        }
    }
}

#[test]
fn files_are_read_without_a_mapping() {
    let model = Model::new("no-mmap");
    let run = |line: &str| model.json("run", &format!("-p in_the -n 4 --ignore-eos {line}"));
    let (mapped, read) = (run(""), run("--no-mmap"));
    assert_eq!((&mapped["ids"], &read["timings"]["no_mmap"]), (&read["ids"], &true.into()));
    let modes = |line: &str| -> Vec<String> {
        let rows = model.json("bench", &format!("-p 8 -n 0 -r 1 --no-warmup --no-roof {line}"));
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["load_mode"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(modes(""), ["auto"]);
    assert_eq!(modes("--no-mmap"), ["none"]);
    assert_eq!(modes("-mmp 0,1"), ["none", "mmap"]);
    assert_eq!(modes("-lm none"), ["none"]);
}

#[test]
fn weights_that_are_not_packed_give_the_same_answer() {
    let model = Model::new("no-pack");
    let line = "-p in_the_in_the -n 6 --ignore-eos --logprobs 3";
    let (packed, in_place) =
        (model.json("run", line), model.json("run", &format!("{line} --no-pack")));
    assert_eq!((&packed["ids"], &packed["top"]), (&in_place["ids"], &in_place["top"]));
    assert_eq!(in_place["timings"]["no_pack"], true);
    let read = model.json("run", &format!("{line} --no-pack --no-mmap"));
    assert_eq!(packed["top"], read["top"]);
    let rows = model.json("bench", "-p 8 -n 2 -r 1 --no-warmup --no-roof --repack 1,0");
    let repack: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["repack"].as_bool().unwrap()).collect();
    assert_eq!(repack, [true, true, false, false]);
    let text = model.pacemark("bench", "-p 8 -n 0 -r 1 --no-warmup --no-roof --no-pack").stdout;
    assert!(String::from_utf8(text).unwrap().contains("| rpk |"));
}

#[test]
fn every_row_says_how_near_the_roof_it_is() {
    let model = Model::new("roof");
    let rows = model.json("bench", "-p 64 -n 4 -r 2 --no-warmup -t 1");
    for row in rows.as_array().unwrap() {
        let roofs = row["roofs"].as_array().unwrap();
        assert_eq!(roofs.len(), 2, "before and after: {row}");
        let limits = ["read_bytes_per_s", "int8_per_s", "f32_per_s"]
            .map(|name| roofs[0][name].as_f64().unwrap());
        assert!(limits.iter().all(|limit| *limit > 1e6), "{limits:?}");
        assert!(row["roof_share"].as_f64().is_some_and(|share| share > 0.0), "{row}");
        // The probe's memory is 256 MiB, the model a few.
        assert!(row["peak_rss_bytes"].as_u64().is_none_or(|bytes| bytes < 200 << 20), "{row}");
        let stages =
            ["load_map_ms", "load_pack_ms", "load_warm_ms"].map(|name| row[name].as_f64().unwrap());
        assert!(
            stages.iter().sum::<f64>() <= row["load_ms"].as_f64().unwrap() * 1.001,
            "{stages:?}"
        );
    }
    assert_eq!(
        rows[0]["roofs"][1], rows[1]["roofs"][0],
        "what was found after a row holds before the next"
    );
    let without = model.json("bench", "-p 64 -n 0 -r 1 --no-warmup -t 1 --no-roof");
    assert_eq!(
        (&without[0]["roofs"], &without[0]["roof_share"]),
        (&Value::Array(Vec::new()), &Value::Null)
    );
}

#[test]
fn run_and_serve_take_the_native_backend_by_name() {
    let model = Model::new("by-name");
    let run = |line: &str| model.json("run", &format!("-p in_the -n 6 --ignore-eos -t 1 {line}"));
    assert_eq!(run("")["text"], run("--backend native")["text"]);
    for command in ["run -p a", "serve --port 0"] {
        let (command, line) = command.split_once(' ').unwrap();
        let output = model.pacemark(command, &format!("{line} --backend vllm"));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}");
        assert!(text.contains("--backend vllm: there is no such backend, only native"), "{text}");
    }
    let output = model.pacemark("serve", "--port 0 --backend native --mock ttft=1ms");
    assert_eq!(output.status.code(), Some(2), "a mock is no engine");
}

#[test]
#[cfg(not(feature = "llama-cpp"))]
fn run_and_serve_say_how_to_get_a_backend_that_was_left_out() {
    let model = Model::new("left-out");
    for (command, line) in [("run", "-p a"), ("serve", "--port 0")] {
        let output = model.pacemark(command, &format!("{line} --backend llama-cpp"));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}");
        let why =
            "--backend llama-cpp: it was left out of this build: build with --features llama-cpp";
        assert!(text.contains(why), "{text}");
    }
}

/// One engine's text is nearly the other's; what only one has is refused.
#[test]
#[cfg(feature = "llama-cpp")]
fn run_takes_llama_cpp() {
    let model = Model::new("llama-cpp");
    let run = model.json("run", "-p in_the -n 6 --ignore-eos -t 1 --backend llama-cpp");
    assert_eq!(run["ids"].as_array().unwrap().len(), 6);
    for (command, line, why) in [
        ("run", "-p a --kv recent:4", "--kv: not with --backend llama-cpp"),
        ("run", "-p a --mlock", "--mlock: only the native backend"),
        ("serve", "--port 0 --speculate 2", "--speculate: not with --backend llama-cpp"),
    ] {
        let output = model.pacemark(command, &format!("{line} --backend llama-cpp"));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains(why), "{text}");
    }
}

/// Where no other backend can be used or has a device, `auto` is this engine, and the record says why.
#[test]
fn what_auto_took_and_why_is_in_the_record() {
    let model = Model::new("auto");
    let mut bench = binary::pacemark();
    let record = model.0.with_extension("json");
    bench
        .args(["bench", "-m", model.0.to_str().unwrap(), "--backend", "auto", "--save"])
        .arg(&record);
    bench.args(["-p", "8", "-n", "0", "-r", "1", "--no-warmup", "--no-roof"]);
    let output = bench.env("PACEMARK_PYTHON", "/nowhere/python").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let saved: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    std::fs::remove_file(&record).unwrap();
    let note = saved["trials"][0]["notes"][0].as_str().unwrap();
    assert!(note.starts_with("--backend auto: "), "{note}");
    assert!(note.contains("/nowhere/python") || cfg!(feature = "llama-cpp"), "{note}");
    assert!(said.contains(note), "{said}");
    let mixed = model.pacemark("bench", "--backend auto,native");
    assert_eq!(mixed.status.code(), Some(2));
    let cold = model.pacemark("bench", "--backend auto --cold");
    let said = String::from_utf8_lossy(&cold.stderr).into_owned();
    assert!(cold.status.code() == Some(2) && said.contains("name one"), "{said}");
}
