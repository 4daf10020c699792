//! The form of a distance: what was compared with what, on which text.

use super::{Field, Form, TrialRow, field, param, param_text, plain, shown};
use crate::document::Kind::{Int, Text};
use crate::document::{Rank, Rules};

/// Candidate, reference and figures.
pub const DISTANCE: Form = Form {
    table: "pacemark",
    fields: plain::FIELDS,
    lists: &[],
    own: OWN,
    columns: &[
        shown("model", -30, |r| r.trial.model.model_type.clone()).ranked(Rank::Key),
        shown("reference", -30, |r| param_text(r, "reference_type")),
        shown("cache", -12, cache),
    ],
    results: &[],
    rules: Rules::Aligned,
    heading: |r| {
        format!(
            "{}, {} against {} ({})",
            r.trial.model.model_type,
            cache(r),
            param_text(r, "reference"),
            param_text(r, "reference_type"),
        )
    },
    lines: |trial| {
        let Some(distances) = trial.distances() else { return Vec::new() };
        let (done, of) = (distances.apart.len(), distances.candidate.n_chunks);
        let cut = if (done as u64) < of { format!(" of {of}") } else { String::new() };
        let n_ctx = distances.candidate.n_ctx;
        let text = format!("the second halves of {done}{cut} chunks of {n_ctx}");
        vec![("text".into(), text)]
    },
    remark: |_, _| None,
    summary: None,
};

const OWN: &[Field] = &[
    field("backend", Text, |r, _| super::text(&r.trial.model.backend)),
    field("isa", Text, |r, _| super::text(&r.trial.model.isa)),
    field("type_k", Text, param),
    field("type_v", Text, param),
    field("kv", Text, param),
    field("reference", Text, param),
    field("reference_type", Text, param),
    field("reference_type_k", Text, param),
    field("reference_type_v", Text, param),
    field("n_ctx", Int, param),
    field("n_threads", Int, param),
    field("file", Text, param),
];

/// How the candidate kept keys and values.
fn cache(row: &TrialRow<'_>) -> String {
    let text = |name| param_text(row, name);
    let (k, v, kv) = (text("type_k"), text("type_v"), text("kv"));
    let types = match (k == v, row.trial.model.kv_types.as_str()) {
        // Another one than was asked for.
        (true, kept) if !kept.is_empty() => kept.to_owned(),
        (true, _) => k,
        (false, _) => format!("{k}/{v}"),
    };
    if kv == "full" { types } else { format!("{types} {kv}") }
}
