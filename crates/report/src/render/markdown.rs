//! llama-bench's table to the character, with our columns to its right: a Markdown table that reads
//! well as it is.

use super::{Closing, Render, Renderer, compared};
use crate::fields::LLAMA_BENCH;
use crate::{Cell, Form, Layout, Row};
use pacemark_record::{BatchTimes, Env, Metric, Unit, stats};

pub(super) const RENDERER: Renderer = Renderer {
    name: "md",
    help: "a Markdown table",
    streams: true,
    tells: true,
    new: || Box::new(Markdown),
};

struct Markdown;

/// A column: heading, width in characters (negative: left-aligned), value.
struct Column {
    title: &'static str,
    width: isize,
    of: Of,
}

enum Of {
    Row(fn(&Row<'_>) -> String),
    Field(&'static str),
    Metric(&'static Metric),
}

/// Headings and widths of the parameters that appear only when they were varied, in llama-bench's
/// order.
const VARIED: &[(&str, &str, isize)] = &[
    ("n_cpu_moe", "n_cpu_moe", 10),
    ("cpu_mask", "cpu_mask", -10),
    ("cpu_strict", "cpu_strict", 10),
    ("poll", "poll", 10),
    ("n_batch", "n_batch", 7),
    ("n_ubatch", "n_ubatch", 8),
    ("type_k", "type_k", 6),
    ("type_v", "type_v", 6),
    ("main_gpu", "main_gpu", 10),
    ("split_mode", "sm", 6),
    ("no_kv_offload", "nkvo", 13),
    ("flash_attn", "fa", 3),
    ("devices", "dev", -12),
    ("tensor_split", "ts", -12),
    ("tensor_buft_overrides", "ot", -21),
    ("load_mode", "lm", 10),
    ("lazy_mode", "lazy_mode", -10),
    ("embeddings", "embd", 10),
    ("no_op_offload", "nopo", 4),
    ("no_host", "noh", 4),
    ("repack", "rpk", 3),
    ("fit_target", "fitt", 10),
    ("fit_min_ctx", "fitc", 11),
];

fn columns(layout: &Layout<'_>) -> Vec<Column> {
    let mut columns = match layout.form {
        Form::LlamaBench => llama_bench(layout),
        Form::BatchedBench => batched_bench(layout),
        Form::Load => load(),
    };
    if layout.varied.contains(&"n_threads_batch") {
        let of = |row: &Row<'_>| row.trial.count("n_threads_batch").to_string();
        columns.push(Column { title: "t batch", width: 7, of: Of::Row(of) });
    }
    if layout.varied.contains(&"numa") {
        let of = |row: &Row<'_>| {
            row.trial.params.get("numa").and_then(|v| v.as_str()).unwrap_or("-").to_owned()
        };
        columns.push(Column { title: "numa", width: -10, of: Of::Row(of) });
    }
    let own = layout.metrics.iter().filter(|metric| metric.in_tables);
    columns.extend(own.map(|metric| Column {
        title: metric.title,
        width: 10,
        of: Of::Metric(metric),
    }));
    columns
}

/// What was sent, before the figures.
fn load() -> Vec<Column> {
    vec![
        Column { title: "model", width: -24, of: Of::Row(|r| param(r, "model")) },
        Column { title: "load", width: -22, of: Of::Row(load_name) },
        Column { title: "in", width: -8, of: Of::Row(|r| param(r, "input_lengths")) },
        Column { title: "out", width: -8, of: Of::Row(|r| param(r, "output_lengths")) },
    ]
}

/// A parameter in words; a dash where there is none.
fn param(row: &Row<'_>, name: &str) -> String {
    row.trial
        .params
        .get(name)
        .map(Cell::from)
        .filter(|c| *c != Cell::Absent)
        .map_or("-".to_owned(), |c| c.plain())
}

/// The load in a few words, e.g. `8 streams` or `20/s poisson`.
pub(super) fn load_name(row: &Row<'_>) -> String {
    let params = &row.trial.params;
    let number = |name: &str| params.get(name).and_then(serde_json::Value::as_f64);
    if params.contains_key("trace") {
        return "trace".to_owned();
    }
    if params.contains_key("ramp") {
        return format!("ramp {} {}", param(row, "ramp"), param(row, "arrival"));
    }
    match (number("concurrency"), number("rate")) {
        (Some(1.0), _) => "1 stream".to_owned(),
        (Some(streams), _) => format!("{streams} streams"),
        (None, Some(rate)) => format!("{rate}/s {}", param(row, "arrival")),
        (None, None) if params.contains_key("rate") => "all at once".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

/// llama-batched-bench's columns, to the character; right of them what ran, which it does not say.
fn batched_bench(layout: &Layout<'_>) -> Vec<Column> {
    let row = |title, width, of| Column { title, width, of: Of::Row(of) };
    let mut columns = vec![
        // Its first cell has no space before it.
        row("PP", 5, |r| r.trial.count("n_prompt").to_string()),
        row("TG", 6, |r| r.trial.count("n_gen").to_string()),
        row("B", 4, |r| r.trial.n_parallel().to_string()),
        row("N_KV", 6, |r| r.trial.tokens_per_repetition().to_string()),
        row("T_PP s", 8, |r| time(r, |t| t.t_pp)),
        row("S_PP t/s", 8, |r| speed(r, |t| t.speed_pp)),
        row("T_TG s", 8, |r| time(r, |t| t.t_tg)),
        row("S_TG t/s", 8, |r| speed(r, |t| t.speed_tg)),
        row("T s", 8, |r| time(r, |t| t.t)),
        row("S t/s", 8, |r| speed(r, |t| t.speed)),
        row("model", -30, |r| r.trial.model.model_type.clone()),
        row("backend", -13, |r| r.trial.model.device.clone()),
        Column { title: "threads", width: 7, of: Of::Field("n_threads") },
    ];
    columns.extend(varied(layout));
    columns
}

fn time(row: &Row<'_>, of: fn(&BatchTimes) -> f64) -> String {
    row.trial.batch_times().map_or(String::new(), |times| format!("{:.3}", of(&times)))
}

fn speed(row: &Row<'_>, of: fn(&BatchTimes) -> f64) -> String {
    row.trial.batch_times().map_or(String::new(), |times| format!("{:.2}", of(&times)))
}

/// The parameters that were varied.
fn varied(layout: &Layout<'_>) -> impl Iterator<Item = Column> {
    let varied = VARIED.iter().filter(|(field, ..)| layout.varied.contains(field));
    varied.map(|&(field, title, width)| Column { title, width, of: Of::Field(field) })
}

fn llama_bench(layout: &Layout<'_>) -> Vec<Column> {
    let row = |title, width, of| Column { title, width, of: Of::Row(of) };
    let mut columns = vec![
        row("model", -30, |r| r.trial.model.model_type.clone()),
        row("size", 10, |r| size(r.trial.model.bytes)),
        row("params", 10, |r| n_params(r.trial.model.n_params)),
        // Wide enough for names that llama-bench does not have, where there are several.
        row("backend", if layout.varied.contains(&"backend") { -13 } else { -10 }, |r| {
            r.trial.model.device.clone()
        }),
        Column { title: "threads", width: 7, of: Of::Field("n_threads") },
    ];
    columns.extend(varied(layout));
    columns.push(row("test", 15, |r| r.trial.test_name()));
    columns.push(row("t/s", 20, rate));
    columns
}

impl Render for Markdown {
    fn begin(&mut self, layout: &Layout<'_>) -> String {
        let columns = columns(layout);
        let titles = columns.iter().map(|c| pad(c.title, c.width));
        if layout.form == Form::BatchedBench {
            // Its rules fill the cells and align nothing.
            let rules: String = columns
                .iter()
                .map(|c| format!("{}|", "-".repeat(c.width.unsigned_abs() + 2)))
                .collect();
            return format!("{}|{rules}\n", line(titles));
        }
        let rules = columns.iter().map(|c| {
            let end = if c.width > 0 { ':' } else { '-' };
            format!("{}{end}", "-".repeat(c.width.unsigned_abs() - 1))
        });
        line(titles) + &line(rules)
    }

    fn row(&mut self, layout: &Layout<'_>, row: &Row<'_>) -> String {
        line(columns(layout).iter().map(|column| {
            let value = match column.of {
                Of::Row(of) => of(row),
                Of::Field(name) => field(row, name),
                Of::Metric(metric) => figure(metric, row),
            };
            pad(&value, column.width)
        }))
    }

    fn end(&mut self, layout: &Layout<'_>, closing: &Closing<'_>) -> String {
        let notes: String = closing.notes.iter().map(|note| format!("\nnote: {note}\n")).collect();
        let Env { commit, build_number, .. } = closing.env;
        format!(
            "{}{notes}\nbuild: {commit} ({build_number})\n",
            compared::table(layout, closing.comparisons)
        )
    }
}

pub(super) fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: String = cells.map(|cell| format!(" {cell} |")).collect();
    format!("|{cells}\n")
}

/// To a width in characters. llama-bench counts bytes and gives the column with its two-byte `±`
/// one more: the same.
pub(super) fn pad(text: &str, width: isize) -> String {
    let columns = width.unsigned_abs();
    if width < 0 { format!("{text:columns$}") } else { format!("{text:>columns$}") }
}

/// A parameter's value as the table shows it.
fn field(row: &Row<'_>, name: &str) -> String {
    LLAMA_BENCH
        .iter()
        .find(|field| field.name == name)
        .map_or(String::new(), |field| (field.of)(row, name).plain())
}

fn rate(row: &Row<'_>) -> String {
    let rates = row.trial.rates_ts();
    format!(
        "{:.2} ± {:.2}",
        stats::mean(&rates).unwrap_or(0.0),
        stats::sample_sd(&rates).unwrap_or(0.0)
    )
}

/// A dash where there is no figure.
pub(super) fn figure(metric: &Metric, row: &Row<'_>) -> String {
    let Some(value) = (metric.of)(row.trial) else { return "-".to_owned() };
    match metric.unit {
        Unit::TokensPerSecond | Unit::RequestsPerSecond | Unit::Milliseconds => {
            format!("{value:.2}")
        }
        Unit::Bytes => size(value as u64),
        Unit::Ratio => format!("{:.1} %", value * 100.0),
        Unit::Count => format!("{value}"),
    }
}

fn size(bytes: u64) -> String {
    let mib = bytes as f64 / 1024.0 / 1024.0;
    if mib < 1024.0 { format!("{mib:.2} MiB") } else { format!("{:.2} GiB", mib / 1024.0) }
}

fn n_params(n: u64) -> String {
    if n < 1_000_000_000 {
        format!("{:.2} M", n as f64 / 1e6)
    } else {
        format!("{:.2} B", n as f64 / 1e9)
    }
}
