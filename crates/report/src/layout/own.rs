//! Our own fields and columns beside those of the tools that ours is a drop-in for.

use super::{Field, Shown, TrialRow, field, n_threads_batch, param, param_text, shown, text};
use crate::Cell;
use crate::document::Kind::{Bool, Float, Int, Text};
use crate::document::Rank;
use pacemark_record::stats::BOOTSTRAP;

/// Our fields before the metrics, but for those that the tool has as well.
pub(super) const FIELDS: &[Field] = &[
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("n_threads_batch", Int, n_threads_batch),
    field("numa", Text, param),
    field("kv", Text, param),
    field("kv_types", Text, |r, _| text(&r.trial.model.kv_types)),
    field("engine", Text, |r, _| text(&r.trial.model.engine)),
    field("kernel", Text, |r, _| r.env.kernel.as_deref().map_or(Cell::Absent, text)),
    field("load_average_1m", Float, |r, _| r.env.load_average_1m.into()),
    field("repetitions", Int, |r, _| Cell::Int(r.trial.samples().len() as i64)),
    field("warmup_settled", Bool, |r, _| Cell::Bool(r.trial.warmup.settled)),
    field("ci_method", Text, |_, _| text(BOOTSTRAP)),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
    field("flags", Text, |r, _| {
        Cell::Text(r.trial.flags().iter().map(|f| f.name()).collect::<Vec<_>>().join(","))
    }),
    field("roofs", Text, |r, _| {
        serde_json::to_string(&r.trial.roofs).map_or(Cell::Absent, Cell::Json)
    }),
    field("comparisons", Text, |r, _| {
        serde_json::to_string(r.comparisons).map_or(Cell::Absent, Cell::Json)
    }),
];

/// Columns of our own parameters that appear only when they were varied.
pub(super) const VARIED: &[(&str, Shown)] = &[
    (
        "n_threads_batch",
        shown("t batch", 7, |r| r.trial.count("n_threads_batch").to_string()).ranked(Rank::Key),
    ),
    ("numa", shown("numa", -10, |r| param_text(r, "numa")).ranked(Rank::Key)),
    ("kv", shown("kv", -16, |r| param_text(r, "kv")).ranked(Rank::Key)),
];

/// Model and test.
pub(super) fn heading(row: &TrialRow<'_>) -> String {
    format!("{}, {}", row.trial.model.model_type, row.trial.test_name())
}
