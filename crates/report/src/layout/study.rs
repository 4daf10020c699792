//! The form of a study of KV policies: for people the columns of the script that it takes the place
//! of, then what memory the keys and values take; programs read figures under their own names.

use super::{Field, Form, Shown, TrialRow, digits, field, param, plain, shown, text};
use crate::Cell;
use crate::document::Kind::{Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::{Continued, Held, Texts, stats};
use serde_json::Value;

/// Method, times, quality, memory.
pub const STUDY: Form = Form {
    table: "pacemark",
    fields: plain::FIELDS,
    lists: &[],
    own: OWN,
    columns: COLUMNS,
    results: &[],
    rules: Rules::Aligned,
    heading: |r| format!("{}, {}", method(r), r.trial.model.model_type),
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

const OWN: &[Field] = &[
    field("method", Text, param),
    field("kv", Text, param),
    field("type_k", Text, param),
    field("type_v", Text, param),
    field("n_prompt", Int, param),
    field("n_gen", Int, param),
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("repetitions", Int, |r, _| {
        Cell::Int(texts(r).map_or(0, |t| t.continued().count()) as i64)
    }),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
    field("comparisons", Text, |r, _| {
        serde_json::to_string(r.comparisons).map_or(Cell::Absent, Cell::Json)
    }),
];

const COLUMNS: &[Shown] = &[
    shown("Method", -25, method).ranked(Rank::Key),
    shown("TTFT(s)", 9, |r| mean(r, Continued::ttft_s, 4)),
    shown("TPOT(s)", 9, |r| mean(r, Continued::tpot_s, 4)).ranked(Rank::Main),
    shown("Thruput", 9, |r| mean(r, Continued::throughput_ts, 2)),
    shown("PPL", 9, |r| digits(texts(r).and_then(Texts::ppl), 2)).ranked(Rank::Main),
    shown("Acc", 7, |r| match texts(r).and_then(Texts::accuracy) {
        Some(share) => format!("{:.2}%", share * 100.0),
        None => "-".to_owned(),
    })
    .ranked(Rank::Main),
    shown("RSS(GB)", 7, |r| {
        let gb = |c: &Continued| c.peak_rss_bytes.map(|bytes| bytes as f64 / GB);
        mean(r, gb, 3)
    }),
    shown("Cache", 7, |r| kept(r, Held::mean_tokens, 0)).ranked(Rank::Main),
    shown("Cache max", 9, |r| {
        let most = texts(r).into_iter().flat_map(Texts::continued);
        let most = most.filter_map(|c| c.held.as_ref()).map(|held| held.most_tokens).max();
        most.map_or("-".to_owned(), |most| most.to_string())
    }),
    shown("KV alloc(MB)", 12, |r| kept(r, |held| held.page_bytes as f64 / MB, 2)),
    shown("KV held(MB)", 11, |r| kept(r, |held| held.resident_bytes as f64 / MB, 2)),
];

const GB: f64 = (1u64 << 30) as f64;
const MB: f64 = (1u64 << 20) as f64;

fn method(row: &TrialRow<'_>) -> String {
    row.trial.params.get("method").and_then(Value::as_str).unwrap_or("-").to_owned()
}

fn texts<'a>(row: &TrialRow<'a>) -> Option<&'a Texts> {
    row.trial.texts()
}

fn mean(row: &TrialRow<'_>, of: impl Fn(&Continued) -> Option<f64>, n: usize) -> String {
    let values: Vec<f64> =
        texts(row).into_iter().flat_map(Texts::continued).filter_map(of).collect();
    digits(stats::mean(&values), n)
}

fn kept(row: &TrialRow<'_>, of: impl Fn(&Held) -> f64, n: usize) -> String {
    mean(row, |continued| continued.held.as_ref().map(&of), n)
}
