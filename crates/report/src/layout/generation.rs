//! The form of a single generation: programs read where it ran and its figures; what people read
//! are the facts of its document.

use super::{Field, Form, field, plain, text};
use crate::Cell;
use crate::document::Kind::{Float, Text};
use crate::document::Rules;

/// Where it ran, and its figures.
pub const GENERATION: Form = Form {
    table: "pacemark",
    fields: plain::FIELDS,
    lists: &[],
    own: OWN,
    columns: &[],
    results: &[],
    rules: Rules::Aligned,
    heading: |_| String::new(),
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

const OWN: &[Field] = &[
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("kernel", Text, |r, _| r.env.kernel.as_deref().map_or(Cell::Absent, text)),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
];
