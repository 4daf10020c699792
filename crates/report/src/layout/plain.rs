//! The form of an experiment that no other tool has: what ran, its parameters, its figures.

use super::{Field, Form, field, own, rfc3339, shown, text};
use crate::Cell;
use crate::document::Kind::{Int, Text};
use crate::document::{Rank, Rules};

/// Model, test and figures.
pub const PLAIN: Form = Form {
    table: "pacemark",
    fields: FIELDS,
    lists: &[],
    own: own::FIELDS,
    columns: &[
        shown("model", -30, |r| r.trial.model.model_type.clone()),
        shown("experiment", -14, |r| r.trial.experiment.clone()),
    ],
    results: &[shown("test", 15, |r| r.trial.test_name()).ranked(Rank::Key)],
    rules: Rules::Aligned,
    heading: |r| {
        format!("{}, {}, {}", r.trial.experiment, r.trial.model.model_type, r.trial.test_name())
    },
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

/// What ran and where.
pub(super) const FIELDS: &[Field] = &[
    field("experiment", Text, |r, _| text(&r.trial.experiment)),
    field("model_filename", Text, |r, _| text(&r.trial.model.path)),
    field("model_type", Text, |r, _| text(&r.trial.model.model_type)),
    field("model_size", Int, |r, _| Cell::Int(r.trial.model.bytes as i64)),
    field("params", Text, |r, _| {
        serde_json::to_string(&r.trial.params).map_or(Cell::Absent, Cell::Json)
    }),
    field("test_time", Text, |r, _| Cell::Text(rfc3339(r.trial.started_unix_s))),
    field("cpu_info", Text, |r, _| text(r.env.cpu_model.as_deref().unwrap_or(""))),
    field("build_commit", Text, |r, _| text(&r.env.commit)),
    field("build_number", Int, |r, _| Cell::Int(r.env.build_number as i64)),
];
