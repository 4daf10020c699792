//! The form of a search: a row for each setting.

use super::{Field, Form, Shown, TrialRow, digits, field, param, param_text, plain, shown, text};
use crate::Cell;
use crate::document::Kind::{Bool, Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::stats::{self, CONFIDENCE};
use pacemark_record::{Objective, Sample, Tuned};

/// Setting, rate, answers, verdict.
pub const TUNE: Form = Form {
    table: "settings",
    fields: plain::FIELDS,
    lists: &[],
    own: OWN,
    columns: COLUMNS,
    results: &[],
    rules: Rules::Aligned,
    heading: |r| format!("{}, {}", param_text(r, "setting"), r.trial.model.model_type),
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

const OWN: &[Field] = &[
    field("setting", Text, param),
    field("part", Text, |r, _| {
        let part = r.trial.params.get("part").and_then(|part| part.as_str());
        text(part.unwrap_or("race"))
    }),
    field("verdict", Text, |r, _| match is_race(r) {
        true => serde_json::to_value(tuned(r).map(|tuned| tuned.fate))
            .ok()
            .and_then(|fate| fate.as_str().map(text))
            .unwrap_or(Cell::Absent),
        false => Cell::Absent,
    }),
    field("verdict_round", Int, |r, _| {
        tuned(r).map_or(Cell::Absent, |tuned| Cell::Int(tuned.fate_round as i64))
    }),
    field("command", Text, param),
    field("n_changes", Int, param),
    field("maximize", Text, param),
    field("targets", Text, param),
    field("max_kld", Float, param),
    field("resolution", Float, param),
    field("answers_alike", Bool, param),
    field("front", Text, param),
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("source", Text, param),
    field("weights", Text, param),
    field("n_threads", Int, param),
    field("n_ubatch", Int, param),
    field("type_k", Text, param),
    field("type_v", Text, param),
    field("kv", Text, param),
    field("speculate", Int, param),
    field("n_prompt", Int, param),
    field("n_gen", Int, param),
    field("n_ctx", Int, param),
    field("file", Text, param),
    field("rounds", Int, |r, _| Cell::Int(n_runs(r).0 as i64)),
    field("further_runs", Int, |r, _| Cell::Int(n_runs(r).1 as i64)),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
    field("comparisons", Text, |r, _| {
        serde_json::to_string(r.comparisons).map_or(Cell::Absent, Cell::Json)
    }),
];

const COLUMNS: &[Shown] = &[
    shown("setting", -12, |r| match is_race(r) {
        true => param_text(r, "setting"),
        false => format!("confirm: {}", param_text(r, "setting")),
    })
    .ranked(Rank::Key),
    shown("t/s", 14, rate).ranked(Rank::Main),
    shown("x default", 22, |r| {
        r.comparisons.first().map_or("-".to_owned(), |c| {
            let ends = c.ci95_low.zip(c.ci95_high);
            let ends =
                ends.map_or(String::new(), |(low, high)| format!(" ({low:.3} to {high:.3})"));
            format!("{:.3}{ends}", c.ratio)
        })
    })
    .ranked(Rank::Main),
    shown("ttft ms", 8, |r| {
        let times: Vec<f64> = r.trial.samples().iter().filter_map(ttft_ms).collect();
        digits(stats::mean(&times), 1)
    }),
    shown("KLD", 16, kld),
    shown("runs", 6, |r| match n_runs(r) {
        (rounds, 0) => rounds.to_string(),
        (rounds, further) => format!("{rounds}+{further}"),
    }),
    shown("verdict", -15, |r| match (is_race(r), tuned(r)) {
        (true, Some(tuned)) => tuned.fate.words().to_owned(),
        _ => String::new(),
    })
    .ranked(Rank::Main),
    shown("after", 5, |r| match tuned(r) {
        Some(tuned) if is_race(r) && tuned.fate_round > 0 => tuned.fate_round.to_string(),
        _ => String::new(),
    }),
    shown("front", -5, |r| match param(r, "front") {
        Cell::Absent => String::new(),
        cell => cell.plain(),
    }),
];

fn tuned<'a>(row: &TrialRow<'a>) -> Option<&'a Tuned> {
    row.trial.tuned()
}

fn is_race(row: &TrialRow<'_>) -> bool {
    !row.trial.params.contains_key("part")
}

/// Runs of the rounds, and after them.
fn n_runs(row: &TrialRow<'_>) -> (usize, usize) {
    let rounds = tuned(row).map_or(0, |tuned| tuned.of_rounds().count());
    (rounds, row.trial.samples().len() - rounds)
}

fn ttft_ms(sample: &Sample) -> Option<f64> {
    sample.ttft_ns.map(|ns| ns as f64 / 1e6)
}

/// What is maximized.
fn rate(row: &TrialRow<'_>) -> String {
    let values = Objective::values(row.trial);
    let within = stats::mean_interval(&values, CONFIDENCE);
    let within = within.map_or(String::new(), |i| format!(" ± {:.1}", (i.high - i.low) / 2.0));
    digits(stats::mean(&values), 1) + &within
}

fn kld(row: &TrialRow<'_>) -> String {
    if param(row, "answers_alike") == Cell::Bool(true) {
        return "0".to_owned();
    }
    let Some(distances) = row.trial.distances() else { return "-".to_owned() };
    let within = distances.kld_interval();
    let within = within.map_or(String::new(), |i| format!(" ± {:.4}", (i.high - i.low) / 2.0));
    digits(stats::mean(&distances.klds()), 4) + &within
}
