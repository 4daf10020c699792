//! `pacemark bench --cold` through the real binary: our own process and others, the record, and what is
//! refused.

mod binary;
mod folder;

use folder::Folder;
use serde_json::Value;

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_else(|| panic!("{name}: {row}"))
}

#[test]
fn ours_and_another_in_both_states() {
    let folder = Folder::new("cold", "llama");
    let save = folder.0.join("run.json").display().to_string();
    let command = format!("--cold-command=cat</dev/null;echo {save}").replace(' ', "\u{a0}");
    let line = format!("bench --cold -m M -p 9 -n 3 -t 1 -r 2 --save {save} -o json {command}");
    let rows = folder.json(&line.replace('\u{a0}', "\t"));
    let rows = rows.as_array().unwrap();
    let of: Vec<_> = rows.iter().map(|row| row["page_cache"].as_str().unwrap()).collect();
    assert_eq!(of, ["warm", "cold", "warm", "cold"]);
    for row in rows {
        assert!(number(row, "cold_ttft_ms") > 0.0);
        assert!(number(row, "wall_ms") >= number(row, "cold_ttft_ms"), "{row}");
        assert_eq!(number(row, "starts"), 2.0);
    }
    let (ours, other) = (&rows[0], &rows[2]);
    for name in ["load_ms", "ttft_ms", "peak_rss_bytes", "kv_bytes"] {
        assert!(number(ours, name) > 0.0 && other[name].is_null(), "{name}: {ours} {other}");
    }
    assert!(number(ours, "cold_ttft_ms") >= number(ours, "load_ms"), "{ours}");
    assert!(other["command"].as_str().unwrap().contains("echo"), "{other}");
    let record: Value = serde_json::from_slice(&std::fs::read(&save).unwrap()).unwrap();
    assert_eq!(record["trials"][0]["starts"].as_array().unwrap().len(), 2);
    assert_eq!(folder.json(&format!("show {save} -o json")), Value::from(rows.clone()));
}

#[test]
fn what_was_started_before_a_failure_is_kept() {
    let folder = Folder::new("cold-fails", "llama");
    let save = folder.0.join("run.json").display().to_string();
    let line = format!("bench --cold -m M -p 4 -n 1 -t 1 -r 1 --page-cache warm --save {save}");
    let (code, said) = folder.failure(&format!("{line} --cold-command=no-such-engine"));
    assert!(code == 1 && said.contains("--cold-command no-such-engine"), "{said}");
    let record: Value = serde_json::from_slice(&std::fs::read(&save).unwrap()).unwrap();
    assert_eq!(record["trials"].as_array().unwrap().len(), 1);
}

#[test]
fn a_command_reads_nothing_and_what_it_leaves_running_is_ended() {
    let folder = Folder::new("cold-children", "llama");
    let line = "bench --cold -m M -p 4 -n 1 -t 1 -r 1 --page-cache warm -o json";
    let command = "--cold-command=cat;sleep\t1000\t&\techo\tx";
    let rows = folder.json(&format!("{line} {command}"));
    assert!(number(&rows[1], "cold_ttft_ms") > 0.0 && number(&rows[1], "wall_ms") < 60_000.0);
}

#[test]
fn what_has_no_meaning_is_refused() {
    let folder = Folder::new("cold-refused", "llama");
    for (line, expected) in [
        ("bench --cold -m M --page-cache tepid", "expected warm or cold"),
        ("bench --cold -m M -d 16", "cannot be used with"),
        ("bench --cold -m M -p 0", "at least 1 of each"),
        ("bench --cold -m M --backend native,native", "one backend at a time"),
        ("bench --cold -m M --no-roof", "cannot be used with"),
        ("bench --cold -m M -pg 4,4", "cannot be used with"),
        ("bench -m M --cold-command=x", "--cold"),
        ("bench --cold -m nowhere.gguf", "nowhere.gguf"),
    ] {
        let (code, said) = folder.failure(line);
        assert!(code == 2 && said.contains(expected), "{line}: {code} {said}");
    }
}
