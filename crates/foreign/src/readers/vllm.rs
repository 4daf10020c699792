//! vLLM's `vllm bench serve --save-result`, with every request's stamps where `--save-detailed` was
//! given (or `benchmark_serving.py` wrote them).
//!
//! `benchmark` and `main_async` of vllm/benchmarks/serve.py (vLLM commit 009e6d4a, 2026): seconds in
//! the lists, milliseconds in the summaries. Its `itl` are gaps between chunks, its `tpot` is `(latency − ttft) / (N − 1)` and its
//! `e2el` the time to the end of the answer.

use super::{lacking, load, run};
use crate::field::{Facts, Fields};
use crate::{ForeignError, Reader};
use pacemark_record::{Run, Trial};
use serde_json::Map;

pub(super) const READER: Reader = Reader {
    name: "vLLM",
    help: "vllm bench serve --save-result, with --save-detailed for intervals",
    lacks: |value| {
        lacking(value, &["duration", "completed", "request_throughput", "output_throughput"])
    },
    read,
};

/// Their name of a distribution and ours.
const SERIES: &[(&str, &str)] =
    &[("ttft", "ttft_ms"), ("tpot", "tpot_ms"), ("itl", "icl_ms"), ("e2el", "e2e_ms")];

/// Their names of its figures, around that, and ours behind it.
const FIGURES: &[(&str, &str)] = &[
    ("mean_", "_mean"),
    ("median_", "_p50"),
    ("std_", "_sd"),
    ("p50_", "_p50"),
    ("p90_", "_p90"),
    ("p95_", "_p95"),
    ("p99_", "_p99"),
];

/// Their figures of the whole load, and ours.
const TOTALS: &[(&str, &str)] = &[
    ("failed", "failed"),
    ("request_throughput", "request_rate"),
    ("request_goodput", "goodput"),
    ("output_throughput", "output_ts_total"),
    ("total_input_tokens", "input_tokens"),
    ("total_output_tokens", "output_tokens"),
];

fn read(file: &Fields<'_>) -> Result<Run, ForeignError> {
    Ok(run(file.documents()?.iter().map(trial).collect::<Result<_, _>>()?))
}

fn trial(result: &Fields<'_>) -> Result<Trial, ForeignError> {
    let mut facts = Facts::default();
    let (completed, failed) = (result.get("completed").number()?, result.get("failed").number()?);
    facts.one("requests", completed.map(|n| n + failed.unwrap_or(0.0)));
    facts.one("duration_ms", result.get("duration").number()?.map(|s| s * 1e3));
    for (theirs, ours) in TOTALS {
        facts.one(ours, result.get(theirs).number()?);
    }
    for (theirs, ours) in SERIES {
        for (before, behind) in FIGURES {
            let value = result.get(&format!("{before}{theirs}_ms")).number()?;
            facts.one(&format!("{ours}{behind}"), value);
        }
    }
    details(result, &mut facts)?;
    let mut params = Map::new();
    for (theirs, ours) in
        [("model_id", "model"), ("max_concurrency", "concurrency"), ("request_rate", "rate")]
    {
        let value = result.get(theirs).value();
        // Its word for no rate.
        if !value.is_null() && value != "inf" {
            params.insert(ours.to_owned(), value.clone());
        }
    }
    let engine = result.get("backend").text()?.to_owned();
    Ok(load(engine, params, facts.0))
}

/// The values of each request that was answered; lists that are not of one length say nothing.
fn details(result: &Fields<'_>, facts: &mut Facts) -> Result<(), ForeignError> {
    let (ttfts, gaps) = (result.get("ttfts").numbers()?, result.get("itls").list()?);
    let gaps: Vec<Vec<f64>> = gaps.iter().map(Fields::numbers).collect::<Result<_, _>>()?;
    let lengths = result.get("output_lens").numbers()?;
    let errors = result.get("errors").list()?;
    if [gaps.len(), lengths.len(), errors.len()] != [ttfts.len(); 3] {
        return Ok(());
    }
    let (mut ttft, mut tpot, mut e2e, mut all_gaps) = (vec![], vec![], vec![], vec![]);
    let mut chunks_are_tokens = true;
    for (i, error) in errors.iter().enumerate() {
        // An answer that was no stream has no first token.
        if !error.text()?.is_empty() || ttfts[i] == 0.0 {
            continue;
        }
        let (first, rest) = (ttfts[i] * 1e3, gaps[i].iter().sum::<f64>() * 1e3);
        ttft.push(first);
        e2e.push(first + rest);
        if lengths[i] >= 2.0 && !gaps[i].is_empty() {
            tpot.push(rest / (lengths[i] - 1.0));
        }
        chunks_are_tokens &= lengths[i] == (gaps[i].len() + 1) as f64;
        all_gaps.extend(gaps[i].iter().map(|s| s * 1e3));
    }
    facts.each("ttft_ms", ttft);
    facts.each("tpot_ms", tpot);
    facts.each("e2e_ms", e2e);
    // metrics.md: gaps between tokens only where each chunk holds one.
    facts.each(if chunks_are_tokens { "itl_ms" } else { "icl_ms" }, all_gaps);
    Ok(())
}
