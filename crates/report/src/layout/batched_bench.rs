//! llama-batched-bench's keys and columns (tools/batched-bench of llama.cpp, 2026-09), then those of
//! llama-bench that say what ran where: its own output does not.

use super::llama_bench::{SAMPLES_TS, THREADS};
use super::{
    Field, Form, TrialRow, field, list, n_threads_batch, own, param, rfc3339, shown, text,
};
use crate::Cell;
use crate::document::Kind::{Float, Int, Text};
use crate::document::{Rank, Rules};
use pacemark_record::BatchTimes;

/// llama-batched-bench's table, then our figures.
pub const BATCHED_BENCH: Form = Form {
    table: "llama_batched_bench",
    fields: FIELDS,
    lists: &[
        field("samples_ns", Text, |r, _| {
            list(r.trial.samples().iter().map(|s| s.elapsed_ns.to_string()))
        }),
        field("samples_pp_ns", Text, |r, _| {
            let first = |ns: Option<u64>| ns.map_or("null".to_owned(), |ns| ns.to_string());
            list(r.trial.samples().iter().map(|s| first(s.ttft_ns)))
        }),
        SAMPLES_TS,
    ],
    own: own::FIELDS,
    columns: &[
        // Its first cell has no space before it.
        shown("PP", 5, |r| r.trial.count("n_prompt").to_string()).ranked(Rank::Key),
        shown("TG", 6, |r| r.trial.count("n_gen").to_string()).ranked(Rank::Key),
        shown("B", 4, |r| r.trial.n_parallel().to_string()).ranked(Rank::Key),
        shown("N_KV", 6, |r| r.trial.tokens_per_repetition().to_string()),
        shown("T_PP s", 8, |r| time(r, |t| t.t_pp)),
        shown("S_PP t/s", 8, |r| speed(r, |t| t.speed_pp)).ranked(Rank::Main),
        shown("T_TG s", 8, |r| time(r, |t| t.t_tg)),
        shown("S_TG t/s", 8, |r| speed(r, |t| t.speed_tg)).ranked(Rank::Main),
        shown("T s", 8, |r| time(r, |t| t.t)),
        shown("S t/s", 8, |r| speed(r, |t| t.speed)).ranked(Rank::Main),
        shown("model", -30, |r| r.trial.model.model_type.clone()).of_param("model"),
        shown("backend", -13, |r| r.trial.model.device.clone()).of_param("backend"),
        THREADS,
    ],
    results: &[],
    rules: Rules::Filled,
    heading: own::heading,
    lines: |_| Vec::new(),
    remark: |_, _| None,
    summary: None,
};

/// llama-batched-bench's keys (tools/batched-bench of llama.cpp, 2026-09), then those of
/// llama-bench that say what ran where: its own output does not.
const FIELDS: &[Field] = &[
    field("n_kv_max", Int, param),
    field("n_batch", Int, param),
    field("n_ubatch", Int, param),
    field("flash_attn", Int, param),
    // Each sequence computes a prompt of its own.
    field("is_pp_shared", Int, |_, _| Cell::Int(0)),
    field("n_gpu_layers", Int, param),
    field("n_threads", Int, param),
    field("n_threads_batch", Int, n_threads_batch),
    field("pp", Int, |r, _| param(r, "n_prompt")),
    field("tg", Int, |r, _| param(r, "n_gen")),
    field("pl", Int, |r, _| param(r, "n_parallel")),
    field("n_kv", Int, |r, _| Cell::Int(r.trial.tokens_per_repetition() as i64)),
    field("t_pp", Float, |r, _| r.trial.batch_times().map(|t| t.t_pp).into()),
    field("speed_pp", Float, |r, _| r.trial.batch_times().map(|t| t.speed_pp).into()),
    field("t_tg", Float, |r, _| r.trial.batch_times().map(|t| t.t_tg).into()),
    field("speed_tg", Float, |r, _| r.trial.batch_times().map(|t| t.speed_tg).into()),
    field("t", Float, |r, _| r.trial.batch_times().map(|t| t.t).into()),
    field("speed", Float, |r, _| r.trial.batch_times().map(|t| t.speed).into()),
    field("build_commit", Text, |r, _| text(&r.env.commit)),
    field("build_number", Int, |r, _| Cell::Int(r.env.build_number as i64)),
    field("cpu_info", Text, |r, _| text(r.env.cpu_model.as_deref().unwrap_or(""))),
    field("backends", Text, |r, _| text(&r.trial.model.device)),
    field("model_filename", Text, |r, _| text(&r.trial.model.path)),
    field("model_type", Text, |r, _| text(&r.trial.model.model_type)),
    field("model_size", Int, |r, _| Cell::Int(r.trial.model.bytes as i64)),
    field("model_n_params", Int, |r, _| Cell::Int(r.trial.model.n_params as i64)),
    field("type_k", Text, param),
    field("type_v", Text, param),
    field("test_time", Text, |r, _| Cell::Text(rfc3339(r.trial.started_unix_s))),
];

fn time(row: &TrialRow<'_>, of: fn(&BatchTimes) -> f64) -> String {
    row.trial.batch_times().map_or(String::new(), |times| format!("{:.3}", of(&times)))
}

fn speed(row: &TrialRow<'_>, of: fn(&BatchTimes) -> f64) -> String {
    row.trial.batch_times().map_or(String::new(), |times| format!("{:.2}", of(&times)))
}
