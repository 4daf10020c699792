//! The form of a prompt that is repeated: where it ran, and each iteration's times as lists.

use super::{Field, Form, field, list, param, plain, shown, text};
use crate::Cell;
use crate::document::Kind::{Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::Request;
use pacemark_record::stats::BOOTSTRAP;

/// Model, lengths, figures.
pub const GENAI: Form = Form {
    table: "genai",
    fields: plain::FIELDS,
    lists: LISTS,
    own: OWN,
    columns: &[
        shown("model", -30, |r| r.trial.model.model_type.clone()),
        shown("threads", 7, |r| r.trial.count("n_threads").to_string()),
        shown("test", 9, |r| r.trial.test_name()).ranked(Rank::Key),
    ],
    results: &[],
    rules: Rules::Aligned,
    heading: |_| String::new(),
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

const OWN: &[Field] = &[
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("n_threads", Int, param),
    field("n_prompt", Int, param),
    field("n_gen", Int, param),
    field("iterations", Int, |r, _| Cell::Int(r.trial.requests().len() as i64)),
    field("warmups", Int, |r, _| Cell::Int(r.trial.warmup.elapsed_ns.len() as i64)),
    field("ci_method", Text, |_, _| text(BOOTSTRAP)),
    field("kernel", Text, |r, _| r.env.kernel.as_deref().map_or(Cell::Absent, text)),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
];

const LISTS: &[Field] = &[
    field("samples_generate_ns", Text, |r, _| {
        times(r.trial.requests().iter().map(Request::total_ns))
    }),
    field("samples_ttft_ns", Text, |r, _| times(r.trial.requests().iter().map(Request::ttft_ns))),
];

/// `null` for a time that there is not.
fn times(of: impl Iterator<Item = Option<u64>>) -> Cell {
    list(of.map(|ns| ns.map_or("null".to_owned(), |ns| ns.to_string())))
}
