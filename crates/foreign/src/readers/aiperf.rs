//! AIPerf's `profile_export_aiperf.json`: the summary of a load.
//!
//! `JsonExportData` of aiperf 0.13.0 (schema 1.4): for each metric a unit, `avg`, percentiles, `std`.
//! Its inter-token latency is `(latency − ttft) / (N − 1)` of a request, which we call time per
//! output token. No request's own values are in it, so no figure of it has an interval.

use super::{lacking, load, run};
use crate::field::{Facts, Fields};
use crate::{ForeignError, Reader};
use pacemark_record::{Run, Trial};
use serde_json::Map;

pub(super) const READER: Reader = Reader {
    name: "AIPerf",
    help: "aiperf's profile_export_aiperf.json",
    lacks: |value| lacking(value, &["aiperf_version", "request_latency"]),
    read,
};

/// Their distributions, their unit, and our names.
const SERIES: &[(&str, &str, &str)] = &[
    ("time_to_first_token", "ms", "ttft_ms"),
    ("inter_token_latency", "ms", "tpot_ms"),
    ("inter_chunk_latency", "ms", "icl_ms"),
    ("request_latency", "ms", "e2e_ms"),
    ("output_token_throughput_per_user", "tokens/sec/user", "decode_tps"),
];

/// Their figures of the whole load, their unit, and our names.
const TOTALS: &[(&str, &str, &str)] = &[
    ("request_throughput", "requests/sec", "request_rate"),
    ("output_token_throughput", "tokens/sec", "output_ts_total"),
    ("goodput", "requests/sec", "goodput"),
    ("request_count", "requests", "requests"),
    ("error_request_count", "requests", "failed"),
];

/// Fields of a distribution, and what they add to our name.
const FIGURES: &[(&str, &str)] = &[
    ("avg", "_mean"),
    ("std", "_sd"),
    ("p50", "_p50"),
    ("p90", "_p90"),
    ("p95", "_p95"),
    ("p99", "_p99"),
    ("min", "_min"),
    ("max", "_max"),
];

fn read(file: &Fields<'_>) -> Result<Run, ForeignError> {
    Ok(run(file.documents()?.iter().map(trial).collect::<Result<_, _>>()?))
}

fn trial(result: &Fields<'_>) -> Result<Trial, ForeignError> {
    let mut facts = Facts::default();
    for (theirs, unit, ours) in SERIES {
        let metric = in_unit(result, theirs, unit)?;
        for (field, behind) in FIGURES {
            facts.one(&format!("{ours}{behind}"), metric.get(field).number()?);
        }
    }
    for (theirs, unit, ours) in TOTALS {
        facts.one(ours, in_unit(result, theirs, unit)?.get("avg").number()?);
    }
    let seconds = in_unit(result, "benchmark_duration", "sec")?.get("avg").number()?;
    facts.one("duration_ms", seconds.map(|s| s * 1e3));
    let mut params = Map::new();
    let models = result.at(&["input_config", "models", "items"]).list()?;
    if let Some(model) = models.first() {
        params.insert("model".to_owned(), model.get("name").text()?.into());
    }
    let phases = result.at(&["input_config", "phases"]).list()?;
    if let Some(phase) = phases.iter().find(|phase| phase.get("kind").value() == "profiling") {
        let concurrency = phase.get("concurrency").count()?;
        params.extend(concurrency.map(|n| ("concurrency".to_owned(), n.into())));
    }
    let engine = format!("AIPerf {}", result.get("aiperf_version").text()?);
    Ok(load(engine, params, facts.0))
}

/// A metric, which must be in that unit: another would be read as a hundredth or a thousandfold.
fn in_unit<'v>(
    result: &Fields<'v>,
    name: &str,
    unit: &'static str,
) -> Result<Fields<'v>, ForeignError> {
    let metric = result.get(name);
    if !metric.value().is_null() && metric.get("unit").text()? != unit {
        return metric.get("unit").wrong(unit);
    }
    Ok(metric)
}
