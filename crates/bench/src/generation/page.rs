//! A generation as it is shown: what people read of it line by line, what programs read as one
//! object.

use super::figures::{DECODE, PREFILL, TOTAL, TPOT, TTFT};
use pacemark_record::{Measured, Request, Run, Series, Trial, stats};
use pacemark_report::{Chart, Document, Fact, Layout, Point, Row, Table, TrialRow};
use serde_json::{Map, Value, json};

/// The request, and where the process's time went if that was asked for.
pub(super) fn document(run: &Run, layout: &Layout<'_>) -> Document {
    let mut document = Document::default();
    // Lines are for people, rows for programs.
    let mut table = Table { name: "figures".to_owned(), in_blocks: false, ..layout.head() };
    for trial in &run.trials {
        if let Measured::Facts { facts } = &trial.measured {
            document.facts.push(Fact::value("breakdown", Value::Object(facts.clone())));
            document.charts.push(breakdown(facts));
            table.legend = Some(BREAKDOWN.to_owned());
        } else if let Some(request) = trial.generation() {
            document.facts.extend(content(request));
            document.facts.push(Fact::value("timings", timings(trial, request)));
            document.facts.extend(told(trial, request));
            let row = layout.row(&TrialRow { env: &run.env, trial, comparisons: &[] });
            table.rows.push(Row { block: None, ..row });
        }
    }
    document.tables.push(table);
    document
}

fn content(request: &Request) -> Vec<Fact> {
    let Some(content) = &request.content else { return Vec::new() };
    let mut facts = vec![
        Fact::value("text", content.text.as_str()),
        Fact::value("ids", json!(content.ids)),
        Fact::value("prompt", content.prompt.as_str()),
        Fact::value("prompt_ids", json!(content.prompt_ids)),
        Fact::value("finish_reason", json!(request.finish_reason)),
    ];
    if !content.top.is_empty() {
        facts.push(Fact::value("top", json!(content.top)));
    }
    facts
}

/// Parameters that stand beside the times that they decide.
const SETUP: &[&str] = &[
    "n_threads",
    "n_threads_batch",
    "type_k",
    "type_v",
    "cpu_mask",
    "cpu_strict",
    "numa",
    "no_mmap",
    "mlock",
    "no_pack",
];

/// The one value of a series.
fn only(series: &Series, trial: &Trial) -> Option<f64> {
    (series.of)(trial).first().copied()
}

fn timings(trial: &Trial, request: &Request) -> Value {
    let model = &trial.model;
    let ms = |ns: u64| ns as f64 / 1e6;
    let load = model.load_ns.iter().map(|(stage, ns)| (format!("{stage}_ms"), json!(ms(*ns))));
    let gaps = (TPOT.of)(trial);
    let mut timings = json!({
        "load": load.collect::<Map<_, _>>(),
        "load_ms": ms(model.load_ns.iter().map(|(_, ns)| ns).sum()),
        "prompt_tokens": request.prompt_tokens,
        "cached_tokens": request.cached_tokens,
        "ttft_ms": only(&TTFT, trial),
        "prefill_tokens_per_second": only(&PREFILL, trial),
        "output_tokens": request.chunks_ns.len(),
        "tpot_ms": stats::mean(&gaps),
        "tpot_sd_ms": stats::sample_sd(&gaps),
        "decode_tokens_per_second": only(&DECODE, trial),
        "total_ms": only(&TOTAL, trial),
        "peak_rss_bytes": trial.peak_rss_bytes,
        "isa": model.isa,
        "kv_types": model.kv_types,
        "kv_bytes_per_token": model.kv_bytes_per_token,
    });
    if let Some(timings) = timings.as_object_mut() {
        let setup = trial.params.iter().filter(|(name, _)| SETUP.contains(&name.as_str()));
        timings.extend(setup.map(|(name, value)| (name.clone(), value.clone())));
    }
    timings
}

/// Aligned lines; a figure that cannot be measured is a dash with the reason.
fn told(trial: &Trial, request: &Request) -> Vec<Fact> {
    let model = &trial.model;
    let ms = |ns: u64| ns as f64 / 1e6;
    let stages: Vec<String> =
        model.load_ns.iter().map(|(stage, ns)| format!("{stage} {:.1}", ms(*ns))).collect();
    let load = ms(model.load_ns.iter().map(|(_, ns)| ns).sum());
    let threads = trial.count("n_threads");
    let of_prompt = match trial.count("n_threads_batch") {
        n if n == threads => String::new(),
        n => format!(" ({n} for the prompt)"),
    };
    // A server's threads are its own.
    let threads =
        if threads == 0 { String::new() } else { format!("{threads} threads{of_prompt}") };
    let what = [&model.model_type, &threads, &model.isa];
    let what =
        what.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", ");
    let cached = match request.cached_tokens {
        Some(n @ 1..) => format!(", {n} cached"),
        _ => String::new(),
    };
    let time = |series, why: &str| {
        only(series, trial).map_or(format!("- ({why})"), |ms| format!("{ms:.1} ms"))
    };
    let rate = |series, why: &str| {
        only(series, trial).map_or(format!("- ({why})"), |rate| format!("{rate:.1} t/s"))
    };
    let gaps = (TPOT.of)(trial);
    let tpot = match (stats::mean(&gaps), stats::sample_sd(&gaps)) {
        (None, _) => "- (needs two tokens)".to_owned(),
        (Some(mean), None) => format!("{mean:.2} ms (one gap: no deviation)"),
        (Some(mean), Some(sd)) => format!("{mean:.2} ± {sd:.2} ms"),
    };
    let rss = trial.peak_rss_bytes.map(|bytes| format!("{:.1} MiB", bytes as f64 / 1048576.0));
    let rss = rss.unwrap_or("- (the system does not tell)".into());
    let lines = [
        ("model", what),
        ("load", format!("{load:.1} ms ({})", stages.join(", "))),
        ("prompt", format!("{} tokens{cached}", request.prompt_tokens.unwrap_or(0))),
        ("TTFT", time(&TTFT, "no token came")),
        ("prefill", rate(&PREFILL, "no token came")),
        ("output", format!("{} tokens", request.chunks_ns.len())),
        ("TPOT", tpot),
        ("decode", rate(&DECODE, "needs two tokens")),
        ("total", time(&TOTAL, "nothing was finished")),
        ("peak RSS", rss),
    ];
    lines.into_iter().map(|(name, value)| Fact::told(name, value)).collect()
}

const BREAKDOWN: &str = "where the time went, ms (start is told by the system in steps of 10 ms)";

/// Where the whole process's time went, in milliseconds.
fn breakdown(facts: &Map<String, Value>) -> Chart {
    let point = |(name, value): (&String, &Value)| {
        let value = value.as_f64()?;
        let stage = name.strip_suffix("_ms")?;
        Some(Point { label: String::new(), name: stage.to_owned(), value, interval: None })
    };
    Chart {
        title: BREAKDOWN.to_owned(),
        points: facts.iter().filter_map(point).collect(),
        ..Chart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::Content;
    use pacemark_report::{Page, layout, render, render::find};

    fn run(request: Request) -> Run {
        let mut trial = Trial { measured: vec![request].into(), ..Trial::default() };
        trial.params.insert("n_threads".into(), 2.into());
        trial.params.insert("n_threads_batch".into(), 2.into());
        let facts = json!({ "start_ms": 10.0, "load_ms": 30.0, "whole_ms": 40.0 });
        let facts = Measured::Facts { facts: facts.as_object().unwrap().clone() };
        let whole = Trial { measured: facts, ..Trial::default() };
        Run { trials: vec![trial, whole], ..Run::default() }
    }

    fn shown(run: &Run, format: &str) -> String {
        let layout = Layout {
            form: &layout::GENERATION,
            metrics: super::super::figures::METRICS,
            varied: &[],
        };
        render(&document(run, &layout), find(format).unwrap(), &Page::default())
    }

    #[test]
    fn absent_figures_are_dashes_and_nulls() {
        let run = run(Request { prompt_tokens: Some(4), ..Request::default() });
        let text = shown(&run, "table");
        assert!(text.contains("TPOT          - (needs two tokens)"), "{text}");
        assert!(text.contains("peak RSS      - (the system does not tell)"), "{text}");
        let json: Value = serde_json::from_str(&shown(&run, "json")).unwrap();
        assert!(json["timings"]["ttft_ms"].is_null() && json["figures"][0]["ttft_ms"].is_null());
    }

    #[test]
    fn a_generation_in_every_format() {
        const MS: u64 = 1_000_000;
        let content = Content { text: " is\nblue".into(), ids: vec![1, 2], ..Content::default() };
        let run = run(Request {
            started_ns: Some(0),
            prompt_tokens: Some(50),
            cached_tokens: Some(0),
            chunks_ns: vec![100 * MS, 105 * MS],
            end_ns: 110 * MS,
            finish_reason: Some("length".into()),
            content: Some(Box::new(content)),
            ..Request::default()
        });
        insta::assert_snapshot!("generation_table", shown(&run, "table"));
        let json: Value = serde_json::from_str(&shown(&run, "json")).unwrap();
        assert_eq!((&json["text"], &json["ids"]), (&json!(" is\nblue"), &json!([1, 2])));
        let timings = &json["timings"];
        assert_eq!((&timings["ttft_ms"], &timings["tpot_ms"]), (&json!(100.0), &json!(5.0)));
        assert_eq!(timings["prefill_tokens_per_second"], json!(500.0));
        assert_eq!(json["breakdown"]["whole_ms"], json!(40.0));
        assert_eq!(json["figures"][0]["total_ms"], json!(110.0));
        for format in ["csv", "jsonl", "md", "sql"] {
            let text = shown(&run, format);
            assert!(text.contains("200.0"), "{format}: {text}");
        }
    }
}
