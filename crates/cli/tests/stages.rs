//! `pacemark stages` through the real binary: no stage goes round a lower one, and the exit code
//! keeps its promise.

mod binary;

use serde_json::Value;
use std::process::Output;

/// Two layers, so that a test takes a second.
const MODEL: &str = r#"synth:{"architecture": "llama", "n_embd": 64, "n_ff": 64, "n_layers": 2, "n_heads": 2, "n_vocab": 300}:Q8_0"#;

const N_REQUESTS: u64 = 6;
const N_GEN: u64 = 9;

fn stages(arguments: &[&str]) -> Output {
    binary::pacemark()
        .args([
            "stages",
            "-m",
            MODEL,
            "--requests",
            "6",
            "--gen-tokens",
            "9",
            "--concurrency",
            "3",
            "-t",
            "2",
        ])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn every_stage_goes_through_all_layers_below_it() {
    let output = stages(&["--rounds", "1", "-o", "json"]);
    assert_eq!(
        output.status.code(),
        Some(3),
        "one round shows nothing: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = json["stages"].as_array().unwrap();
    assert_eq!(rows.len(), 10);
    for (stage, row) in rows.iter().enumerate() {
        assert_eq!(row["stage"], stage);
        assert!(row["tokens_per_second"].as_f64().unwrap() > 0.0);
        let calls: Vec<u64> =
            row["calls"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        let below = &calls[..=stage];
        assert!(below.iter().all(|n| *n > 0), "stage {stage} goes round a layer: {calls:?}");
        assert!(
            calls[stage + 1..].iter().all(|n| *n == 0),
            "stage {stage} has more layers than it says: {calls:?}"
        );
        // Decoder, sampling, assembly, output, scheduler, queue, prompt, handler, HTTP, stream.
        for (layer, expected) in [
            (1, N_REQUESTS * N_GEN),
            (3, N_REQUESTS * N_GEN),
            (6, N_REQUESTS),
            (7, N_REQUESTS),
            (8, N_REQUESTS),
        ] {
            assert!(layer > stage || calls[layer] == expected, "stage {stage}: {calls:?}");
        }
        assert!(calls[0] >= 2 * N_GEN, "stage {stage}: {calls:?}");
    }
    assert_eq!(rows[9]["calls"][9], N_REQUESTS * N_GEN);
    assert!(json["model"]["model_type"].as_str().unwrap().contains("synthetic"));
}

#[test]
fn a_target_that_is_not_shown_to_be_met_is_exit_code_3_and_nonsense_is_2() {
    let missed = stages(&["--stages", "0,4", "--rounds", "5", "--target", "1e12"]);
    assert_eq!(missed.status.code(), Some(3));
    let table = String::from_utf8(missed.stdout).unwrap();
    assert!(
        table.contains("| missed") && table.contains("scheduler") && table.contains('█'),
        "{table}"
    );
    assert!(String::from_utf8_lossy(&missed.stderr).contains("target missed: stage 0, 4"));
    // The same target that five rounds show to be met: fewer cannot show it, and say so.
    let met = stages(&["--stages", "0,4", "--rounds", "5", "--target", "0.001"]);
    assert_eq!(
        (met.status.code(), met.stderr.is_empty()),
        (Some(0), true),
        "{}",
        String::from_utf8_lossy(&met.stderr)
    );
    let undecided = stages(&["--stages", "0,4", "--rounds", "4", "--target", "0.001"]);
    assert_eq!(undecided.status.code(), Some(3));
    let said = String::from_utf8_lossy(&undecided.stderr);
    assert!(said.contains("target undecided, intervals need 5 rounds: stage 0, 4"), "{said}");
    for nonsense in [
        ["--target", "-3%"],
        ["--stages", "10"],
        ["--requests", "0"],
        ["--gen-tokens", "100000000"],
    ] {
        let output = stages(&nonsense);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{nonsense:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn record_and_chart_are_written() {
    let folder = std::env::temp_dir().join(format!("pacemark-stages-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (record, chart) = (folder.join("run.json"), folder.join("chart.svg"));
    let arguments = [
        "--stages",
        "0,5",
        "-r",
        "2",
        "--save",
        record.to_str().unwrap(),
        "--chart",
        chart.to_str().unwrap(),
    ];
    assert_eq!(stages(&arguments).status.code(), Some(3), "two rounds show no target to be met");
    let run = pacemark_record::Run::from_json(&std::fs::read_to_string(&record).unwrap()).unwrap();
    assert_eq!(run.trials.iter().map(|trial| trial.samples().len()).collect::<Vec<_>>(), [2, 2]);
    assert!(std::fs::read_to_string(&chart).unwrap().starts_with("<svg"));
    std::fs::remove_dir_all(folder).unwrap();
}
