//! What there is to show of a trial: llama-bench's 42 fields or llama-batched-bench's 18, then our
//! own.
//!
//! Names, order and kinds are those of llama-bench's `test::get_fields` and `get_field_type`
//! (tools/llama-bench of llama.cpp, 2026-09), so that compare-llama-bench.py and other readers of
//! its output take ours.

use crate::Cell;
use jiff::Timestamp;
use pacemark_record::stats::{self, BOOTSTRAP};
use pacemark_record::{Comparison, Env, Metric, Trial, Unit};

/// One trial and where it ran.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The machine and the build.
    pub env: &'a Env,
    /// What was measured.
    pub trial: &'a Trial,
    /// The first backend of the test against this row's, by each figure; empty in the first one's
    /// own row.
    pub comparisons: &'a [Comparison],
}

/// What a renderer shows, the same for all rows.
#[derive(Clone)]
pub struct Layout<'a> {
    /// Parameters that were swept or are not at their default: further columns of tables for
    /// reading, as in llama-bench.
    pub varied: &'a [&'static str],
    /// Our own figures.
    pub metrics: &'static [Metric],
    /// Whose fields and table come first.
    pub form: Form,
}

/// The tool that ours is a drop-in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// llama-bench.
    LlamaBench,
    /// llama-batched-bench.
    BatchedBench,
    /// None: a load of requests.
    Load,
}

impl Form {
    /// Its fields.
    fn fields(self) -> &'static [Field] {
        match self {
            Form::LlamaBench => LLAMA_BENCH,
            Form::BatchedBench => BATCHED_BENCH,
            Form::Load => LOAD,
        }
    }

    /// Fields of our own before the metrics.
    fn own_fields(self) -> &'static [Field] {
        match self {
            Form::LlamaBench | Form::BatchedBench => OWN,
            Form::Load => &[],
        }
    }

    /// Its table's name in SQL.
    pub fn table(self) -> &'static str {
        match self {
            Form::LlamaBench => "llama_bench",
            Form::BatchedBench => "llama_batched_bench",
            Form::Load => "pacemark_load",
        }
    }
}

/// The type of a field in SQL, as llama-bench declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `TEXT`
    Text,
    /// `INTEGER`, `true` or `false` in JSON
    Bool,
    /// `INTEGER`
    Int,
    /// `REAL`
    Float,
}

impl Kind {
    /// Its name in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Text => "TEXT",
            Bool | Int => "INTEGER",
            Float => "REAL",
        }
    }
}

/// A field of the formats for programs.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its value; the second argument is the field's own name.
    pub of: fn(&Row<'_>, &str) -> Cell,
}

/// The parameter of that name.
fn param(row: &Row<'_>, name: &str) -> Cell {
    row.trial.params.get(name).map_or(Cell::Absent, Cell::from)
}

/// Where it was not asked for, as many as compute one token.
fn n_threads_batch(row: &Row<'_>, name: &str) -> Cell {
    param(row, if row.trial.params.contains_key(name) { name } else { "n_threads" })
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

fn elapsed_ns(row: &Row<'_>) -> Vec<f64> {
    row.trial.samples.iter().map(|s| s.elapsed_ns as f64).collect()
}

const fn field(name: &'static str, kind: Kind, of: fn(&Row<'_>, &str) -> Cell) -> Field {
    Field { name, kind, of }
}

use Kind::{Bool, Float, Int, Text};

/// llama-bench's fields.
pub const LLAMA_BENCH: &[Field] = &[
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

/// llama-batched-bench's keys (tools/batched-bench of llama.cpp, 2026-09), then those of
/// llama-bench that say what ran where: its own output does not.
pub const BATCHED_BENCH: &[Field] = &[
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

/// What a load was, and how its figures were made.
pub const LOAD: &[Field] = &[
    field("test_time", Text, |r, _| Cell::Text(rfc3339(r.trial.started_unix_s))),
    field("url", Text, param),
    field("model", Text, param),
    field("endpoint", Text, param),
    field("stream", Bool, param),
    field("concurrency", Int, param),
    field("rate", Float, param),
    field("arrival", Text, param),
    field("ramp", Text, param),
    field("trace", Text, param),
    field("max_in_flight", Int, param),
    field("requests_wanted", Int, param),
    field("duration_s", Float, param),
    field("input_lengths", Text, param),
    field("output_lengths", Text, param),
    field("prompts", Text, param),
    field("prompt_form", Text, param),
    field("prompt_tokens_exact", Bool, param),
    field("prompts_checked", Int, param),
    field("prompts_off", Int, param),
    field("cache", Text, param),
    field("turns", Int, param),
    field("connections", Text, param),
    field("seed", Int, param),
    field("nonce", Int, param),
    field("slo", Text, param),
    field("token_source", Text, |r, _| text(r.trial.token_source().name())),
    field("chunks_are_tokens", Bool, |r, _| Cell::Bool(r.trial.chunks_are_tokens())),
    field("steady_verdict", Text, |r, _| {
        r.trial.steady().map_or(Cell::Absent, |s| text(s.verdict.name()))
    }),
    field("grade", Text, |r, _| r.trial.grade().map_or(Cell::Absent, |grade| text(grade.name))),
    field("failures", Text, |r, _| {
        let kinds: serde_json::Map<_, _> =
            r.trial.failures().into_iter().map(failures_of_kind).collect();
        Cell::Json(serde_json::Value::Object(kinds).to_string())
    }),
    field("unsent", Int, |r, _| Cell::Int(r.trial.unsent_requests.min(i64::MAX as u64) as i64)),
    field("resent", Int, |r, _| {
        Cell::Int(
            r.trial.requests.iter().filter(|request| request.resent_ns.is_some()).count() as i64
        )
    }),
    field("slo_results", Text, |r, _| Cell::Json(slo_results(r.trial).to_string())),
    field("stamps", Text, |r, _| r.trial.client.as_ref().map_or(Cell::Absent, |c| text(&c.stamps))),
    field("ci_method", Text, |_, _| text("binomial order statistics for percentiles")),
    field("throughput_ci_method", Text, |_, _| text(stats::BLOCK_BOOTSTRAP)),
    field("cpu_info", Text, |r, _| text(r.env.cpu_model.as_deref().unwrap_or(""))),
    field("kernel", Text, |r, _| r.env.kernel.as_deref().map_or(Cell::Absent, text)),
    field("steal_share", Float, |r, _| r.trial.steal_share.into()),
    field("build_commit", Text, |r, _| text(&r.env.commit)),
    field("build_number", Int, |r, _| Cell::Int(r.env.build_number as i64)),
];

fn failures_of_kind(
    (kind, (count, example)): (pacemark_record::FailureKind, (u64, &str)),
) -> (String, serde_json::Value) {
    let name = serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned));
    (name.unwrap_or_default(), serde_json::json!({ "count": count, "example": example }))
}

/// Each limit, what was found, and the verdict.
fn slo_results(trial: &Trial) -> serde_json::Value {
    let results = trial.slo().map(|slo| slo.judge(trial)).unwrap_or_default();
    let one = |result: &pacemark_record::LimitResult| {
        serde_json::json!({
            "limit": result.limit.to_string(),
            "found_ms": result.found_ns.filter(|ns| ns.is_finite()).map(|ns| ns / 1e6),
            "share_met": result.share_met,
            "verdict": result.verdict.name(),
        })
    };
    results.iter().map(one).collect()
}

/// Our fields before the metrics, but for those that the tool has as well.
pub const OWN: &[Field] = &[
    field("isa", Text, |r, _| text(&r.trial.model.isa)),
    field("n_threads_batch", Int, n_threads_batch),
    field("numa", Text, param),
    field("engine", Text, |r, _| text(&r.trial.model.engine)),
    field("kernel", Text, |r, _| r.env.kernel.as_deref().map_or(Cell::Absent, text)),
    field("load_average_1m", Float, |r, _| r.env.load_average_1m.into()),
    field("repetitions", Int, |r, _| Cell::Int(r.trial.samples.len() as i64)),
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

/// A column of the formats for programs.
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    source: Source,
}

enum Source {
    Field(&'static Field),
    Metric(&'static Metric),
}

impl Column {
    /// Its value in `row`.
    pub fn of(&self, row: &Row<'_>) -> Cell {
        match self.source {
            Source::Field(field) => (field.of)(row, field.name),
            Source::Metric(metric) => match ((metric.of)(row.trial), self.kind) {
                (Some(value), Int) => Cell::Int(value as i64),
                (value, _) => value.into(),
            },
        }
    }
}

/// The columns of the tool that ours is a drop-in for.
pub fn drop_in_columns(layout: &Layout<'_>) -> impl Iterator<Item = Column> + use<> {
    layout.form.fields().iter().map(from_field)
}

/// Our own columns, which come after them.
pub fn own_columns(layout: &Layout<'_>) -> impl Iterator<Item = Column> + use<> {
    let metrics = layout.metrics.iter().map(|metric| {
        let kind = if matches!(metric.unit, Unit::Count | Unit::Bytes) { Int } else { Float };
        Column { name: metric.name, kind, source: Source::Metric(metric) }
    });
    let theirs = layout.form.fields();
    layout
        .form
        .own_fields()
        .iter()
        .filter(|own| theirs.iter().all(|field| field.name != own.name))
        .map(from_field)
        .chain(metrics)
}

fn from_field(field: &'static Field) -> Column {
    Column { name: field.name, kind: field.kind, source: Source::Field(field) }
}

/// Date and time, UTC, to the second.
fn rfc3339(unix_s: u64) -> String {
    i64::try_from(unix_s)
        .ok()
        .and_then(|s| Timestamp::from_second(s).ok())
        .map_or(String::new(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_benchs_order() {
        let names: Vec<_> = LLAMA_BENCH.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), 42);
        assert_eq!(
            (names[0], names[22], names[31], names[37]),
            ("build_commit", "flash_attn", "repack", "test_time")
        );
        assert_eq!(names[41], "stddev_ts");
    }

    #[test]
    fn time_is_rfc3339() {
        assert_eq!(rfc3339(1_790_290_599), "2026-09-24T22:56:39Z");
    }
}
