//! The form of a comparison of engines: a row for each.

use super::{Field, Form, Shown, TrialRow, digits, field, param, param_text, plain, shown, text};
use crate::Cell;
use crate::document::Kind::{Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::stats::{CONFIDENCE, Interval};
use pacemark_record::{EngineRun, FreshRun, stats};

/// Engine, speed, loading, memory, answers.
pub const VERSUS: Form = Form {
    table: "engines",
    fields: plain::FIELDS,
    lists: &[],
    own: OWN,
    columns: COLUMNS,
    results: &[],
    rules: Rules::Aligned,
    heading: |r| format!("{}, {}", param_text(r, "contender"), r.trial.model.model_type),
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

const OWN: &[Field] = &[
    field("contender", Text, param),
    field("engine", Text, |r, _| text(&r.trial.model.engine)),
    field("device", Text, |r, _| text(&r.trial.model.device)),
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("n_prompt", Int, param),
    field("n_gen", Int, param),
    field("n_together", Int, param),
    field("n_ctx", Int, param),
    field("file", Text, param),
    field("rounds", Int, |r, _| Cell::Int(runs(r).len() as i64)),
    field("terms", Text, |r, _| {
        json(serde_json::to_string(&r.trial.contender().map(|of| &of.terms)))
    }),
    field("lacks", Text, |r, _| {
        json(serde_json::to_string(&r.trial.contender().map(|of| &of.lacks)))
    }),
    field("failure", Text, |r, _| {
        r.trial.contender().and_then(|of| of.failure.clone()).map_or(Cell::Absent, Cell::Text)
    }),
    field("comparisons", Text, |r, _| json(serde_json::to_string(r.comparisons))),
];

const COLUMNS: &[Shown] = &[
    shown("engine", -12, |r| param_text(r, "contender")).ranked(Rank::Key),
    shown("prefill t/s", 13, |r| rate(r, |run| FreshRun::prefill_ts(&run.alone)))
        .ranked(Rank::Main),
    shown("decode t/s", 13, |r| rate(r, |run| FreshRun::decode_ts(&run.alone))).ranked(Rank::Main),
    shown("x", 5, |r| {
        let decode = r.comparisons.iter().find(|c| c.metric == "decode_ts");
        decode.map_or("-".to_owned(), |c| format!("{:.2}", 1.0 / c.ratio))
    }),
    shown("batch t/s", 13, |r| rate(r, EngineRun::together_ts)).ranked(Rank::Main),
    shown("TTFT ms", 8, |r| mean(r, |run| run.alone.sample.ttft_ns.map(|ns| ns as f64 / 1e6), 1)),
    shown("load s", 6, |r| {
        mean(r, |run| (run.alone.load_ns > 0).then_some(run.alone.load_ns as f64 / 1e9), 2)
    }),
    shown("peak MiB", 8, |r| mean(r, |run| run.alone.peak_rss_bytes.map(mib), 0))
        .ranked(Rank::Main),
    shown("PPL", 8, |r| digits(r.trial.contender().and_then(|of| of.scores.as_ref()?.ppl()), 3))
        .ranked(Rank::Main),
    shown("% roof", 6, |r| digits(r.trial.roof_share().map(|share| share * 100.0), 0)),
];

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1u64 << 20) as f64
}

fn json(value: Result<String, serde_json::Error>) -> Cell {
    value.map_or(Cell::Absent, Cell::Json)
}

fn runs<'a>(row: &TrialRow<'a>) -> &'a [EngineRun] {
    row.trial.contender().map_or(&[], |found| &found.runs)
}

fn mean(row: &TrialRow<'_>, of: impl Fn(&EngineRun) -> Option<f64>, n: usize) -> String {
    let values: Vec<f64> = runs(row).iter().filter_map(of).collect();
    digits(stats::mean(&values), n)
}

/// The mean and half of its interval, where there is one.
fn rate(row: &TrialRow<'_>, of: impl Fn(&EngineRun) -> Option<f64>) -> String {
    let values: Vec<f64> = runs(row).iter().filter_map(of).collect();
    let within = |i: Interval| format!(" ± {:.1}", (i.high - i.low) / 2.0);
    digits(stats::mean(&values), 1)
        + &stats::mean_interval(&values, CONFIDENCE).map(within).unwrap_or_default()
}
