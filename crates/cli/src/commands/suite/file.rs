//! What a suite's file says: the shape of seeds like `config/benchmark.yaml`, read with all its
//! mistakes at once. What follows from it is `plan`'s.

use super::models::{ModelEntry, Quantization};
use super::settings::{Section, Settings};
use pacemark_yaml::{Item, Node, Table, Value, YamlError};
use serde_json::json;
use std::time::Duration;

/// The file that `--init` writes, whose values are the defaults.
pub(super) const INIT: &str = include_str!("init.yaml");

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Suite {
    pub models: Vec<ModelEntry>,
    pub backends: Vec<String>,
    /// `None` where the file has others and not this one.
    pub latency: Option<Latency>,
    pub memory: Option<MemoryUse>,
    pub throughput: Option<Throughput>,
    pub experiments: Vec<Asked>,
    pub report: Report,
    /// Texts by the name of their set.
    pub prompts: Vec<(String, Vec<String>)>,
    /// There are targets.
    pub has_targets: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Latency {
    pub warmup_runs: u64,
    pub test_runs: u64,
    pub input_lengths: Vec<u64>,
    pub output_lengths: Vec<u64>,
    pub prompts: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MemoryUse {
    pub test_runs: u64,
    pub measure_peak: bool,
    pub measure_kv_cache: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Throughput {
    pub concurrent_requests: Vec<u64>,
    pub tokens_per_request: u64,
    pub input_tokens: u64,
    pub duration: Duration,
    pub batch_sizes: Vec<u64>,
}

/// An experiment by its name, with flags of its command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub experiment: String,
    pub flags: Vec<(String, Vec<String>)>,
    /// Flags of which each value is a step of its own.
    pub sweep: Vec<(String, Vec<String>)>,
    /// Its line in the file.
    pub line: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Report {
    pub output_dir: String,
    pub formats: Vec<String>,
    pub include_system_info: bool,
}

/// Sets of prompts by the name of their length.
pub(super) const PROMPT_SETS: [&str; 3] = ["short", "medium", "long"];

/// What is measured.
pub(super) const PARTS: [&str; 4] = ["latency", "memory", "throughput", "experiments"];

/// The parts that a file names. One that names some means those; one that names none means all.
pub(super) fn parts(tree: &Node) -> Vec<&'static str> {
    let entries = |node: &Node| match &node.value {
        Value::Map(entries) => entries.clone(),
        _ => Vec::new(),
    };
    let benchmark = entries(tree).into_iter().find(|entry| entry.key == "benchmark");
    let named = benchmark.map_or_else(Vec::new, |entry| entries(&entry.node));
    let is_there = |part: &&'static str| {
        let found = named.iter().find(|entry| entry.key == **part);
        found.is_some_and(|entry| !is_empty(&entry.node))
    };
    PARTS.iter().copied().filter(is_there).collect()
}

/// Reads it; the defaults are those of [`INIT`]. `parts` are those that the file named, before
/// anything was put into its tree.
pub(super) fn read(
    file: &str,
    tree: &Node,
    settings: &Settings,
    parts: &[&str],
) -> Result<Suite, YamlError> {
    pacemark_yaml::read_tree(file, tree, |top| {
        let models = top.optional("models").map_or_else(Vec::new, |item| models(&item, settings));
        let known = ["native", "llama-cpp"];
        let outer = Section::new(top.item().table(), "", settings);
        // They are read below, by the other table of the same keys.
        for key in ["backends", "benchmark"] {
            let _ = top.optional(key);
        }
        let backends = outer.choices("backends", &["native"], &known);
        let benchmark = outer.section("benchmark");
        let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
        if backends.is_empty()
            && let Some(item) = top.optional("backends")
        {
            item.wrong("expected at least one backend, found none");
        }
        let suite = Suite {
            models,
            backends,
            latency: wanted("latency").then(|| latency(&benchmark.section("latency"))),
            memory: wanted("memory").then(|| memory(&benchmark.section("memory"))),
            throughput: wanted("throughput").then(|| throughput(&benchmark.section("throughput"))),
            experiments: benchmark.item("experiments").map_or_else(Vec::new, |i| experiments(&i)),
            report: report(&benchmark.section("report")),
            prompts: top.optional("test_prompts").map_or_else(Vec::new, |item| prompts(&item)),
            has_targets: top.optional("targets").is_some(),
        };
        // A suite goes on only with the same of them.
        for key in ["targets", "test_prompts"] {
            if let Some(item) = top.optional(key) {
                settings.note(key, super::settings::json_of(item.node()), true);
            }
        }
        benchmark.finish();
        top.finish();
        suite
    })
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Value::List(list) if list.is_empty())
}

fn latency(section: &Section<'_>) -> Latency {
    let found = Latency {
        warmup_runs: section.count("warmup_runs", 3),
        test_runs: section.positive("test_runs", 10),
        input_lengths: section.positives("input_lengths", &[128, 512]),
        output_lengths: section.positives("output_lengths", &[64, 128]),
        prompts: section.choices("prompts", &[], &PROMPT_SETS),
    };
    section.finish();
    found
}

fn memory(section: &Section<'_>) -> MemoryUse {
    let found = MemoryUse {
        test_runs: section.positive("test_runs", 5),
        measure_peak: section.flag("measure_peak", true),
        measure_kv_cache: section.flag("measure_kv_cache", true),
    };
    if !section.flag("gc_before_measure", true)
        && let Some(item) = section.item("gc_before_measure")
    {
        item.wrong(
            "expected true: every measurement is in a fresh process, which has collected all there is",
        );
    }
    section.finish();
    found
}

fn throughput(section: &Section<'_>) -> Throughput {
    let found = Throughput {
        concurrent_requests: section.positives("concurrent_requests", &[1, 2, 4]),
        tokens_per_request: section.positive("tokens_per_request", 100),
        input_tokens: section.positive("input_tokens", 128),
        duration: section.seconds("duration_seconds", 10),
        batch_sizes: section.positives("batch_sizes", &[1, 4, 8]),
    };
    section.finish();
    found
}

fn report(section: &Section<'_>) -> Report {
    let found = Report {
        output_dir: section.text("output_dir", "data/benchmarks"),
        formats: section.choices("format", &["json"], &["json", "csv"]),
        include_system_info: section.flag("include_system_info", true),
    };
    section.finish();
    found
}

/// Names with what each stands for, or a list of names that stand for themselves.
fn models(item: &Item<'_>, settings: &Settings) -> Vec<ModelEntry> {
    let mut entries = Vec::new();
    if let Value::Map(_) = item.node().value {
        let table = item.table();
        for (name, item) in table.iter().flat_map(|table| table.entries()) {
            entries.extend(model(name, &item));
        }
    } else {
        let names = item.each(|item| item.text().map(str::to_owned)).unwrap_or_default();
        entries = names.into_iter().map(|name| ModelEntry::named(&name)).collect();
    }
    for entry in &entries {
        settings.note(&format!("models.{}", entry.name), json!(entry.source), true);
    }
    entries
}

fn model(name: &str, item: &Item<'_>) -> Option<ModelEntry> {
    let named = ModelEntry::named(name);
    match &item.node().value {
        Value::Null => Some(named),
        Value::Text(source) => Some(ModelEntry { source: source.clone(), ..named }),
        _ => {
            let table = item.table()?;
            let source = table.text("source").or_else(|| table.text("path")).unwrap_or(name);
            let quantizations =
                table.optional("quantization").and_then(|item| quantizations(&item));
            table.finish();
            let quantizations = quantizations.unwrap_or_else(|| vec![Quantization::AsItIs]);
            Some(ModelEntry { source: source.to_owned(), quantizations, ..named })
        }
    }
}

fn quantizations(item: &Item<'_>) -> Option<Vec<Quantization>> {
    item.each(|item| match item.node().value {
        Value::Null => Some(Quantization::AsItIs),
        _ => match item.text()? {
            "8bit" => Some(Quantization::Bits8),
            "4bit" => Some(Quantization::Bits4),
            other => {
                let found = pacemark_files::quoted(other);
                item.wrong(format!("expected null, 8bit or 4bit, found {found}"));
                None
            }
        },
    })
}

fn experiments(item: &Item<'_>) -> Vec<Asked> {
    let Value::List(_) = item.node().value else {
        item.wrong(format!("expected a list of experiments, found {}", item.node().value.told()));
        return Vec::new();
    };
    if is_empty(item.node()) {
        return Vec::new();
    }
    item.each(asked).unwrap_or_default()
}

/// A name, or a name with flags.
fn asked(item: &Item<'_>) -> Option<Asked> {
    let line = item.node().line;
    if let Value::Text(name) = &item.node().value {
        return Some(Asked { experiment: name.clone(), line, ..Asked::default() });
    }
    let table = item.table()?;
    let mut entries = table.entries();
    let (Some((name, flags)), None) = (entries.next(), entries.next()) else {
        item.wrong("expected one experiment with its flags, found another number of keys");
        return None;
    };
    let mut asked = Asked { experiment: name.to_owned(), line, ..Asked::default() };
    if flags.is_null() {
        return Some(asked);
    }
    for (flag, value) in flags.table()?.entries() {
        if flag == "sweep" {
            asked.sweep =
                value.table()?.entries().map(|(f, v)| given(f, &v)).collect::<Option<_>>()?;
        } else {
            asked.flags.push(given(flag, &value)?);
        }
    }
    Some(asked)
}

/// A flag and its values; of one that takes none `true`.
fn given(flag: &str, item: &Item<'_>) -> Option<(String, Vec<String>)> {
    let values = item.each(|item| match &item.node().value {
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Int(n) => Some(n.to_string()),
        Value::Float(x) => Some(x.to_string()),
        Value::Text(text) => Some(text.clone()),
        other => {
            item.wrong(format!("expected a value of --{flag}, found {}", other.told()));
            None
        }
    })?;
    Some((flag.replace('_', "-"), values))
}

/// Texts by the name of their set.
fn prompts(item: &Item<'_>) -> Vec<(String, Vec<String>)> {
    let Some(table) = item.table() else { return Vec::new() };
    let set = |name: &str, table: &Table<'_>| {
        let texts = table.texts(name)?.into_iter().map(str::to_owned).collect();
        Some((name.to_owned(), texts))
    };
    let found = PROMPT_SETS.iter().filter_map(|name| set(name, &table)).collect();
    table.finish();
    found
}

#[cfg(test)]
mod tests;
