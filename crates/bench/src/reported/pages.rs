//! Reports of made-up runs of several experiments: how wide they are on a terminal, what of them is in every
//! language, and what they say of data that are left out.

use super::report;
use crate::Experiment;
use crate::doctor::Doctor;
use crate::genai::Genai;
use crate::kv::{KvStudy, testing as kv};
use crate::quant::{QuantStudy, testing as quant};
use crate::stages::Stages;
use crate::throughput::Throughput;
use pacemark_record::{Env, Measured, Request, Run, STAGES_EXPERIMENT, Sample, Trial};
use pacemark_report::picture::{Marks, Panel};
use pacemark_report::{Document, Lang, Page, render, render::find};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

fn params(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn trial(experiment: &str, measured: Measured, of: Value) -> Trial {
    let mut trial = Trial { experiment: experiment.into(), measured, ..Trial::default() };
    trial.params = params(of);
    trial.model.model_type = "llama 135M Q4_1".into();
    trial
}

/// So many threads, in two tests.
fn sweep(n_threads: &[u64]) -> Run {
    let sample = |i: u64, ms: u64| Sample {
        elapsed_ns: (ms + i) * 1_000_000,
        ttft_ns: Some(ms * 10_000),
        gaps_ns: (0..63).map(|i| ms * 15_000 + i * 100).collect(),
        ..Sample::default()
    };
    let row = |n: u64, n_prompt: u64, n_gen: u64| {
        let samples: Vec<Sample> = (0..6).map(|i| sample(i, 1000 / n.min(2))).collect();
        let of = json!({ "n_prompt": n_prompt, "n_gen": n_gen, "n_depth": 0, "n_threads": n });
        Trial { repetitions: 6, ..trial("throughput", samples.into(), of) }
    };
    let trials = n_threads.iter().flat_map(|&n| [row(n, 512, 0), row(n, 0, 64)]).collect();
    Run { trials, varied: vec!["n_threads".into()], ..of_machine() }
}

fn of_machine() -> Run {
    let command = "pacemark bench -m /a/folder/of/models/smollm2-135m.gguf -p 512 -n 64 -t 1,2,4,8 --save a.json";
    Run {
        command: command.split(' ').map(str::to_owned).collect(),
        env: Env {
            cpu_model: Some("A Processor of a Long Name with 64 Cores at 2.0 GHz and more".into()),
            logical_cpus: 2,
            load_average_1m: Some(3.0),
            ..Env::default()
        },
        ..Run::default()
    }
}

fn ladder() -> Run {
    let names = ["decoder", "KV pages, sampling", "batch assembly", "stop, text, events"];
    let row = |(stage, name): (usize, &&str)| {
        let samples = (0..6).map(|i| Sample {
            elapsed_ns: 1_000_000_000 + 10_000_000 * stage as u64 + 1_000_000 * i,
            ..Sample::default()
        });
        let measured = Measured::Ladder {
            stage: stage as u64,
            name: (*name).into(),
            samples: samples.collect(),
            calls: Vec::new(),
        };
        let of = json!({ "n_requests": 40, "concurrency": 8, "n_prompt_tokens": 32, "n_gen_tokens": 50 });
        trial(STAGES_EXPERIMENT, measured, of)
    };
    Run { trials: names.iter().enumerate().map(row).collect(), ..of_machine() }
}

fn prompted() -> Run {
    let request = |ms: u64| Request {
        started_ns: Some(0),
        prompt_tokens: Some(5),
        chunks_ns: (1..=4).map(|i| i * ms * 250_000).collect(),
        end_ns: ms * 1_000_000,
        output_usage: Some(4),
        ..Request::default()
    };
    let requests: Vec<Request> = [400, 410, 420, 405, 415].map(request).into();
    let of = json!({ "n_prompt": 5, "n_gen": 4, "n_threads": 2 });
    let spent = json!({ "start_ms": 10.0, "load_ms": 400.0, "rest_ms": 90.0, "whole_ms": 500.0 });
    let whole = trial("genai", Measured::Facts { facts: params(spent) }, of.clone());
    let first = Trial { repetitions: 5, ..trial("genai", requests.into(), of) };
    Run { trials: vec![first, whole], ..of_machine() }
}

fn machine() -> Run {
    let facts = json!({ "cpu_model": "A processor", "logical_cpus": 2, "memory_bytes": 3_u64 << 30,
        "memory_available_bytes": 2_u64 << 30, "isa": "avx2", "isa_available": ["sse2", "avx2"],
        "huge_pages": "madvise", "caches": [
            { "level": 1, "kind": "Data", "bytes": 48 << 10 },
            { "level": 1, "kind": "Instruction", "bytes": 32 << 10 },
            { "level": 2, "kind": "Unified", "bytes": 1 << 20 },
            { "level": 3, "kind": "Unified", "bytes": 32 << 20 }] });
    let limits = json!({ "read_gb_per_s": 10.06, "int8_gops": 500.4, "f32_gflops": 99.6 });
    let all = [(json!({}), facts), (json!({ "n_threads": 2 }), limits)];
    let trials =
        all.map(|(of, facts)| trial("doctor", Measured::Facts { facts: params(facts) }, of));
    Run { trials: trials.into(), ..of_machine() }
}

fn made_up() -> Vec<Document> {
    let types = [("F16", 100.0, 0.0), ("Q8_0", 150.0, 0.001), ("Q4_K_M", 200.0, 0.03)];
    let types = types.map(|(name, rate, kld)| quant::trial(name, rate, kld)).into();
    let all: [(&dyn Experiment, Run); 6] = [
        (&Throughput, sweep(&[1, 2, 4, 8])),
        (&Stages, ladder()),
        (&Genai, prompted()),
        (&Doctor, machine()),
        (&KvStudy, Run { trials: kv::trials(), ..of_machine() }),
        (&QuantStudy, Run { trials: types, ..of_machine() }),
    ];
    let of = |(experiment, run): (&dyn Experiment, Run)| {
        let varied: Vec<&str> = run.varied.iter().map(String::as_str).collect();
        report(experiment, std::slice::from_ref(&run), &["run.json".to_owned()], &varied)
    };
    let mut documents: Vec<Document> = all.into_iter().map(of).collect();
    documents.push(two_runs());
    documents
}

fn two_runs() -> Document {
    let runs = [sweep(&[1, 2]), sweep(&[1, 2])];
    let names = ["a/folder/before.json", "a/folder/after.json"].map(str::to_owned);
    report(&Throughput, &runs, &names, &["n_threads"])
}

#[test]
fn on_a_terminal_of_80_columns_no_line_is_wider() {
    for document in made_up() {
        for lang in Lang::ALL {
            let page = Page { width: Some(80), lang, ..Page::default() };
            let text = render(&lang.document(&document), find("table").unwrap(), &page);
            let wide: Vec<&str> = text.lines().filter(|line| line.width() > 80).collect();
            assert!(wide.is_empty(), "{:?} {lang:?}: {wide:#?}", document.title);
        }
    }
}

/// Words of a document that are ours and not names.
fn words(document: &Document) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (name, value) in document.facts.iter().filter_map(|fact| fact.told.as_ref()) {
        words.extend([name.clone(), value.clone()]);
    }
    for table in &document.tables {
        words.extend(table.legend.iter().flat_map(|legend| legend.lines().map(str::to_owned)));
        let people = table.columns.iter().filter(|column| column.readers.has_people());
        words.extend(people.map(|column| column.title.trim_end().to_owned()));
    }
    for panel in &document.panels {
        words.extend([&panel.title, &panel.x_axis, &panel.y_axis].map(String::clone));
    }
    words.extend(document.legend.colours.iter().map(|(_, words)| words.clone()));
    words.extend(document.legend.notes.clone());
    words.extend(document.notes.clone());
    words.retain(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 2);
    words
}

#[test]
fn words_of_pages_are_there_in_chinese() {
    // Names of processors, kernels and choices of systems.
    let names = ["A processor", "madvise", "recommended: Q4_K_M", "llama 135M Q4_1, ;"];
    let mut missing: Vec<String> = Vec::new();
    for document in made_up() {
        let unknown = |word: &String| Lang::Zh.known(word).is_none();
        missing.extend(words(&document).into_iter().filter(unknown));
    }
    missing.retain(|word| !names.iter().any(|name| word.starts_with(name)));
    missing.sort();
    missing.dedup();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn rows_of_several_runs_and_settings_are_told_apart() {
    let document = two_runs();
    let headings: Vec<&str> = document.tables[0]
        .rows
        .iter()
        .filter_map(|row| row.block.as_ref().map(|block| block.heading.as_str()))
        .collect();
    assert_eq!(headings.len(), 8);
    assert_eq!(headings[0], "before.json: llama 135M Q4_1, pp512, threads 1");
    let distinct: std::collections::HashSet<&&str> = headings.iter().collect();
    assert_eq!(distinct.len(), 8, "{headings:#?}");
    let csv = render(&document, find("csv").unwrap(), &Page::default());
    let first: Vec<&str> = csv.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!((first[0], first[1], first[8]), ("run", "\"before.json\"", "\"after.json\""));
    assert!(document.notes.iter().any(|note| note.starts_with("after.json: ")), "{document:?}");
}

#[test]
fn data_that_are_left_out_are_counted() {
    let one = sweep(&[1]).trials.remove(1);
    let trials = vec![one; 50];
    let run = Run { trials, ..Run::default() };
    let document = report(&Throughput, &[run], &["run".to_owned()], &[]);
    let titles: Vec<&str> = document.panels.iter().map(|panel| panel.title.as_str()).collect();
    assert!(titles[0].ends_with("(the first 40 of 50 rows)"), "{titles:?}");
    let Marks::Bars(bars) = &document.panels[0].marks else { panic!("{titles:?}") };
    assert_eq!(bars.len(), 40);
    let n_lines = |panel: &Panel| match &panel.marks {
        Marks::Lines { lines, .. } => lines.len(),
        _ => 0,
    };
    let cut = document.panels.iter().filter(|panel| n_lines(panel) == 7);
    let cut: Vec<&str> = cut.map(|panel| panel.title.as_str()).collect();
    assert!(cut.len() >= 3, "{titles:?}");
    assert!(cut.iter().all(|title| title.ends_with("(the first 7 of 50 lines)")), "{cut:?}");
    let said = Lang::Zh.say(titles[0]).into_owned();
    assert!(said.contains("50 行中的前 40 行"), "{said}");
}
