//! A suite that was asked for over HTTP: a body of few words as the suite that it means, run in a process
//! of its own, how far that is, and what came of it in any format.

use super::file::{self, Suite};
use super::settings::Setting;
use super::state::State;
use super::{Args, models_of, plan, report, tree_of};
use crate::commands::report::pages;
use crate::hub::{self, Here};
use crate::{fresh, output};
use anyhow::{Context, Result, bail};
use pacemark_lab::{Progress, Refusal, Results, Wanted};
use pacemark_modelfile::catalog::CATALOG;
use pacemark_modelfile::synth::{self, PREFIX, SHAPES};
use pacemark_report::{PAGES, Page, RENDERERS, render};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The suite's file, in the job's folder.
const FILE: &str = "suite.yaml";
/// Where in the job's folder its results are.
const OUT: &str = "out";
/// The report that the suite itself writes, as a format.
const OWN: &str = "report";

/// What settings of a job may be at most: it holds the server, and its rows are kept in memory.
const MOST: [(&str, f64); 10] = [
    ("latency.warmup_runs", 1000.0),
    ("latency.test_runs", 1000.0),
    ("latency.input_lengths", 1_048_576.0),
    ("latency.output_lengths", 1_048_576.0),
    ("memory.test_runs", 1000.0),
    ("throughput.concurrent_requests", 1024.0),
    ("throughput.tokens_per_request", 1_048_576.0),
    ("throughput.input_tokens", 1_048_576.0),
    ("throughput.duration_seconds", 86_400.0),
    ("throughput.batch_sizes", 1024.0),
];
/// Rows of a job at most.
const MOST_ROWS: usize = 1000;

/// Whether a key is one of what is measured: a section and a name in it, and nothing that a command line
/// would read otherwise.
fn is_of(wanted: &Wanted, key: &str) -> bool {
    let sections = wanted.test_types.iter().map(|test| test.name());
    let name = sections.filter_map(|section| key.strip_prefix(section)?.strip_prefix('.')).next();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.is_some_and(|name| !name.is_empty() && name.chars().all(fits))
}

/// The settings of a body that are of what it measures, as `--set` takes them, and what is wrong with
/// the others.
fn sets(wanted: &Wanted) -> (Vec<String>, Vec<String>) {
    let (own, others): (Vec<_>, Vec<_>) =
        wanted.settings.iter().partition(|(key, _)| is_of(wanted, key));
    let names: Vec<&str> = wanted.test_types.iter().map(|test| test.name()).collect();
    let told = |(key, _): (&String, _)| {
        let (key, first, names) = (pacemark_files::excerpt(key), names[0], names.join(", "));
        format!("{key}: expected settings of what is measured ({names}), e.g. {first}.test_runs")
    };
    let set = |(key, value): (&String, &Value)| format!("{key}={value}");
    (own.into_iter().map(set).collect(), others.into_iter().map(told).collect())
}

/// The suite's file: YAML, of which JSON is a part.
fn text(wanted: &Wanted, source: &str) -> String {
    let parts = wanted.test_types.iter().map(|test| (test.name().to_owned(), json!({})));
    let entry = json!({ "source": source });
    let models = Map::from_iter([(wanted.model_name.clone(), entry)]);
    json!({ "models": models, "benchmark": Map::from_iter(parts) }).to_string()
}

/// Whether there is something to measure.
///
/// # Errors
/// Where the model is none, a setting means nothing or asks for more than a job may, or nothing is left
/// to measure.
pub(crate) fn check(wanted: &Wanted, source: &str) -> Result<(), Refusal> {
    let told = |error: anyhow::Error| Refusal::Settings(format!("{error:#}"));
    let suite = suite(wanted, source).map_err(told)?;
    let models = models_of(&suite).map_err(|error| Refusal::Model(format!("{error:#}")))?;
    let steps = plan::steps(&suite, &models).map_err(told)?;
    let why = match steps.len() {
        n if n > MOST_ROWS => format!("expected {MOST_ROWS} rows at most, found {n}"),
        _ if steps.iter().all(|step| step.skipped.is_some()) => {
            "there is nothing to measure: every list is empty, or too long for the model".to_owned()
        }
        _ => return Ok(()),
    };
    Err(Refusal::Settings(why))
}

/// The suite that a body means, with all that is wrong with its settings in one line.
fn suite(wanted: &Wanted, source: &str) -> Result<Suite> {
    let (set, mut wrong) = sets(wanted);
    let (args, name) = (Args { set, ..Args::plain() }, "the job");
    let (tree, settings, parts) = tree_of(&args, name, &text(wanted, source))?;
    let suite = file::read(name, &tree, &settings, &parts);
    if let Err(error) = &suite {
        let key = |path: &str| path.strip_prefix("benchmark.").unwrap_or(path).to_owned();
        wrong.extend(error.mistakes.iter().map(|m| format!("{}: {}", key(&m.path), m.what)));
    }
    // Of a value that could not be read the default stands there, which is none too many.
    wrong.extend(settings.all().iter().filter_map(excess));
    match suite {
        Ok(suite) if wrong.is_empty() => Ok(suite),
        _ => bail!("{}", wrong.join("; ")),
    }
}

/// What is more than a job may ask for.
fn excess(setting: &Setting) -> Option<String> {
    let key = setting.key.strip_prefix("benchmark.")?;
    let (_, most) = MOST.iter().find(|(of, _)| *of == key)?;
    let of_list = setting.value.as_array().into_iter().flatten();
    let numbers = of_list.chain([&setting.value]).filter_map(Value::as_f64);
    let found = numbers.fold(0.0, f64::max);
    (found > *most).then(|| format!("{key}: expected {most} at most, found {found}"))
}

/// What a name stands for, if it is of the catalog and here, or a known shape; `None` for all else, paths
/// above all.
pub(crate) fn source(name: &str) -> Option<String> {
    let is_shape = |text: &str| SHAPES.iter().any(|shape| shape.0 == synth::split(text).0);
    if is_here(name) {
        return Some(name.to_owned());
    }
    // Without its prefix it could be a file of that name where the server was started.
    let shape = name.strip_prefix(PREFIX).unwrap_or(name);
    let is_plain = !shape.contains(['/', '\\', '{', '=']);
    (is_plain && is_shape(shape)).then(|| format!("{PREFIX}{shape}"))
}

/// Whether a name is of the catalog, and its file or its shape is here.
pub(crate) fn is_here(name: &str) -> bool {
    let is_known = CATALOG.iter().any(|model| model.name == name);
    is_known && matches!(hub::here(name), Ok(Here::Path(_) | Here::Shape(_)))
}

/// Measures it; returns at its end, or after `stop`.
///
/// # Errors
/// Why it did not come to its end.
pub(crate) fn run(wanted: &Wanted, source: &str, folder: &Path, stop: &AtomicBool) -> Result<()> {
    let file = folder.join(FILE);
    let written = pacemark_files::write(&file, text(wanted, source).as_bytes());
    written.with_context(|| file.display().to_string())?;
    let mut command = fresh::itself()?;
    command.arg("suite").arg(&file).arg("--output-dir").arg(folder.join(OUT));
    for set in sets(wanted).0 {
        command.arg("--set").arg(set);
    }
    let ended = fresh::run_gently(&mut command, stop)?;
    if ended.status.success() {
        return Ok(());
    }
    // What else it says is where its results are, which nobody asked for.
    let errors: Vec<&str> =
        ended.err.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    match errors.is_empty() {
        true => ended.check(),
        false => bail!("{}", pacemark_files::bounded(&errors.join("; "))),
    }
}

/// The suite's own folder, once there is one.
fn results_of(folder: &Path) -> Option<PathBuf> {
    let found = std::fs::read_dir(folder.join(OUT)).ok()?;
    found.filter_map(|entry| Some(entry.ok()?.path())).find(|path| path.is_dir())
}

/// How far a job is; `None` before its suite has begun.
pub(crate) fn progress(folder: &Path) -> Option<Progress> {
    let state = State::load(&results_of(folder)?).ok()?;
    let of = state.steps.iter().filter(|step| step.skipped.is_none()).count();
    let next = state.pending().next().map(|step| format!("{} {}", step.part, step.what));
    Some(Progress { done: state.done.len(), of, step: next })
}

/// Names of the formats of results.
pub(crate) fn formats() -> Vec<&'static str> {
    let tables = RENDERERS.iter().map(|one| one.name);
    tables.chain(PAGES.iter().map(|one| one.name)).chain([OWN]).collect()
}

/// What was measured until now.
///
/// # Errors
/// Where nothing was, or it cannot be shown so.
pub(crate) fn results(folder: &Path, format: &str) -> Result<Results> {
    let nothing = "nothing was measured yet";
    let own = results_of(folder).context(nothing)?;
    let state = State::load(&own)?;
    if state.done.iter().all(|done| done.error.is_some()) {
        bail!("{nothing}");
    }
    let content_type = content_type(format);
    if format == OWN {
        let path = own.join("report.json");
        let bytes = std::fs::read(&path).context("the report is written at the end")?;
        return Ok(Results { content_type, bytes });
    }
    if PAGES.iter().any(|one| one.name == format) {
        return Ok(Results { content_type, bytes: pages(&own, format)? });
    }
    let renderer = output::renderer(format).context("a format that there is")?;
    let document = report::document(&state, &own);
    let bytes = render(&document, renderer, &Page::default()).into_bytes();
    Ok(Results { content_type, bytes })
}

fn content_type(format: &str) -> &'static str {
    match format {
        "json" | OWN => "application/json",
        "jsonl" => "application/x-ndjson",
        "csv" => "text/csv; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_lab::TestType;

    fn wanted(settings: Value) -> Wanted {
        Wanted {
            model_name: "tiny".into(),
            test_types: vec![TestType::Latency],
            settings: settings.as_object().cloned().unwrap_or_default(),
            name: None,
        }
    }

    #[test]
    fn settings_are_of_what_is_measured_and_mean_something() {
        let check = |settings| {
            check(&wanted(settings), "synth:tinyllama-1.1b:Q8_0").map_err(|e| e.to_string())
        };
        assert_eq!(check(json!({})), Ok(()));
        assert_eq!(check(json!({"latency.test_runs": 3, "latency.input_lengths": [8]})), Ok(()));
        for (settings, why) in [
            (json!({"report.output_dir": "/tmp"}), "expected settings of"),
            (json!({"experiments": []}), "expected settings of"),
            (json!({"latency.test_rums": 3}), "test_rums"),
            (json!({"latency.test_runs": "many"}), "test_runs"),
            (json!({"latency.input_lengths": []}), "nothing to measure"),
            (json!({"memory.test_runs": 1}), "expected settings of what is measured (latency)"),
            (json!({"latency.test_runs=3 #": 4}), "expected settings of"),
            (json!({"latency.": 4}), "expected settings of"),
            (json!({"latency.foo": 1, "latency.test_runs": 1001, "x": 2}), "foo: unknown key"),
            (json!({"latency.foo": 1, "latency.test_runs": 1001, "x": 2}), "expected 1000 at most"),
            (json!({"latency.foo": 1, "latency.test_runs": 1001, "x": 2}), "x: expected settings"),
            (
                json!({"latency.test_runs": 0, "latency.warmup_runs": -1}),
                "latency.warmup_runs: expected a whole number",
            ),
            (json!({"latency.test_runs": 99_999_999_999_u64}), "test_runs: expected 1000 at most"),
            (
                json!({"latency.input_lengths": (1..300).collect::<Vec<_>>(),
                    "latency.output_lengths": [1, 2, 3, 4]}),
                "1000 rows at most, found 1196",
            ),
        ] {
            let found = check(settings).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }

    #[test]
    fn names_are_no_paths() {
        for name in ["/etc/passwd", "../x.gguf", "a/b", "synth:{\"n_embd\": 1}", "no-such-model"] {
            assert_eq!(source(name), None, "{name}");
        }
        // A file of that name would be taken for the model by whoever is told the name alone.
        for name in ["synth:tinyllama-1.1b", "tinyllama-1.1b"] {
            assert_eq!(source(name).as_deref(), Some("synth:tinyllama-1.1b"));
        }
        assert_eq!(source("gpt2:Q8_0").as_deref(), Some("synth:gpt2:Q8_0"));
    }
}
