//! llama-bench's fields and columns.
//!
//! Names, order and kinds are those of its `test::get_fields` and `get_field_type`
//! (tools/llama-bench of llama.cpp, 2026-09), so that compare-llama-bench.py and other readers of
//! its output take ours.

use super::{Field, Form, Shown, TrialRow, field, list, own, param, rfc3339, shown, text};
use crate::Cell;
use crate::cell::size;
use crate::document::Kind::{Bool, Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::stats;

/// llama-bench's table, then our figures.
pub const LLAMA_BENCH: Form = Form {
    table: "llama_bench",
    fields: FIELDS,
    lists: &[
        field("samples_ns", Text, |r, _| {
            list(r.trial.samples().iter().map(|s| s.elapsed_ns.to_string()))
        }),
        SAMPLES_TS,
    ],
    own: own::FIELDS,
    columns: &[
        shown("model", -30, |r| r.trial.model.model_type.clone()).of_param("model"),
        shown("size", 10, |r| size(r.trial.model.bytes)),
        shown("params", 10, |r| n_params(r.trial.model.n_params)),
        BACKEND,
        THREADS,
    ],
    results: &[
        shown("test", 15, |r| r.trial.test_name()).ranked(Rank::Key),
        shown("t/s", 20, rate).ranked(Rank::Main),
    ],
    rules: Rules::Aligned,
    heading: own::heading,
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

pub(super) const SAMPLES_TS: Field = field("samples_ts", Text, |r, _| {
    list(r.trial.rates_ts().iter().map(|rate| format!("{rate:.6}")))
});

pub(super) const BACKEND: Shown =
    shown("backend", -10, |r| r.trial.model.device.clone()).of_param("backend");

pub(super) const THREADS: Shown =
    shown("threads", 7, |r| value(r, "n_threads")).of_param("n_threads");

/// llama-bench's fields.
const FIELDS: &[Field] = &[
    field("build_commit", Text, |r, _| text(&r.env.commit)),
    field("build_number", Int, |r, _| Cell::Int(r.env.build_number as i64)),
    field("cpu_info", Text, |r, _| text(r.env.cpu_model.as_deref().unwrap_or(""))),
    field("gpu_info", Text, |_, _| text("")),
    field("backends", Text, |r, _| text(&r.trial.model.device)),
    field("model_filename", Text, |r, _| text(&r.trial.model.path)),
    field("model_type", Text, |r, _| text(&r.trial.model.model_type)),
    field("model_size", Int, |r, _| Cell::Int(r.trial.model.bytes as i64)),
    field("model_n_params", Int, |r, _| Cell::Int(r.trial.model.n_params as i64)),
    field("n_batch", Int, param),
    field("n_ubatch", Int, param),
    field("n_threads", Int, param),
    field("cpu_mask", Text, param),
    field("cpu_strict", Bool, param),
    field("poll", Int, param),
    field("type_k", Text, param),
    field("type_v", Text, param),
    field("n_gpu_layers", Int, param),
    field("n_cpu_moe", Int, param),
    field("split_mode", Text, param),
    field("main_gpu", Int, param),
    field("no_kv_offload", Bool, param),
    field("flash_attn", Int, param),
    field("devices", Text, param),
    field("tensor_split", Text, param),
    field("tensor_buft_overrides", Text, param),
    field("load_mode", Text, param),
    field("lazy_mode", Text, param),
    field("embeddings", Bool, param),
    field("no_op_offload", Int, param),
    field("no_host", Bool, param),
    field("repack", Bool, param),
    field("fit_target", Int, param),
    field("fit_min_ctx", Int, param),
    field("n_prompt", Int, param),
    field("n_gen", Int, param),
    field("n_depth", Int, param),
    field("test_time", Text, |r, _| Cell::Text(rfc3339(r.trial.started_unix_s))),
    // llama-bench truncates both to whole nanoseconds.
    field("avg_ns", Int, |r, _| Cell::Int(stats::mean(&elapsed_ns(r)).unwrap_or(0.0) as i64)),
    field("stddev_ns", Int, |r, _| {
        Cell::Int(stats::sample_sd(&elapsed_ns(r)).unwrap_or(0.0) as i64)
    }),
    field("avg_ts", Float, |r, _| Cell::Float(stats::mean(&r.trial.rates_ts()).unwrap_or(0.0))),
    field("stddev_ts", Float, |r, _| {
        Cell::Float(stats::sample_sd(&r.trial.rates_ts()).unwrap_or(0.0))
    }),
];

/// Headings and widths of the parameters that appear only when they were varied, in llama-bench's
/// order.
pub(super) const VARIED: &[(&str, Shown)] = &[
    ("n_gpu_layers", varied("ngl", 3, |r| value(r, "n_gpu_layers"))),
    ("n_cpu_moe", varied("n_cpu_moe", 10, |r| value(r, "n_cpu_moe"))),
    ("cpu_mask", varied("cpu_mask", -10, |r| value(r, "cpu_mask"))),
    ("cpu_strict", varied("cpu_strict", 10, |r| value(r, "cpu_strict"))),
    ("poll", varied("poll", 10, |r| value(r, "poll"))),
    ("n_batch", varied("n_batch", 7, |r| value(r, "n_batch"))),
    ("n_ubatch", varied("n_ubatch", 8, |r| value(r, "n_ubatch"))),
    ("type_k", varied("type_k", 6, |r| value(r, "type_k"))),
    ("type_v", varied("type_v", 6, |r| value(r, "type_v"))),
    ("main_gpu", varied("main_gpu", 10, |r| value(r, "main_gpu"))),
    ("split_mode", varied("sm", 6, |r| value(r, "split_mode"))),
    ("no_kv_offload", varied("nkvo", 13, |r| value(r, "no_kv_offload"))),
    ("flash_attn", varied("fa", 3, |r| value(r, "flash_attn"))),
    ("devices", varied("dev", -12, |r| value(r, "devices"))),
    ("tensor_split", varied("ts", -12, |r| value(r, "tensor_split"))),
    ("tensor_buft_overrides", varied("ot", -21, |r| value(r, "tensor_buft_overrides"))),
    ("load_mode", varied("lm", 10, |r| value(r, "load_mode"))),
    ("lazy_mode", varied("lazy_mode", -10, |r| value(r, "lazy_mode"))),
    ("embeddings", varied("embd", 10, |r| value(r, "embeddings"))),
    ("no_op_offload", varied("nopo", 4, |r| value(r, "no_op_offload"))),
    ("no_host", varied("noh", 4, |r| value(r, "no_host"))),
    ("repack", varied("rpk", 3, |r| value(r, "repack"))),
    ("fit_target", varied("fitt", 10, |r| value(r, "fit_target"))),
    ("fit_min_ctx", varied("fitc", 11, |r| value(r, "fit_min_ctx"))),
];

const fn varied(title: &'static str, width: isize, of: fn(&TrialRow<'_>) -> String) -> Shown {
    shown(title, width, of).ranked(Rank::Key)
}

/// A field's value as the table shows it.
fn value(row: &TrialRow<'_>, name: &str) -> String {
    let field = FIELDS.iter().find(|field| field.name == name);
    field.map_or(String::new(), |field| (field.of)(row, name).plain())
}

fn elapsed_ns(row: &TrialRow<'_>) -> Vec<f64> {
    row.trial.samples().iter().map(|s| s.elapsed_ns as f64).collect()
}

fn rate(row: &TrialRow<'_>) -> String {
    let rates = row.trial.rates_ts();
    format!(
        "{:.2} ± {:.2}",
        stats::mean(&rates).unwrap_or(0.0),
        stats::sample_sd(&rates).unwrap_or(0.0)
    )
}

fn n_params(n: u64) -> String {
    if n < 1_000_000_000 {
        format!("{:.2} M", n as f64 / 1e6)
    } else {
        format!("{:.2} B", n as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_benchs_order() {
        let names: Vec<_> = FIELDS.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), 42);
        assert_eq!(
            (names[0], names[22], names[31], names[37]),
            ("build_commit", "flash_attn", "repack", "test_time")
        );
        assert_eq!(names[41], "stddev_ts");
    }
}
