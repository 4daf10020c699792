//! `pacemark genai-bench` through the real binary on a tiny model.

mod binary;
mod folder;

use folder::Folder;
use std::process::Output;

/// Standard output of a run that is to succeed.
fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// With a zero for every number after the first line, which is left out.
fn shape(text: &str) -> String {
    let lines = text.lines().skip(1).map(|line| {
        let words = line.split(' ').map(|word| match word.parse::<f64>() {
            Ok(_) => {
                assert!(word.split_once('.').is_none_or(|(_, digits)| digits.len() == 2), "{line}");
                "0"
            }
            Err(_) => word,
        });
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

const CPP: &str = "Prompt token size:12
Output token size:6
Load time: 0 ms
Generate time: 0 ± 0 ms
Tokenization time: 0 ± 0 ms
Detokenization time: 0 ± 0 ms
TTFT: 0 ± 0 ms
TPOT: 0 ± 0 ms/token 
Throughput: 0 ± 0 tokens/s";

#[test]
fn both_generations_of_flags_give_its_lines() {
    let folder = Folder::new("genai-lines", "llama");
    // Twelve tokens of one byte.
    std::fs::write(folder.0.join("prompt.txt"), "xyzxyzxyzxyz").unwrap();
    for line in [
        "genai-bench -m M -F P -N 1 -n 2 -M 6 -d CPU",
        "genai-bench -m M -pf P -nw 0 -n 1 -mt 6",
        "genai-bench --model M --prompt_file P --num_warmup 0 --num_iter 2 --max_new_tokens 6 --device CPU",
        "genai-bench -m M -d CPU -p xyzxyzxyzxyz --nw 0 --mt 6 -n 1",
    ] {
        let text = stdout(&folder.pacemark(line));
        assert_eq!(shape(&text), CPP, "{line}");
        assert!(text.starts_with("pacemark ") && text.contains(" native, build "), "{text}");
    }
    let text = stdout(&folder.pacemark("genai-bench -m M -F P -nw 0 -n 1 -mt 6 --python"));
    let python = CPP
        .replace("size:12", "size: 0")
        .replace("size:6", "size: 0")
        .replace("ms/token ", "ms")
        .replace("Throughput:", "Throughput :");
    assert_eq!(shape(&text), python);
    assert!(text.starts_with("pacemark runtime version: "), "{text}");
}

#[test]
fn the_default_prompt_is_the_known_one() {
    let folder = Folder::new("genai-default", "llama");
    let sizes = |line: &str| {
        let text = stdout(&folder.pacemark(line));
        text.lines().nth(1).unwrap().to_owned()
    };
    std::fs::write(folder.0.join("prompt.txt"), "The Sky is blue because").unwrap();
    let by_file = sizes("genai-bench -m M -F P -N 0 -n 1 -M 1");
    assert_eq!(sizes("genai-bench -m M -N 0 -n 1 -M 1"), by_file);
    let text = stdout(&folder.pacemark("genai-bench -m M -N 0 -n 1 -M 1"));
    assert!(text.ends_with("TPOT: - ± - ms/token \nThroughput: - ± - tokens/s\n"), "{text}");
}

#[test]
fn a_report_sums_to_the_whole_and_is_shown_again() {
    let folder = Folder::new("genai-report", "gemma3");
    let record = folder.0.join("r.json").display().to_string();
    let line = format!("genai-bench -m M -F P -N 1 -n 5 -M 4 --report --save {record}");
    let text = stdout(&folder.pacemark(&line));
    for part in
        ["Throughput: ", "grade  ", "trend  ", "| iteration ", "| over them ", "| the process "]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        text.contains("time of each iteration, ms") && text.matches('●').count() == 5,
        "{text}"
    );
    let again = stdout(&folder.pacemark(&format!("show {record}")));
    let head = again.lines().next().unwrap();
    assert!(head.starts_with("grade") && text.contains(&again), "{again}");
    let found = folder.json(&format!("show {record} -o json"));
    assert_eq!(found["iterations"].as_array().map(Vec::len), Some(5));
    assert_eq!(found["genai"][0]["warmups"], 1);
    let stages = found["breakdown"].as_array().unwrap();
    let ms = |i: usize| stages[i]["spent_ms"].as_f64().unwrap();
    let last = stages.len() - 1;
    assert_eq!(stages[last]["stage"], "whole");
    let sum: f64 = (0..last).map(ms).sum();
    assert!((sum - ms(last)).abs() < 1e-6, "{sum} {stages:?}");
    for stage in ["load", "warmup", "tokenize", "prefill", "decode", "detokenize", "rest"] {
        assert!(stages.iter().any(|found| found["stage"] == stage), "{stage}: {stages:?}");
    }
}

#[test]
fn other_formats_are_the_usual_document() {
    let folder = Folder::new("genai-formats", "llama");
    let rows = folder.json("genai-bench -m M -F P -N 0 -n 5 -M 4 -o json");
    let row = &rows[0];
    for figure in ["generate_ms", "ttft_ms", "tpot_ms", "generate_ms_ci95_high", "load_ms"] {
        assert!(row[figure].as_f64().is_some_and(|x| x > 0.0), "{figure}: {rows}");
    }
    assert_eq!((&row["experiment"], &row["iterations"]), (&"genai".into(), &5.into()));
    assert_eq!(row["n_gen"], 4);
    let table = stdout(&folder.pacemark("genai-bench -m M -F P -N 0 -n 1 -M 4 -o md"));
    assert!(table.starts_with("| model") && !table.contains("Throughput"), "{table}");
    let graded = folder
        .json("genai-bench -m M -F P -n 1 -M 4 --report --grades 1e9/1,1e8/2,1e7/3,1e6/4 -o json");
    assert_eq!(graded["grade"]["name"], "very slow");
}

#[test]
fn what_it_cannot_do_it_says() {
    let folder = Folder::new("genai-errors", "llama");
    std::fs::write(folder.0.join("empty.txt"), "").unwrap();
    let empty = folder.0.join("empty.txt").display().to_string();
    for (line, code, said) in [
        ("genai-bench -m M -p a -F P", 2, "cannot be used with"),
        ("genai-bench -m M --prompt= -n 1", 2, "the prompt is empty"),
        (&format!("genai-bench -m M -F {empty}"), 2, "empty.txt: the prompt is empty"),
        ("genai-bench -m M -n 0", 2, "--num-iter"),
        ("genai-bench -m M -mt 0", 2, "--max-new-tokens"),
        ("genai-bench -m M -d GPU", 2, "GPU is not here: Pacemark's engine computes on the CPU"),
        ("genai-bench -m M -d AUTO", 2, "AUTO is not here"),
        ("genai-bench -m M -F no/such/file", 1, "no/such/file"),
        ("genai-bench -m M -F T -mt 8", 1, "the context holds 256"),
        ("genai-bench -m M -p a --python -o md", 2, "--python -o md"),
        ("genai-bench -m M -p a --grades 1/2", 2, "--grades"),
        ("genai-bench -m M -F P --save P", 2, "it is read too"),
        ("genai-bench -m no-such-model -p a", 2, "no-such-model"),
    ] {
        let (found, text) = folder.failure(line);
        assert!(found == code && text.contains(said), "{line}: {found} {text}");
    }
}
