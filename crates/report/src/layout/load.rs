//! The fields and columns of a load of requests.

mod server;

use super::{Field, Form, Summary, TrialRow, field, param, param_text, rfc3339, shown, text};
use crate::Cell;
use crate::document::Kind::{Bool, Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::{Grade, Trial, stats};

/// What was sent, then the figures.
pub const LOAD: Form = Form {
    table: "pacemark_load",
    fields: FIELDS,
    lists: &[
        field("senders", Text, |r, _| server::senders(r.trial)),
        field("servers", Text, |r, _| server::figures(r.trial)),
    ],
    own: &[],
    columns: &[
        shown("model", -24, |r| param_text(r, "model")),
        shown("load", -22, |r| load_name(r.trial)).ranked(Rank::Key),
        shown("in", -8, |r| param_text(r, "input_lengths")),
        shown("out", -8, |r| param_text(r, "output_lengths")),
    ],
    results: &[],
    rules: Rules::Aligned,
    heading,
    lines: |trial| graded(trial).into_iter().chain(server::lines(trial)).collect(),
    remark: |trial, name| {
        let steady = if name == "output_ts_steady" { trial.steady() } else { None };
        steady.map(|steady| steady.verdict.name().replace('_', " "))
    },
    summary: Some(Summary { name: load_name, figures: SUMMARY }),
};

/// Figures that rows are compared by.
const SUMMARY: &[&str] = &[
    "requests",
    "failed",
    "request_rate",
    "output_ts_total",
    "output_ts_steady",
    "ttft_ms_p50",
    "ttft_ms_p99",
    "tpot_ms_p50",
    "tpot_ms_p99",
    "e2e_ms_p50",
    "good_share",
];

/// What a load was, and how its figures were made.
const FIELDS: &[Field] = &[
    field("test_time", Text, |r, _| Cell::Text(rfc3339(r.trial.started_unix_s))),
    field("url", Text, param),
    field("model", Text, param),
    field("endpoint", Text, param),
    field("stream", Bool, param),
    field("concurrency", Int, param),
    field("rate", Float, param),
    field("arrival", Text, param),
    field("ramp", Text, param),
    field("trace", Text, param),
    field("max_in_flight", Int, param),
    field("requests_wanted", Int, param),
    field("duration_s", Float, param),
    field("input_lengths", Text, param),
    field("output_lengths", Text, param),
    field("prompts", Text, param),
    field("prompt_form", Text, param),
    field("prompt_tokens_exact", Bool, param),
    field("prompts_checked", Int, param),
    field("prompts_off", Int, param),
    field("cache", Text, param),
    field("turns", Int, param),
    field("connections", Text, param),
    field("seed", Int, param),
    field("nonce", Int, param),
    field("slo", Text, param),
    field("token_source", Text, |r, _| text(r.trial.token_source().name())),
    field("chunks_are_tokens", Bool, |r, _| Cell::Bool(r.trial.chunks_are_tokens())),
    field("steady_verdict", Text, |r, _| {
        r.trial.steady().map_or(Cell::Absent, |s| text(s.verdict.name()))
    }),
    field("grade", Text, |r, _| r.trial.grade().map_or(Cell::Absent, |grade| text(grade.name))),
    field("failures", Text, |r, _| {
        let kinds: serde_json::Map<_, _> =
            r.trial.failures().into_iter().map(failures_of_kind).collect();
        Cell::Json(serde_json::Value::Object(kinds).to_string())
    }),
    field("unsent", Int, |r, _| {
        Cell::Int(r.trial.load().map_or(0, |load| load.unsent_requests).min(i64::MAX as u64) as i64)
    }),
    field("resent", Int, |r, _| {
        Cell::Int(
            r.trial.requests().iter().filter(|request| request.resent_ns.is_some()).count() as i64
        )
    }),
    field("slo_results", Text, |r, _| Cell::Json(slo_results(r.trial).to_string())),
    field("stamps", Text, |r, _| {
        r.trial
            .load()
            .and_then(|load| load.client.as_ref())
            .map_or(Cell::Absent, |c| text(&c.stamps))
    }),
    field("until", Float, param),
    field("max_time_s", Float, param),
    field("ci_method", Text, |_, _| text("binomial order statistics for percentiles")),
    field("throughput_ci_method", Text, |_, _| text(stats::BLOCK_BOOTSTRAP)),
    field("cpu_info", Text, |r, _| text(r.env.cpu_model.as_deref().unwrap_or(""))),
    field("kernel", Text, |r, _| r.env.kernel.as_deref().map_or(Cell::Absent, text)),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
    field("build_commit", Text, |r, _| text(&r.env.commit)),
    field("build_number", Int, |r, _| Cell::Int(r.env.build_number as i64)),
];

fn failures_of_kind(
    (kind, (count, example)): (pacemark_record::FailureKind, (u64, &str)),
) -> (String, serde_json::Value) {
    let name = serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned));
    (name.unwrap_or_default(), serde_json::json!({ "count": count, "example": example }))
}

/// Each limit, what was found, and the verdict.
fn slo_results(trial: &Trial) -> serde_json::Value {
    let results = trial.slo().map(|slo| slo.judge(trial)).unwrap_or_default();
    let one = |result: &pacemark_record::LimitResult| {
        serde_json::json!({
            "limit": result.limit.to_string(),
            "found_ms": result.found_ns.filter(|ns| ns.is_finite()).map(|ns| ns / 1e6),
            "share_met": result.share_met,
            "verdict": result.verdict.name(),
        })
    };
    results.iter().map(one).collect()
}

fn heading(row: &TrialRow<'_>) -> String {
    let lengths = format!(
        "{} → {} tokens",
        param_text(row, "input_lengths"),
        param_text(row, "output_lengths")
    );
    let (model, url) = (param_text(row, "model"), param_text(row, "url"));
    format!("{}, {model}, {lengths}, {url}", load_name(row.trial))
}

/// The grade, or which failures are why there is none.
fn graded(trial: &Trial) -> Option<(String, String)> {
    let n_failed: u64 = trial.failures().values().map(|(n, _)| n).sum();
    if n_failed > 0 {
        let n = n_failed + trial.answered().count() as u64;
        return Some(("grade".to_owned(), format!("none: {n_failed} of {n} requests failed")));
    }
    trial.grade().map(grade)
}

fn grade(Grade { name, tokens_per_second, ttft_ms }: Grade) -> (String, String) {
    let why = format!("{name} ({tokens_per_second:.1} t/s, ttft {ttft_ms:.0} ms)");
    ("grade".to_owned(), why)
}

/// The load in a few words, e.g. `8 streams` or `20/s poisson`.
pub fn load_name(trial: &Trial) -> String {
    let params = &trial.params;
    let number = |name: &str| params.get(name).and_then(serde_json::Value::as_f64);
    let text = |name: &str| params.get(name).and_then(|value| value.as_str()).unwrap_or("-");
    if params.contains_key("trace") {
        return "trace".to_owned();
    }
    if params.contains_key("ramp") {
        return format!("ramp {} {}", text("ramp"), text("arrival"));
    }
    match (number("concurrency"), number("rate")) {
        (Some(1.0), _) => "1 stream".to_owned(),
        (Some(streams), _) => format!("{streams} streams"),
        (None, Some(rate)) => format!("{rate}/s {}", text("arrival")),
        (None, None) if params.contains_key("rate") => "all at once".to_owned(),
        (None, None) => "-".to_owned(),
    }
}
