//! The form of a prediction: for people a setting, its memory against what there is, and rates with
//! where they will lie; programs read every figure under its own name.

use super::{Field, Form, Shown, TrialRow, field, param, plain, shown, text};
use crate::Cell;
use crate::cell::size;
use crate::document::Kind::{Bool, Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::{FitRate, stats};
use serde_json::Value;

/// Setting, memory, rates.
pub const FIT: Form = Form {
    table: "pacemark",
    fields: plain::FIELDS,
    lists: &[],
    own: OWN,
    columns: COLUMNS,
    results: &[],
    rules: Rules::Aligned,
    heading: |r| r.trial.model.model_type.clone(),
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

const OWN: &[Field] = &[
    field("n_ctx", Int, param),
    field("n_parallel", Int, param),
    field("type_k", Text, param),
    field("type_v", Text, param),
    field("kv", Text, param),
    field("n_threads", Int, param),
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("fits", Bool, |r, _| fits(r).map_or(Cell::Absent, |(fits, _)| Cell::Bool(fits))),
    field("rounds", Int, |r, _| Cell::Int(r.trial.fit().map_or(0, |fit| fit.rounds.len()) as i64)),
    field("why", Text, |r, _| text(&r.trial.notes.join("; "))),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
    field("roofs", Text, |r, _| {
        serde_json::to_string(&r.trial.roofs).map_or(Cell::Absent, Cell::Json)
    }),
];

const COLUMNS: &[Shown] = &[
    shown("ctx", 6, |r| r.trial.count("n_ctx").to_string()).ranked(Rank::Key),
    shown("seqs", 4, |r| r.trial.n_parallel().to_string()).ranked(Rank::Key),
    shown("KV", -4, keys_and_values).ranked(Rank::Key),
    shown("memory", 10, |r| {
        let fit = r.trial.fit().filter(|fit| fit.is_whole());
        fit.map_or("-".to_owned(), |fit| size(fit.memory.most()))
    })
    .ranked(Rank::Main),
    shown("fits", -19, |r| match fits(r) {
        Some((true, left)) => format!("yes, {} left", size(left)),
        Some((false, short)) => format!("no, {} short", size(short)),
        None => "-".to_owned(),
    })
    .ranked(Rank::Main),
    shown("prefill t/s", -20, |r| rate(r, FitRate::Prompt)),
    shown("prefill, full", -20, |r| rate(r, FitRate::FullPrompt)).ranked(Rank::Main),
    shown("decode t/s", -20, |r| rate(r, FitRate::Decode)),
    shown("decode, full", -20, |r| rate(r, FitRate::FullDecode)).ranked(Rank::Main),
];

fn named(row: &TrialRow<'_>, name: &str) -> String {
    row.trial.params.get(name).and_then(Value::as_str).unwrap_or("-").to_owned()
}

/// How they are stored, and what of them is kept where that is not all.
fn keys_and_values(row: &TrialRow<'_>) -> String {
    let [k, v, kept] = ["type_k", "type_v", "kv"].map(|name| named(row, name));
    let types = if k == v { k } else { format!("{k}/{v}") };
    if kept == "full" { types } else { format!("{types} {kept}") }
}

/// Whether it fits, and the bytes that are left or lack.
fn fits(row: &TrialRow<'_>) -> Option<(bool, u64)> {
    let left = row.trial.fit()?.left()?;
    Some((left >= 0, u64::try_from(left.unsigned_abs()).unwrap_or(u64::MAX)))
}

/// A rate and where it will lie, in digits that say something.
fn rate(row: &TrialRow<'_>, rate: FitRate) -> String {
    let Some(mean) = stats::mean(&rate.predicted(row.trial)) else { return "-".to_owned() };
    let digits = |value: f64| format!("{value:.n$}", n = if value < 100.0 { 1 } else { 0 });
    match rate.interval(row.trial) {
        Some(i) => format!("{} ({} to {})", digits(mean), digits(i.low), digits(i.high)),
        None => digits(mean),
    }
}
