//! Reports of made-up runs of several experiments: how wide they are on a terminal, what of them is in every
//! language, and what they say of data that are left out.

use super::report;
use crate::Experiment;
use crate::cold::ColdStart;
use crate::doctor::Doctor;
use crate::genai::Genai;
use crate::kv::{KvStudy, testing as kv};
use crate::load::Load;
use crate::quant::{QuantStudy, testing as quant};
use crate::stages::Stages;
use crate::throughput::Throughput;
use crate::tune::Tune;
use pacemark_record::{
    Client, Cold, Env, Fate, Inside, Measured, Offset, OffsetMethod, Request, Requests, Run,
    SERVER_METRICS, STAGES_EXPERIMENT, Sample, Scrape, Sender, ServerSide, Start, Trial, Tuned,
};
use pacemark_report::picture::{Marks, Panel};
use pacemark_report::{Cell, Document, Lang, Page, render, render::find};
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
    let spent = json!({ "start_ms": 10.0, "load_ms": 400.0, "rest_ms": 90.0, "whole_ms": 2_550.0 });
    let whole = trial("genai", Measured::Facts { facts: params(spent) }, of.clone());
    let first = Trial { repetitions: 5, ..trial("genai", requests.into(), of) };
    Run { trials: vec![first, whole], ..of_machine() }
}

/// Loads of so many streams, and one of a rate; all but the first have a certificate that was not checked.
fn loads() -> Run {
    const MS: u64 = 1_000_000;
    let request = |i: u64, streams: u64| {
        let sent_ns = i / streams * 400 * MS + i % streams * 3 * MS;
        Request {
            scheduled_ns: sent_ns.saturating_sub(i % 3 * MS),
            sent_ns,
            connected_ns: Some(sent_ns + MS),
            chunks_ns: (0..40).map(|n| sent_ns + (50 + n * 8 + i % 5) * MS).collect(),
            end_ns: sent_ns + 380 * MS,
            output_usage: Some(40),
            prompt_usage: Some(16),
            prompt_tokens: Some(16),
            cached_tokens: Some(0),
            ..Request::default()
        }
    };
    let row = |streams: u64| {
        let requests = Requests {
            requests: (0..streams * 40).map(|i| request(i, streams)).collect(),
            client: Some(Client {
                cpu_ns: 9 * MS,
                wall_ns: 900 * MS,
                threads: 1,
                lag_ns: (0..400).map(|i| i * 10_000).collect(),
                stamps: "kernel".into(),
            }),
            ..Requests::default()
        };
        let of = json!({ "model": "smollm2-135m", "url": "http://127.0.0.1:80/v1", "input_lengths": "16",
            "output_lengths": "40", "concurrency": streams, "insecure": streams > 1 });
        let mut trial = trial("load", Measured::Requests(requests), of);
        if streams == 2 {
            of_several(trial.load_mut().unwrap());
        }
        if streams == 8 {
            trial.params.remove("concurrency");
            trial.params.extend(params(json!({ "rate": 20.0, "arrival": "poisson" })));
        }
        trial
    };
    Run { trials: [1, 2, 4, 8].map(row).into(), ..of_machine() }
}

/// What three workers sent, one of which died, to a server that tells of itself and to one that does not.
fn of_several(load: &mut Requests) {
    for (i, request) in load.requests.iter_mut().enumerate() {
        request.sender = Some(format!("local-{}", i % 2 + 1));
        request.url = Some(format!("http://127.0.0.{}:80/v1", i % 2 + 1));
    }
    let clock = |method| Some(Offset { method, ..Offset::SAME_CLOCK });
    let trip = Offset { round_trip_ns: Some(6_000), ..Offset::SAME_CLOCK };
    let trip = Offset { method: OffsetMethod::RoundTrip, ..trip };
    let clocks = [Some(trip), clock(OffsetMethod::SameClock), clock(OffsetMethod::WallClock), None];
    let sender = |(i, clock): (usize, Option<Offset>)| Sender {
        name: format!("local-{}", i + 1),
        machine: String::new(),
        build: String::new(),
        clock,
        began_ns: 0,
        params: params(json!({})),
        client: None,
        lost: None,
    };
    load.senders = clocks.into_iter().enumerate().map(sender).collect();
    let scrape = |(at_ns, n): (i64, f64)| Scrape {
        at_ns,
        values: SERVER_METRICS
            .iter()
            .flat_map(|known| ["", "_sum", "_count"].map(|end| format!("{}{end}", known.names[0])))
            .map(|name| (name, n))
            .collect(),
    };
    let scrapes = [(-1, 0.0), (5, 0.5), (9, 1.0)].map(scrape).into();
    load.servers = vec![ServerSide { url: "http://127.0.0.1:80/v1".into(), absent: None, scrapes }];
}

/// The same model from a warm page cache and from a cold one.
fn starts() -> Run {
    let start = |i: u64, warm_ms: u64| Start {
        first_ns: Some((warm_ms + i) * 1_000_000),
        ended_ns: (warm_ms + 2 * i + 5) * 1_000_000,
        storage_bytes: Some(1 << 20),
        inside: Some(Inside {
            load_ns: 40_000_000,
            empty_rss_bytes: Some(10 << 20),
            loaded_rss_bytes: Some(110 << 20),
            generated_rss_bytes: Some(130 << 20),
            peak_rss_bytes: Some(140 << 20),
            kv_bytes: Some(4 << 20),
            sample: Sample { ttft_ns: Some(9_000_000), ..Sample::default() },
        }),
    };
    let row = |(turn, state, ms): (u64, &str, u64)| {
        let cold = Cold {
            starts: (0..6).map(|i| start(i, ms)).collect(),
            weights: vec![("Q4_1".to_owned(), 90 << 20)],
        };
        let of = json!({ "model": "smollm2-135m", "page_cache": state, "n_prompt": 5, "n_gen": 1 });
        let of = trial("cold", Measured::Cold(cold), of);
        Trial { turn, repetitions: 7, ..of }
    };
    Run { trials: [(0, "warm", 300), (1, "cold", 460)].map(row).into(), ..of_machine() }
}

/// A search that came to these fates.
fn search(fates: &[(&str, Fate)], targets: &str) -> Run {
    let row = |(i, (setting, fate)): (usize, &(&str, Fate))| {
        let mut tuned = Tuned { fate: *fate, fate_round: 6, ..Tuned::default() };
        for round in 1..=6 {
            let ttft_ns = (50 + 10 * i as u64 + round % 3) * 1_000_000;
            let gaps_ns = vec![5_000_000; 9];
            let elapsed_ns = ttft_ns + 45_000_000;
            let ttft_ns = Some(ttft_ns);
            tuned.push(round, Sample { elapsed_ns, ttft_ns, gaps_ns, ..Sample::default() });
        }
        let of = json!({ "setting": setting, "n_changes": i, "maximize": "throughput",
            "command": "pacemark bench -m model.gguf", "targets": targets, "resolution": 0.01,
            "answers_alike": true, "source": "model.gguf", "n_prompt": 100, "n_gen": 9 });
        Trial { repetitions: 6, ..trial("tune", Measured::Tuned(tuned), of) }
    };
    Run { trials: fates.iter().enumerate().map(row).collect(), ..of_machine() }
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
    let even = search(&[("default", Fate::Even), ("-t 1", Fate::Even)], "");
    let won = search(&[("default", Fate::Worse), ("-t 1", Fate::Won)], "ttft_ms<40");
    let all: [(&dyn Experiment, Run); 11] = [
        (&Load, loads()),
        (&ColdStart, starts()),
        (&Tune, even),
        (&Tune, won),
        (&Tune, search(&[("default", Fate::Missed), ("-t 1", Fate::Missed)], "ttft_ms<40")),
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

/// All that people read of a document, but commands.
fn read(document: &Document) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (name, value) in document.facts.iter().filter_map(|fact| fact.told.as_ref()) {
        words.push(name.clone());
        words.extend((!value.starts_with("pacemark ")).then(|| value.clone()));
    }
    for table in &document.tables {
        words.extend(table.legend.iter().flat_map(|legend| legend.lines().map(str::to_owned)));
        for (i, column) in table.columns.iter().enumerate() {
            // A table of blocks is one in Markdown.
            if column.readers.has_people() {
                words.push(column.title.trim_end().to_owned());
                let cells = table.rows.iter().filter_map(|row| row.cells.get(i));
                words.extend(cells.filter_map(|cell| match cell {
                    Cell::Text(text) | Cell::Told(_, text) => Some(text.clone()),
                    _ => None,
                }));
            }
        }
        for block in table.rows.iter().filter_map(|row| row.block.as_ref()) {
            words.push(block.heading.clone());
            words.extend(block.lines.iter().flat_map(|(name, value)| [name, value]).cloned());
            words.extend(block.spreads.iter().map(|spread| spread.name.clone()));
            let summary = block.summary.iter();
            words.extend(summary.clone().map(|(name, _)| name.clone()));
            words.extend(summary.flat_map(|(_, cells)| cells).map(|(title, _)| title.clone()));
        }
    }
    for panel in &document.panels {
        words.extend([&panel.title, &panel.x_axis, &panel.y_axis].map(String::clone));
        match &panel.marks {
            Marks::Bars(bars) => words.extend(bars.iter().map(|bar| bar.label.clone())),
            Marks::Points { points, .. } => words.extend(points.iter().map(|p| p.label.clone())),
            Marks::Lines { lines, guides, .. } => {
                words.extend(lines.iter().map(|line| line.label.clone()));
                words.extend(guides.iter().map(|guide| guide.label.clone()));
            }
            Marks::Spans(spans) => words.extend(spans.iter().map(|span| span.label.clone())),
            Marks::Cells { columns, rows, .. } => words.extend(columns.iter().chain(rows).cloned()),
        }
    }
    words.extend(document.legend.colours.iter().map(|(_, words)| words.clone()));
    words.extend(document.legend.notes.clone());
    words.extend(document.notes.clone());
    let reading = &document.reading;
    words.extend(reading.verdicts.iter().map(|verdict| verdict.text.clone()));
    words.extend(reading.advice.clone());
    words.extend(reading.definitions.iter().flat_map(|(name, of)| [name, of]).cloned());
    words.extend(reading.environment.iter().map(|(name, _)| name.clone()));
    words
}

/// What is Latin in Chinese, too: names of models, machines, files and settings, parameters, and figures by
/// their abbreviations.
const NAMES: &[&str] = &[
    "a/folder/after.json",
    "a/folder/before.json",
    "after.json",
    "baseline",
    "before.json",
    "processor",
    "madvise",
    "mock",
    "model.gguf",
    "llama",
    "insecure",
    "concurrency",
    "threads",
    "roof",
    "Acc",
    "icl",
    "itl",
    "ms",
    "t/s",
    "tpot",
    "ttft",
];

/// Words of small letters that are no names.
fn english(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.:/".contains(c)));
    let is_word = |word: &&str| {
        let n = word.chars().filter(|c| c.is_ascii_lowercase()).count();
        n > 1 && !word.contains(['_', ':']) && word.chars().all(|c| !c.is_ascii_digit())
    };
    let words = words.map(|word| word.trim_matches(['.', ':', '-', '/'])).filter(is_word);
    words.filter(|word| !NAMES.contains(word)).map(str::to_owned).collect()
}

#[test]
fn no_english_is_left_in_chinese_pages() {
    let mut left: Vec<String> = Vec::new();
    for document in made_up() {
        let said = read(&Lang::Zh.document(&document));
        // A fact of stages is the name of what ran.
        let is_name = |text: &String| text.starts_with("llama 135M Q4_1, ;");
        left.extend(said.into_iter().filter(|text| !is_name(text) && !english(text).is_empty()));
    }
    left.sort();
    left.dedup();
    let told = left.iter().map(|text| format!("{:?} in {text}", english(text)));
    assert!(left.is_empty(), "{:#?}", told.collect::<Vec<_>>());
}

#[test]
fn what_made_up_pages_hold_is_what_is_to_be_said() {
    let all: Vec<String> = made_up().iter().flat_map(read).collect();
    for part in [
        "each start",
        "t/s over the iterations alone",
        "cold TTFT ms: smollm2-135m, warm over smollm2-135m, cold is",
        "smollm2-135m, warm / smollm2-135m, cold",
        "out t/s over concurrency",
        "1 stream, smollm2-135m, 16 → 40 tokens",
        ", steady",
        "excellent (",
        "stream end",
        "together",
        "no difference; recommended: default",
        "target ttft_ms<40: missed",
    ] {
        assert!(all.iter().any(|text| text.contains(part)), "{part}");
    }
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
