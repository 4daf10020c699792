//! `pacemark kv` through the real binary: the files and keys of the script that it takes the place
//! of, and everything that is refused.

mod binary;

use pacemark_testmodel::TestModel;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own for each test, with a model and a text; removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        Folder::with(name, &TestModel::llama())
    }

    fn with(name: &str, model: &TestModel) -> Folder {
        let path = std::env::temp_dir().join(format!("pacemark-kv-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        model.write(&path.join("tiny-1.gguf")).unwrap();
        std::fs::write(path.join("text.txt"), "in the beginning of the end ".repeat(40)).unwrap();
        Folder(path)
    }

    /// Runs `pacemark kv` there, words apart by spaces.
    fn kv(&self, line: &str) -> Output {
        let mut command = binary::pacemark();
        command.current_dir(&self.0).env("PACEMARK_HOME", self.0.join("home"));
        command.arg("kv").args(line.split_whitespace()).output().unwrap()
    }

    /// The one folder of results.
    fn results(&self, parent: &str) -> PathBuf {
        let all: Vec<_> = std::fs::read_dir(self.0.join(parent)).unwrap().collect();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap().unwrap().path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn fine(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The keys of an object, in order.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Small enough for the tiny models' context of 256 tokens.
const SMALL: &str = "-m tiny-1.gguf --text text.txt -t 1 --num-samples 2 --max-tokens 96 \
    --max-new-tokens 16 --start-size 4 --recent-sizes 12,28";

#[test]
fn the_scripts_command_line_writes_its_files() {
    let folder = Folder::new("script");
    let table = fine(&folder.kv(
        "--method streaming_llm --model_id ./tiny-1.gguf --num_samples 2 --max_tokens 96 \
         --max_new_tokens 16 --start_size 4 --recent_sizes 12,28 --skip_layers 0,1 --text text.txt -t 1",
    ));
    let columns =
        "| Method                    |   TTFT(s) |   TPOT(s) |   Thruput |       PPL |     Acc |";
    assert!(table.contains(columns), "{table}");
    let results = folder.results("results");
    let name = results.file_name().unwrap().to_str().unwrap().to_owned();
    let time = name.strip_prefix("streaming_llm_tiny-1_").expect(&name);
    let digits = |from, to| time[from..to].bytes().all(|b| b.is_ascii_digit());
    assert!(time.len() == 15 && digits(0, 8) && &time[8..9] == "_" && digits(9, 15), "{name}");

    let read = json(&results.join("results.json"));
    assert_eq!(keys(&read), ["config", "raw_results", "aggregated_stats", "baseline_stats"]);
    let config = &read["config"];
    let asked = [
        "model_id",
        "method",
        "num_samples",
        "max_tokens",
        "max_new_tokens",
        "skip_layers",
        "timestamp",
    ];
    assert_eq!(keys(config)[..7], asked);
    assert_eq!((&config["timestamp"], &config["skip_layers"]), (&time.into(), &vec![0, 1].into()));
    let methods = ["baseline", "recent_only_16", "streaming_16", "recent_only_32", "streaming_32"];
    let aggregated = &read["aggregated_stats"];
    assert_eq!(keys(aggregated)[..5], methods, "as its picture has them, then controls");
    let figures =
        ["ttft", "tpot", "throughput", "perplexity", "accuracy", "peak_vram_gb", "peak_rss_gb"];
    assert_eq!(keys(&aggregated["baseline"])[..7], figures);
    for raw in read["raw_results"].as_array().unwrap() {
        for key in ["ttft", "tpot", "throughput", "perplexity", "accuracy", "final_cache_size"] {
            assert!(raw[key].is_number(), "{key}: {raw}");
        }
        assert_eq!(raw["peak_vram_gb"], Value::Null, "no device computes, and 0 would be a lie");
    }
    assert_eq!(keys(&read["baseline_stats"]), ["perplexity", "accuracy", "throughput", "tpot"]);
    assert_eq!(read["baseline_stats"]["perplexity"], aggregated["baseline"]["perplexity"]);

    // Two of six layers keep everything: the mean is what one compressed layer is not.
    let cache = |method: &str| aggregated[method]["cache_size"].as_f64().unwrap();
    let all = cache("baseline");
    assert!((cache("streaming_16") - (2.0 * all + 4.0 * 16.0) / 6.0).abs() < 1e-9);
    assert_eq!(aggregated["streaming_16"]["cache_size_max"].as_f64(), Some(all));
    for (name, begins) in [
        ("benchmark_comparison.png", &b"\x89PNG"[..]),
        ("pareto.png", b"\x89PNG"),
        ("benchmark_comparison.svg", b"<svg"),
        ("pareto.svg", b"<svg"),
    ] {
        let bytes = std::fs::read(results.join(name)).unwrap();
        assert!(bytes.starts_with(begins), "{name}");
    }
}

#[test]
fn the_record_has_the_same_figures_again() {
    let folder = Folder::new("record");
    let shown = fine(&folder.kv(&format!("{SMALL} --policies baseline,streaming_llm -o csv")));
    let record = folder.results("results").join("record.json");
    let mut show = binary::pacemark();
    let again = fine(&show.arg("show").arg(record).args(["-o", "csv"]).output().unwrap());
    assert_eq!(shown, again);
    let rows: Vec<&str> = shown.lines().collect();
    let names = ["baseline", "streaming_16", "random_16", "full_q8_0", "full_q4_0"];
    assert_eq!(rows.len(), 1 + 7, "{shown}");
    assert!(names.iter().all(|name| rows.iter().any(|row| row.contains(name))), "{shown}");
}

#[test]
fn policies_of_prompts_have_no_perplexity_without_one() {
    let folder = Folder::new("prompt");
    let line = format!("{SMALL} --policies baseline,snapkv:48 --no-controls -r 1");
    let table = fine(&folder.kv(&line));
    let row = table.lines().find(|line| line.starts_with("| snapkv:48")).unwrap();
    assert!(row.contains("|         - |       - |"), "{row}");
    assert!(table.contains("snapkv:48: no perplexity: it works when a prompt ends"), "{table}");
    let table = fine(&folder.kv(&format!("{line} --eval-prompt 64")));
    let row = table.lines().find(|line| line.starts_with("| snapkv:48")).unwrap();
    assert!(!row.contains("- |       - |") && !table.contains("no perplexity"), "{table}");
}

#[test]
fn a_folder_of_texts_is_read_in_order() {
    let folder = Folder::new("texts");
    let texts = folder.0.join("texts");
    std::fs::create_dir(&texts).unwrap();
    let few = format!("{SMALL} --policies baseline --no-controls -r 1");
    let output = folder.kv(&few.replace("text.txt", "texts"));
    assert_eq!(output.status.code(), Some(2));
    for (name, text) in [("b.txt", "in the end "), ("a.txt", "of the day "), ("c.md", "not this")] {
        std::fs::write(texts.join(name), text.repeat(60)).unwrap();
    }
    fine(&folder.kv(&few.replace("text.txt", "texts")));
    let all =
        std::fs::read_to_string(texts.join("a.txt")).unwrap() + "\n" + &"in the end ".repeat(60);
    std::fs::write(folder.0.join("all.txt"), all).unwrap();
    fine(&folder.kv(&(few.replace("text.txt", "all.txt") + " --output-dir other")));
    let ppl = |parent: &str| {
        let read = json(&folder.results(parent).join("results.json"));
        read["aggregated_stats"]["baseline"]["perplexity"].clone()
    };
    assert!(ppl("results").is_number());
    assert_eq!(ppl("results"), ppl("other"));
}

/// Exit code 2, all of `says` on stderr, and no results.
fn refused(folder: &Folder, line: &str, says: &[&str]) {
    let output = folder.kv(line);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{line}: {stderr}");
    let text = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(says.iter().all(|part| text.contains(part)), "{line}: {stderr}");
    assert!(!folder.0.join("results").exists(), "{line}");
}

/// The small study with other flags in the place of its own.
fn with(flags: &str) -> String {
    let words: Vec<&str> = SMALL.split_whitespace().collect();
    let is_kept = |pair: &&[&str]| flags.split(' ').all(|word| word != pair[0]);
    let kept: Vec<String> = words.chunks(2).filter(is_kept).map(|pair| pair.join(" ")).collect();
    format!("{} {flags}", kept.join(" "))
}

#[test]
fn what_cannot_be_studied_is_refused() {
    let folder = Folder::new("refused");
    std::fs::write(folder.0.join("short.txt"), "in the end").unwrap();
    for (flags, says) in [
        ("--policies recnt:12", &["KV policy `recnt:12`: expected recent, "][..]),
        ("--method straeming_llm", &["streaming, ", "baseline, streaming_llm or recent_only"]),
        ("--policies recent:12,colour=red", &["recent:12,colour=red", "it has no colour"]),
        ("--policies recent:1.5", &["N: expected a share above 0 and up to 1"]),
        ("--policies streaming_4", &["streaming:4+0", "R: expected at least 1"]),
        ("--keep-ratio 0", &["--keep-ratio 0: expected a share above 0 and up to 1"]),
        ("--keep-ratio 1.2", &["--keep-ratio 1.2"]),
        ("--keep-ratio x", &["--keep-ratio x"]),
        ("--strategy keep_some", &["--strategy", "keep_low, keep_high, random"]),
        ("--skip-layers 0,2", &["--skip-layers 0,2: expected layers that follow one another"]),
        ("--skip-layers 5,6", &["skip=5-6: expected layers from 0 to 5"]),
        (
            "--text short.txt",
            &["--text short.txt: it has ", "at least one sample of --max-tokens 96"],
        ),
        ("--max-new-tokens 96", &["--max-new-tokens 96: expected fewer than --max-tokens 96"]),
        ("--eval-prompt 96", &["--eval-prompt 96"]),
        ("--num-samples 0", &["--num-samples"]),
        ("--policies baseline --method tova", &["--policies", "--method"]),
        ("-ctk q4_0", &["-ctk, -ctv: ", "keys in q4_0 and values in f16"]),
        ("--output-dir text.txt", &["--output-dir text.txt: cannot make the folder text.txt"]),
        ("--output-dir /proc/nothing", &["--output-dir /proc/nothing: cannot make the folder"]),
    ] {
        refused(&folder, &with(flags), says);
    }
    refused(&folder, "-m no-such-model", &["no-such-model", "smollm2-135m"]);
    refused(&folder, "--list -m x", &["--list"]);
}

#[test]
fn beyond_the_context_only_bounded_policies_go() {
    let folder = Folder::new("context");
    let far = SMALL.replace("--max-tokens 96", "--max-tokens 300");
    let says = &["--max-tokens 300", "context of 256 tokens", "bounded number of them: baseline"];
    refused(&folder, &format!("{far} --policies baseline,streaming_llm"), says);
    let output = folder.kv(&format!("{far} --policies streaming_llm -r 1"));
    let table = fine(&output);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("there are no full_q8_0, full_q4_0"), "{stderr}");
    assert!(table.contains("| streaming_32 ") && table.contains("| random_32 "), "{table}");
    assert!(!table.contains("full_q8_0"), "{table}");
}

#[test]
fn fewer_samples_than_asked_for_are_said() {
    let folder = Folder::new("room");
    let line = with("--num-samples 99 --policies baseline --no-controls -r 1");
    let output = folder.kv(&line);
    fine(&output);
    let read = json(&folder.results("results").join("results.json"));
    let n = read["config"]["num_samples"].as_u64().unwrap();
    assert_eq!(read["raw_results"].as_array().unwrap().len() as u64, n);
    let said = format!("room for {n} of 99 samples of 96");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(n > 1 && n < 99 && stderr.contains(&said), "{stderr}");
}

/// The first Ctrl-C ends it with what there is.
#[test]
fn an_interrupt_keeps_what_was_measured() {
    let folder = Folder::new("interrupt");
    let mut command = binary::pacemark();
    let line = with("--policies baseline,streaming_llm -r 100000");
    let child = command
        .current_dir(&folder.0)
        .arg("kv")
        .args(line.split_whitespace())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The record is there after the first round.
    let has_record = || {
        let results = std::fs::read_dir(folder.0.join("results")).ok()?;
        results.flatten().find(|entry| entry.path().join("record.json").exists())
    };
    while has_record().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let (table, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(sent.success() && output.status.code() == Some(1), "{stderr}");
    assert!(table.contains("| streaming_16 ") && table.contains("cut short, "), "{table}");
    assert!(stderr.contains("interrupted: "), "{stderr}");
    let results = folder.results("results");
    let read = json(&results.join("results.json"));
    assert!(read["aggregated_stats"]["baseline"]["perplexity"].is_number(), "{read}");
    assert!(results.join("benchmark_comparison.png").exists());
}

#[test]
fn learned_positions_are_not_turned() {
    let folder = Folder::with("gpt2", &TestModel::of("gpt2"));
    let says = &["streaming:4+12", "positions=compact", "gpt2"];
    refused(&folder, &format!("{SMALL} --policies baseline,streaming_llm"), says);
}

#[test]
fn a_text_that_is_no_text_is_located() {
    let folder = Folder::new("encoding");
    std::fs::write(folder.0.join("text.txt"), b"ab\xffc").unwrap();
    let output = folder.kv(SMALL);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("text.txt") && stderr.contains("0xff at offset 2"), "{stderr}");
}

#[test]
fn policies_are_listed_without_a_model() {
    let page = fine(&Folder::new("list").kv("--list"));
    assert!(page.contains("  full ") && page.contains("  streaming:4+508 "), "{page}");
    assert!(page.contains("(arXiv 2309.17453)") && page.contains("  skip=A-B "), "{page}");
}
