//! The forms of tasks: what was asked, under which setting, how many items.

use super::{Field, Form, Shown, TrialRow, field, param, param_text, plain, shown, text};
use crate::Cell;
use crate::document::Kind::{Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::stats::SHARE;

/// Choices.
pub const CHOICES: Form = Form {
    table: "pacemark",
    fields: plain::FIELDS,
    lists: &[],
    own: OWN,
    columns: &[SETTING, TASK, ITEMS],
    results: &[],
    rules: Rules::Aligned,
    heading,
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

/// Answers to prompts of some length.
pub const ANSWERS: Form = Form { columns: &[SETTING, TASK, LENGTH, ITEMS], ..CHOICES };

const SETTING: Shown = shown("setting", -24, |r| param_text(r, "setting")).ranked(Rank::Key);
const TASK: Shown = shown("task", -15, |r| param_text(r, "task")).ranked(Rank::Key);
const LENGTH: Shown = shown("length", 6, |r| param_text(r, "length")).ranked(Rank::Key);
const ITEMS: Shown = shown("items", 5, |r| n_items(r).to_string());

const OWN: &[Field] = &[
    field("task", Text, param),
    field("length", Int, param),
    field("question", Text, param),
    field("seed", Int, param),
    field("setting", Text, param),
    field("kv", Text, param),
    field("type_k", Text, param),
    field("type_v", Text, param),
    field("n_items", Int, |r, _| Cell::Int(n_items(r) as i64)),
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("ci_method", Text, |_, _| text(SHARE)),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
];

fn n_items(row: &TrialRow<'_>) -> usize {
    row.trial.items().map_or(0, |items| items.items.len())
}

fn heading(row: &TrialRow<'_>) -> String {
    format!("{}, {}", param_text(row, "task"), param_text(row, "setting"))
}
