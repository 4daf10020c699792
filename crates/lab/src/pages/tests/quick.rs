//! How long pages take with 10,000 runs: printed, for whoever asks.

use super::runs::{genai, kept, load, ten_tests, throughput};
use super::*;
use std::time::Instant;

/// `cargo test -p pacemark-lab --lib quick -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a test"]
fn milliseconds_of_each_page_with_ten_thousand_runs() {
    let mut runs: Vec<KeptRun> = (0..10_000)
        .map(|i| {
            let mut run = match i % 10 {
                0..6 => kept(&throughput(i, 100.0 + (i % 13) as f64)),
                6 => kept(&ten_tests(i)),
                7 | 8 => kept(&genai(i)),
                _ => kept(&load(i, 40)),
            };
            if i % 100 == 0 {
                run.tags = vec![format!("tag-{}", i / 1000)];
            }
            run
        })
        .collect();
    runs.push(kept(&load(20_000, 2_000)));
    let lab = lab("quick", &runs);
    let (first, large) = (lab.ids[5000].clone(), lab.ids[10_000].clone());
    let two = format!("/compare?id={first}&id={}", lab.ids[5001]);
    let loads = format!("/compare?id={}&id={}", lab.ids[9], lab.ids[19]);
    let bytes = std::fs::metadata(lab.folder.join("history.db")).unwrap().len();
    println!("history: {} runs, {:.0} MB", runs.len(), bytes as f64 / 1e6);
    let of_run = format!("/runs/{first}");
    let of_large = format!("/runs/{large}");
    let paths = [
        "/",
        "/?page=200",
        "/?model=llama&page=150",
        "/?model=nothing",
        "/?tag=tag-3",
        "/?experiment=load&since=2026-10-01",
        &of_run,
        &of_large,
        &two,
        &loads,
        "/trends?metric=avg_ts",
        "/trends?metric=ttft_ms",
        "/trends?metric=avg_ts&n=80",
        "/trends?metric=avg_ts&model=qwen3",
        "/trends?metric=avg_ts&model=qwen3&n=80",
        "/trends?metric=ttft_ms&model=qwen3&n=80",
        "/jobs",
        "/live",
        "/chat",
        "/login",
    ];
    for path in paths {
        let mut ms: Vec<f64> = (0..7)
            .map(|_| {
                let began = Instant::now();
                assert_eq!(lab.get(path).status, StatusCode::OK, "{path}");
                began.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        ms.sort_unstable_by(f64::total_cmp);
        let name: String = path.chars().take(48).collect();
        println!("{name:<50} median {:7.1} ms, worst {:7.1} ms", ms[3], ms[6]);
    }
}
