//! The form of a study of types of weights: a row for each type.

use super::{Field, Form, Shown, TrialRow, digits, field, param, param_text, plain, shown, text};
use crate::Cell;
use crate::document::Kind::{Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::stats::{CONFIDENCE, Interval};
use pacemark_record::{Distances, FreshRun, stats};

/// Type, size, time, quality.
pub const QUANT: Form = Form {
    table: "types",
    fields: plain::FIELDS,
    lists: &[],
    own: OWN,
    columns: COLUMNS,
    results: &[],
    rules: Rules::Aligned,
    heading: |r| format!("{}, {}", param_text(r, "type"), r.trial.model.model_type),
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

const OWN: &[Field] = &[
    field("type", Text, param),
    field("source", Text, param),
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("n_threads", Int, param),
    field("n_prompt", Int, param),
    field("n_gen", Int, param),
    field("n_ctx", Int, param),
    field("file", Text, param),
    field("rounds", Int, |r, _| Cell::Int(runs(r).len() as i64)),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
    field("comparisons", Text, |r, _| {
        serde_json::to_string(r.comparisons).map_or(Cell::Absent, Cell::Json)
    }),
];

const COLUMNS: &[Shown] = &[
    shown("type", -7, |r| param_text(r, "type")).ranked(Rank::Key),
    shown("size MiB", 8, |r| {
        let bytes = r.trial.quantized().map(|found| found.file_bytes as f64);
        digits(bytes.map(|bytes| bytes / MIB), 1)
    })
    .ranked(Rank::Main),
    shown("load s", 6, |r| mean(r, |run| Some(run.load_ns as f64 / 1e9), 2)),
    shown("loaded", 7, |r| mean(r, |run| run.loaded_rss_bytes.map(mib), 0)),
    shown("peak MiB", 8, |r| mean(r, |run| run.peak_rss_bytes.map(mib), 0)).ranked(Rank::Main),
    shown("prefill t/s", 13, |r| rate(r, FreshRun::prefill_ts)),
    shown("decode t/s", 11, |r| rate(r, FreshRun::decode_ts)).ranked(Rank::Main),
    shown("x", 5, |r| {
        let decode = r.comparisons.iter().find(|c| c.metric == "decode_ts");
        decode.map_or("-".to_owned(), |c| format!("{:.2}", 1.0 / c.ratio))
    }),
    shown("PPL", 8, |r| quality(r, |d| d.candidate.ppl(), 3)),
    shown("KLD", 17, |r| {
        let mean = quality(r, |d| stats::mean(&d.klds()), 5);
        mean + &within(r.trial.distances().and_then(Distances::kld_interval), 5)
    })
    .ranked(Rank::Main),
    shown("same top", 8, |r| {
        let share = r.trial.distances().and_then(|d| stats::mean(&d.tops()));
        share.map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0))
    })
    .ranked(Rank::Main),
];

const MIB: f64 = (1u64 << 20) as f64;

fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

fn runs<'a>(row: &TrialRow<'a>) -> &'a [FreshRun] {
    row.trial.quantized().map_or(&[], |found| &found.runs)
}

fn mean(row: &TrialRow<'_>, of: impl Fn(&FreshRun) -> Option<f64>, n: usize) -> String {
    let values: Vec<f64> = runs(row).iter().filter_map(of).collect();
    digits(stats::mean(&values), n)
}

/// The mean and half of its interval, where there is one.
fn rate(row: &TrialRow<'_>, of: impl Fn(&FreshRun) -> Option<f64>) -> String {
    let values: Vec<f64> = runs(row).iter().filter_map(of).collect();
    digits(stats::mean(&values), 1) + &within(stats::mean_interval(&values, CONFIDENCE), 1)
}

fn within(interval: Option<Interval>, n: usize) -> String {
    interval.map_or(String::new(), |i| format!(" ± {:.n$}", (i.high - i.low) / 2.0))
}

fn quality(row: &TrialRow<'_>, of: impl Fn(&Distances) -> Option<f64>, n: usize) -> String {
    digits(row.trial.distances().and_then(of), n)
}
