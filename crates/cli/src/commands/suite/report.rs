//! The reports of a suite in its folder: for each model JSON as the guide has it, and one CSV with a
//! line for each; and the table that is shown at the end.

use super::figures::{Row, Value, rows};
use super::file::Suite;
use super::models::Model;
use super::state::State;
use anyhow::{Context, Result};
use pacemark_record::Env;
use pacemark_report::layout::rfc3339;
use pacemark_report::{Cell, Column, Document, Kind, Rank, Table};
use serde_json::{Map, Value as Json, json};
use std::path::{Path, PathBuf};

/// What figures of parts are called in reports.
const GB: f64 = (1u64 << 30) as f64;

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
        for (name, report) in &reports {
            let file = match reports.len() {
                1 => "report.json".to_owned(),
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
    let rows = rows(state, model, folder);
    let mut report = Map::new();
    report.insert("model_name".into(), model.name.as_str().into());
    report.insert("timestamp".into(), rfc3339(state.env.started_unix_s).into());
    if suite.report.include_system_info {
        report.insert("system_info".into(), system_info(&state.env));
    }
    report.insert("latency".into(), latency(&rows));
    report.insert("memory".into(), memory(suite, &rows));
    report.insert("throughput".into(), throughput(&rows));
    let others = rows.iter().filter(|row| !PARTS.contains(&row.step.part.as_str()));
    report.insert("experiments".into(), others.map(other).collect());
    let missing = rows.iter().filter_map(|row| {
        let why = row.missing.as_ref()?;
        Some((format!("{} {}", row.step.part, row.step.what), Json::from(why.as_str())))
    });
    report.insert("not_measured".into(), Json::Object(missing.collect()));
    report.insert("notes".into(), model.note.iter().cloned().collect::<Vec<_>>().into());
    let settings = serde_json::to_value(&state.settings).unwrap_or(Json::Null);
    report.insert("settings".into(), settings);
    Json::Object(report)
}

/// Parts that have names of their own in a report.
const PARTS: [&str; 3] = ["latency", "memory", "throughput"];

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
    let mut of: Vec<&Row<'_>> = rows.iter().filter(|row| row.step.part == "latency").collect();
    let is_pair = |row: &&Row<'_>| row.step.what.starts_with(|c: char| c.is_ascii_digit());
    let names = ["ttft_ms", "tokens_per_second", "e2e_latency_ms"];
    let mut latency = nulls(&names);
    if let Some(first) = of.iter().find(|row| is_pair(row)) {
        latency.extend(object(&first.values));
    }
    let each = |row: &&Row<'_>| {
        let mut object = object(&row.values);
        object.insert("of".to_owned(), row.step.what.as_str().into());
        Json::Object(object)
    };
    of.retain(|row| !row.values.is_empty());
    latency.insert("each".to_owned(), of.iter().map(each).collect());
    Json::Object(latency)
}

fn memory(suite: &Suite, rows: &[Row<'_>]) -> Json {
    let names = ["model_load_gb", "inference_delta_gb", "peak_gb"];
    let mut memory = nulls(&names);
    let found = rows.iter().find(|row| row.step.part == "memory");
    memory.extend(found.map(|row| object(&row.values)).unwrap_or_default());
    let wants = |peak: bool, kv: bool| {
        move |name: &String| {
            (peak || !name.starts_with("peak")) && (kv || !name.starts_with("kv_cache"))
        }
    };
    if let Some(asked) = &suite.memory {
        let wanted = wants(asked.measure_peak, asked.measure_kv_cache);
        memory.retain(|name, _| wanted(name));
    }
    Json::Object(memory)
}

fn throughput(rows: &[Row<'_>]) -> Json {
    let mut throughput = Map::new();
    throughput.insert("single_request_tps".to_owned(), Json::Null);
    for row in rows.iter().filter(|row| row.step.part == "throughput") {
        let of =
            |name: &str| row.values.iter().find(|value| value.name == name).and_then(|v| v.value);
        let mut put = |name: String, figure: &str| throughput.insert(name, of(figure).into());
        let words: Vec<&str> = row.step.what.split(' ').collect();
        match words[..] {
            ["single"] => {
                put("single_request_tps".to_owned(), "total_tokens_per_second");
                put("single_request_rps".to_owned(), "requests_per_second");
            }
            [n, "concurrent"] => {
                put(format!("concurrent_{n}_rps"), "requests_per_second");
                put(format!("concurrent_{n}_tps"), "total_tokens_per_second");
                put(format!("concurrent_{n}_avg_latency_ms"), "avg_latency_ms");
                put(format!("concurrent_{n}_p99_latency_ms"), "p99_latency_ms");
            }
            ["batch", "of", n] => {
                put(format!("batch_{n}_tps"), "total_tokens_per_second");
            }
            _ => {}
        }
    }
    Json::Object(throughput)
}

fn other(row: &Row<'_>) -> Json {
    let mut values = object(&row.values);
    values.insert("experiment".to_owned(), row.step.part.as_str().into());
    values.insert("of".to_owned(), row.step.what.as_str().into());
    Json::Object(values)
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
        Column::new("of", Kind::Text, "of", -18).ranked(Rank::Key),
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
    let head = || vec![text(&row.step.model), text(&row.step.part), text(&row.step.what)];
    if row.values.is_empty() {
        let file = format!("it has no single figures: pacemark show steps/{}.json", row.step.id);
        let why = row.missing.as_deref().unwrap_or(&file);
        let absent = [text("-"), text("-"), Cell::Absent, Cell::Absent, Cell::Absent, text(why)];
        return vec![head().into_iter().chain(absent).collect()];
    }
    let line = |value: &Value| {
        let ends = value.interval.map(|i| (i.low, i.high)).unzip();
        let cells = [
            text(&value.name),
            Cell::Text(shown(value)),
            value.value.into(),
            ends.0.into(),
            ends.1.into(),
            Cell::Absent,
        ];
        head().into_iter().chain(cells).collect()
    };
    row.values.iter().map(line).collect()
}
