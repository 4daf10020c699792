//! The form of cold starts: a row for each way to start.

use super::{Field, Form, Shown, TrialRow, digits, field, param, param_text, plain, shown, text};
use crate::Cell;
use crate::cell::size;
use crate::document::Kind::{Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::stats::CONFIDENCE;
use pacemark_record::{Inside, Start, stats};

/// What is started, its times, its memory.
pub const COLD: Form = Form {
    table: "cold",
    fields: plain::FIELDS,
    lists: &[],
    own: OWN,
    columns: COLUMNS,
    results: RESULTS,
    rules: Rules::Aligned,
    heading: what,
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

const OWN: &[Field] = &[
    field("command", Text, param),
    field("page_cache", Text, param),
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("n_threads", Int, param),
    field("n_prompt", Int, param),
    field("n_gen", Int, param),
    field("starts", Int, |r, _| Cell::Int(starts(r).len() as i64)),
    field("weights", Text, |r, _| {
        let weights = r.trial.cold().map(|cold| serde_json::to_string(&cold.weights));
        weights.and_then(Result::ok).map_or(Cell::Absent, Cell::Json)
    }),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
];

const COLUMNS: &[Shown] = &[
    shown("started", -24, what).ranked(Rank::Key),
    shown("page cache", -10, |r| param_text(r, "page_cache")).ranked(Rank::Key),
];

const RESULTS: &[Shown] = &[
    shown("threads", 7, |r| param_text(r, "n_threads")).of_param("n_threads"),
    shown("test", 10, test).ranked(Rank::Key),
    shown("cold TTFT ms", 15, |r| time(r, |start| start.first_ns)).ranked(Rank::Main),
    shown("wall ms", 15, |r| time(r, |start| Some(start.ended_ns))).ranked(Rank::Main),
    shown("load ms", 13, |r| time(r, |start| Some(start.inside.as_ref()?.load_ns))),
    shown("+ load", 10, |r| memory(r, |start| start.inside.as_ref()?.load_bytes())),
    shown("+ inference", 11, |r| memory(r, |start| start.inside.as_ref()?.inference_bytes())),
    shown("peak", 10, |r| memory(r, |start| start.inside.as_ref()?.peak_rss_bytes))
        .ranked(Rank::Main),
    shown("KV", 10, |r| memory(r, |start| start.inside.as_ref().and_then(kv))),
    shown("storage", 10, |r| memory(r, |start| start.storage_bytes)),
];

fn kv(inside: &Inside) -> Option<u64> {
    inside.kv_bytes
}

/// The model, or the command line, as much of it as a column has room for.
fn what(row: &TrialRow<'_>) -> String {
    const ROOM: usize = 40;
    let model = &row.trial.model.model_type;
    let name = if model.is_empty() { param_text(row, "command") } else { model.clone() };
    match name.char_indices().nth(ROOM) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name,
    }
}

/// Its lengths; nobody knows those of another engine's command.
fn test(row: &TrialRow<'_>) -> String {
    match row.trial.params.contains_key("command") {
        true => "-".to_owned(),
        false => row.trial.test_name(),
    }
}

fn starts<'a>(row: &TrialRow<'a>) -> &'a [Start] {
    row.trial.cold().map_or(&[], |cold| &cold.starts)
}

/// The mean in milliseconds, and half of its interval.
fn time(row: &TrialRow<'_>, of: impl Fn(&Start) -> Option<u64>) -> String {
    let values: Vec<f64> = starts(row).iter().filter_map(&of).map(|ns| ns as f64 / 1e6).collect();
    let within = stats::mean_interval(&values, CONFIDENCE);
    let within = within.map(|i| format!(" ± {:.1}", (i.high - i.low) / 2.0));
    digits(stats::mean(&values), 1) + &within.unwrap_or_default()
}

fn memory(row: &TrialRow<'_>, of: impl Fn(&Start) -> Option<u64>) -> String {
    let values: Vec<f64> = starts(row).iter().filter_map(of).map(|bytes| bytes as f64).collect();
    stats::mean(&values).map_or("-".to_owned(), |bytes| size(bytes as u64))
}
