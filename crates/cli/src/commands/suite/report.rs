//! The reports of a suite in its folder: for each model JSON as the guide has it, and one CSV with a
//! line for each; and the table that is shown at the end.

use super::figures::{Found, GB, Row, Value, rows};
use super::file::Suite;
use super::models::Model;
use super::plan::Kind as StepKind;
use super::state::State;
use anyhow::{Context, Result};
use pacemark_bench::targets::Outcome;
use pacemark_record::Env;
use pacemark_report::layout::rfc3339;
use pacemark_report::{Cell, Column, Document, Kind, Rank, Table};
use serde_json::{Map, Value as Json, json};
use std::path::{Path, PathBuf};

/// Writes the reports of every model; the files.
pub(super) fn write(suite: &Suite, state: &State, folder: &Path) -> Result<Vec<PathBuf>> {
    let reports: Vec<(String, Json)> = state
        .models
        .iter()
        .map(|model| (model.name.clone(), report(suite, state, model, folder)))
        .collect();
    let mut written = Vec::new();
    for format in &suite.report.formats {
        if format == "csv" {
            written.push(put(folder.join("report.csv"), csv(&reports).as_bytes())?);
            continue;
        }
        for (i, (name, report)) in reports.iter().enumerate() {
            let taken = reports[..i].iter().any(|(other, _)| plain(other) == plain(name));
            let file = match reports.len() {
                1 => "report.json".to_owned(),
                // Names may differ in what no file's name has.
                _ if taken => format!("report-{}-{}.json", plain(name), i + 1),
                _ => format!("report-{}.json", plain(name)),
            };
            let text = serde_json::to_vec_pretty(report)?;
            written.push(put(folder.join(file), &[&text[..], b"\n"].concat())?);
        }
    }
    Ok(written)
}

fn put(path: PathBuf, bytes: &[u8]) -> Result<PathBuf> {
    pacemark_files::write(&path, bytes).with_context(|| path.display().to_string())?;
    Ok(path)
}

fn plain(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .collect()
}

/// One model's report, by the guide's names; what was not measured is null.
fn report(suite: &Suite, state: &State, model: &Model, folder: &Path) -> Json {
    let none = Model::none();
    let rows = [rows(state, model, folder), rows(state, &none, folder)].concat();
    let mut report = Map::new();
    report.insert("model_name".into(), model.name.as_str().into());
    report.insert("timestamp".into(), rfc3339(state.env.started_unix_s).into());
    if suite.report.include_system_info {
        report.insert("system_info".into(), system_info(&state.env));
    }
    report.insert("latency".into(), latency(&rows));
    report.insert("memory".into(), memory(suite, &rows));
    report.insert("throughput".into(), throughput(&rows));
    let others = rows.iter().filter(|row| row.step.kind == StepKind::Experiment);
    report.insert("experiments".into(), others.flat_map(other).collect());
    let missing = rows.iter().filter_map(|row| {
        let why = row.missing.as_ref()?;
        Some((row.step.id.clone(), Json::from(why.as_str())))
    });
    report.insert("not_measured".into(), Json::Object(missing.collect()));
    report.insert("notes".into(), model.note.iter().cloned().collect::<Vec<_>>().into());
    let settings = serde_json::to_value(&state.settings).unwrap_or(Json::Null);
    report.insert("settings".into(), settings);
    Json::Object(report)
}

fn system_info(env: &Env) -> Json {
    json!({
        "gpu": null,
        "gpu_memory_gb": null,
        "cpu": env.cpu_model,
        "ram_gb": env.memory_bytes.map(|bytes| bytes as f64 / GB),
        "python_version": null,
        "torch_version": null,
        "pacemark_version": env.version,
        "pacemark_commit": env.commit,
        "kernel": env.kernel,
        "logical_cpus": env.logical_cpus,
    })
}

/// Values by name, an interval after the value it is of.
fn object(values: &[Value]) -> Map<String, Json> {
    let mut object = Map::new();
    for value in values {
        object.insert(value.name.clone(), value.value.into());
        if let Some(interval) = value.interval {
            let ends = json!([interval.low, interval.high]);
            object.insert(format!("{}_ci95", value.name), ends);
        }
    }
    object
}

/// Figures that a report has, whether or not they were measured.
fn nulls(names: &[&str]) -> Map<String, Json> {
    names.iter().map(|name| ((*name).to_owned(), Json::Null)).collect()
}

/// The figures of the first pair of lengths, and those of all.
fn latency(rows: &[Row<'_>]) -> Json {
    let of = |kinds: &'static [StepKind]| rows.iter().filter(|row| kinds.contains(&row.step.kind));
    let mut latency = nulls(&["ttft_ms", "tokens_per_second", "e2e_latency_ms"]);
    let first = of(&[StepKind::Lengths]).find_map(|row| row.found.first());
    latency.extend(first.map(|found| object(&found.values)).unwrap_or_default());
    let each = of(&[StepKind::Lengths, StepKind::Prompts]).flat_map(named);
    latency.insert("each".to_owned(), each.map(Json::Object).collect());
    Json::Object(latency)
}

/// The figures of each trial of a row, under what it is of.
fn named(row: &Row<'_>) -> Vec<Map<String, Json>> {
    let one = |found: &Found| {
        let mut object = object(&found.values);
        let of = [row.step.what.as_str(), found.name.as_str()].join(" ");
        object.insert("of".to_owned(), of.trim().into());
        object
    };
    row.found.iter().map(one).collect()
}

fn memory(suite: &Suite, rows: &[Row<'_>]) -> Json {
    let mut memory = nulls(&["model_load_gb", "inference_delta_gb", "peak_gb"]);
    let row = rows.iter().find(|row| row.step.kind == StepKind::Memory);
    let found = row.and_then(|row| row.found.first());
    memory.extend(found.map(|found| object(&found.values)).unwrap_or_default());
    if let Some(asked) = &suite.memory {
        memory.retain(|name, _| {
            (asked.measure_peak || !name.starts_with("peak"))
                && (asked.measure_kv_cache || !name.starts_with("kv_cache"))
        });
    }
    Json::Object(memory)
}

fn throughput(rows: &[Row<'_>]) -> Json {
    let mut throughput = nulls(&["single_request_tps"]);
    for row in rows {
        let values = row.found.first().map_or(&[][..], |found| &found.values);
        let of = |name: &str| values.iter().find(|v| v.name == name).and_then(|v| v.value);
        let mut put = |name: String, figure: &str| throughput.insert(name, of(figure).into());
        match row.step.kind {
            StepKind::Concurrent(1) => {
                put("single_request_tps".to_owned(), "total_tokens_per_second");
                put("single_request_rps".to_owned(), "requests_per_second");
            }
            StepKind::Concurrent(n) => {
                put(format!("concurrent_{n}_rps"), "requests_per_second");
                put(format!("concurrent_{n}_tps"), "total_tokens_per_second");
                put(format!("concurrent_{n}_avg_latency_ms"), "avg_latency_ms");
                put(format!("concurrent_{n}_p99_latency_ms"), "p99_latency_ms");
            }
            StepKind::Batch(n) => {
                put(format!("batch_{n}_tps"), "total_tokens_per_second");
            }
            StepKind::Lengths | StepKind::Prompts | StepKind::Memory | StepKind::Experiment => {}
        }
    }
    Json::Object(throughput)
}

fn other(row: &Row<'_>) -> Vec<Json> {
    let with_name = |mut values: Map<String, Json>| {
        values.insert("experiment".to_owned(), row.step.part.as_str().into());
        Json::Object(values)
    };
    named(row).into_iter().map(with_name).collect()
}

/// A line for each model under the names of all; lists are left to JSON.
fn csv(reports: &[(String, Json)]) -> String {
    let lines: Vec<Vec<(String, String)>> =
        reports.iter().map(|(_, report)| flat("", report)).collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in lines.iter().flatten() {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let quote = |text: &str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    let value = |line: &[(String, String)], name: &str| {
        let found = line.iter().find(|(known, _)| known == name);
        found.map_or(String::new(), |(_, value)| quote(value))
    };
    let mut text = names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(",") + "\n";
    for line in &lines {
        let values: Vec<String> = names.iter().map(|name| value(line, name)).collect();
        text += &(values.join(",") + "\n");
    }
    text
}

fn flat(path: &str, value: &Json) -> Vec<(String, String)> {
    let under =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Json::Object(fields) => fields
            .iter()
            .filter(|(name, _)| *name != "settings")
            .flat_map(|(name, value)| flat(&under(name), value))
            .collect(),
        Json::Array(_) => Vec::new(),
        Json::Null => vec![(path.to_owned(), String::new())],
        Json::String(text) => vec![(path.to_owned(), text.clone())],
        other => vec![(path.to_owned(), other.to_string())],
    }
}

/// All figures, a row each.
pub(super) fn document(state: &State, folder: &Path) -> Document {
    let columns = vec![
        Column::new("model", Kind::Text, "model", -22).ranked(Rank::Key),
        Column::new("part", Kind::Text, "part", -11).ranked(Rank::Key),
        Column::new("of", Kind::Text, "of", -24).ranked(Rank::Key),
        Column::new("figure", Kind::Text, "figure", -24).ranked(Rank::Key),
        Column::for_people("value (95 %)", -26).ranked(Rank::Main),
        Column::for_programs("value", Kind::Float),
        Column::for_programs("ci95_low", Kind::Float),
        Column::for_programs("ci95_high", Kind::Float),
        Column::for_programs("not_measured", Kind::Text),
    ];
    let mut table = Table { name: "suite".into(), columns, ..Table::default() };
    let mut notes = Vec::new();
    let none = [Model::none()];
    for model in state.models.iter().chain(&none) {
        notes.extend(model.note.clone());
        for row in rows(state, model, folder) {
            if let Some(why) = &row.missing {
                notes.push(format!(
                    "not measured: {} {} {}: {why}",
                    row.step.model, row.step.part, row.step.what
                ));
            }
            table.rows.extend(lines(&row).into_iter().map(Into::into));
        }
    }
    let build = Some((state.env.commit.clone(), state.env.build_number));
    Document { tables: vec![table], notes, build, ..Document::default() }
}

/// What targets came to, below the figures; what was not met is said first.
pub(super) fn add_targets(document: &mut Document, outcome: &Outcome) {
    let found = pacemark_bench::targets::document(outcome);
    let failures = found.facts.into_iter().filter(|fact| fact.told.is_some());
    document.facts.extend(failures);
    document.tables.extend(found.tables);
    document.notes.extend(found.notes);
}

/// A value with its interval, in digits that say something.
fn shown(value: &Value) -> String {
    let digits = |x: f64| {
        let n = match x.abs() {
            x if x >= 1000.0 || x == 0.0 => 0,
            x if x >= 100.0 => 1,
            x if x >= 10.0 => 2,
            x if x >= 1.0 => 3,
            _ => 4,
        };
        format!("{x:.n$}")
    };
    let found = value.value.map_or("-".to_owned(), digits);
    match value.interval {
        Some(i) => format!("{found} ({} to {})", digits(i.low), digits(i.high)),
        None => found,
    }
}

fn lines(row: &Row<'_>) -> Vec<Vec<Cell>> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let head = |of: &str| {
        let of = [row.step.what.as_str(), of].join(" ");
        vec![text(&row.step.model), text(&row.step.part), text(of.trim())]
    };
    if row.found.is_empty() {
        let file = format!("it has no single figures: pacemark show steps/{}.json", row.step.id);
        let why = row.missing.as_deref().unwrap_or(&file);
        let absent = [text("-"), text("-"), Cell::Absent, Cell::Absent, Cell::Absent, text(why)];
        return vec![head("").into_iter().chain(absent).collect()];
    }
    let line = |of: &str, value: &Value| {
        let ends = value.interval.map(|i| (i.low, i.high)).unzip();
        let cells = [
            text(&value.name),
            Cell::Text(shown(value)),
            value.value.into(),
            ends.0.into(),
            ends.1.into(),
            Cell::Absent,
        ];
        head(of).into_iter().chain(cells).collect()
    };
    let of = |found: &Found| -> Vec<Vec<Cell>> {
        let values = found.values.iter().filter(|value| value.is_shown);
        values.map(|value| line(&found.name, value)).collect()
    };
    row.found.iter().flat_map(of).collect()
}
