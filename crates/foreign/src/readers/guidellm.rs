//! GuideLLM's `--output kind=json`: a report of benchmarks, each a row of a load.
//!
//! `GenerativeBenchmarksReport` and `GenerativeRequestStats` of guidellm 0.8.1 (report version 2).
//! Each request has the stamps of its first and last token, in seconds, so that time to first token,
//! time per output token and end to end are by our definitions; gaps between single tokens are not
//! in it. A report whose requests were left out (`sample_size` 0) has the summaries.

use super::{first, load, run};
use crate::field::{Facts, Fields};
use crate::{ForeignError, Reader};
use pacemark_record::{Run, Trial};
use serde_json::{Map, Value};

pub(super) const READER: Reader = Reader {
    name: "GuideLLM",
    help: "guidellm's benchmarks.json",
    lacks: |value| {
        let metadata = first(value).get("metadata");
        let version = metadata.and_then(|metadata| metadata.get("guidellm_version"));
        let has = version.is_some() && first(value).get("benchmarks").is_some();
        (!has).then(|| "metadata.guidellm_version or benchmarks is missing".to_owned())
    },
    read,
};

/// Their summaries in milliseconds or a second, and our names.
const SERIES: &[(&str, &str, f64)] = &[
    ("time_to_first_token_ms", "ttft_ms", 1.0),
    ("inter_token_latency_ms", "tpot_ms", 1.0),
    ("request_latency", "stream_end_ms", 1e3),
];

/// Their figures of the whole load, and ours.
const TOTALS: &[(&str, &str)] =
    &[("requests_per_second", "request_rate"), ("output_tokens_per_second", "output_ts_total")];

/// Fields of a summary, and what they add to our name.
const FIGURES: &[(&[&str], &str)] = &[
    (&["mean"], "_mean"),
    (&["median"], "_p50"),
    (&["percentiles", "p90"], "_p90"),
    (&["percentiles", "p95"], "_p95"),
    (&["percentiles", "p99"], "_p99"),
];

fn read(file: &Fields<'_>) -> Result<Run, ForeignError> {
    let mut trials = Vec::new();
    for report in file.documents()? {
        let version = report.at(&["metadata", "guidellm_version"]).text()?;
        for benchmark in report.get("benchmarks").list()? {
            trials.push(trial(&benchmark, version)?);
        }
    }
    Ok(run(trials))
}

fn trial(benchmark: &Fields<'_>, version: &str) -> Result<Trial, ForeignError> {
    let mut facts = Facts::default();
    let metrics = benchmark.get("metrics");
    for (theirs, ours) in TOTALS {
        facts.one(ours, metrics.at(&[theirs, "successful", "mean"]).number()?);
    }
    facts.one("requests", metrics.at(&["request_totals", "total"]).number()?);
    facts.one("failed", metrics.at(&["request_totals", "errored"]).number()?);
    for (theirs, ours, scale) in SERIES {
        let summary = metrics.at(&[theirs, "successful"]);
        for (names, behind) in FIGURES {
            let value = summary.at(names).number()?;
            facts.one(&format!("{ours}{behind}"), value.map(|value| value * scale));
        }
    }
    requests(&benchmark.at(&["requests", "successful"]), &mut facts)?;
    let engine = format!("GuideLLM {version}");
    Ok(load(engine, params(&benchmark.at(&["config", "strategy"]))?, facts.0))
}

/// What each request took, by its own stamps.
fn requests(requests: &Fields<'_>, facts: &mut Facts) -> Result<(), ForeignError> {
    let (mut ttft, mut tpot, mut e2e) = (Vec::new(), Vec::new(), Vec::new());
    for request in requests.list()? {
        let times = request.at(&["info", "timings"]);
        let sent = times.get("request_start").number()?;
        let first = times.get("first_token_iteration").number()?;
        let last = times.get("last_token_iteration").number()?;
        let (Some(sent), Some(first), Some(last)) = (sent, first, last) else { continue };
        ttft.push((first - sent).max(0.0) * 1e3);
        e2e.push((last - sent).max(0.0) * 1e3);
        if let Some(n) =
            request.get("output_tokens").number()?.filter(|n| *n >= 2.0 && last > first)
        {
            tpot.push((last - first) * 1e3 / (n - 1.0));
        }
    }
    facts.each("ttft_ms", ttft);
    facts.each("tpot_ms", tpot);
    facts.each("e2e_ms", e2e);
    Ok(())
}

/// What its strategy is in our words.
fn params(strategy: &Fields<'_>) -> Result<Map<String, Value>, ForeignError> {
    let mut params = Map::new();
    let concurrency = match strategy.get("type_").text()? {
        "synchronous" => Some(1),
        _ => strategy.get("streams").count()?,
    };
    params.extend(concurrency.map(|n| ("concurrency".to_owned(), n.into())));
    let rate = strategy.get("rate").number()?;
    params.extend(rate.map(|rate| ("rate".to_owned(), rate.into())));
    Ok(params)
}
