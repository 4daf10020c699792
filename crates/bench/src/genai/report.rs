//! What the lines of benchmark_genai do not tell: every iteration, their spread, where the process's
//! time went, grade and trend.

use super::figures::{DECODE, GENERATE, OUTPUT, TTFT, generate_ms, ms, output_rate};
use super::grade::{Grade, grade, grades};
use super::trend::Trend;
use pacemark_record::Statistic::{Least, Mean, Most, Stability, StandardDeviation};
use pacemark_record::{Grades, Metric, Request, Series, Statistic, Trial, Unit};
use pacemark_report::{
    Cell, Chart, Column, Document, Fact, Kind, Point, Rank, Row, Standing, Table, Verdict,
};
use serde_json::{Map, Value, json};

/// Adds it to a document of the figures. `spent` is the process's time by stages.
pub(super) fn add(document: &mut Document, trial: &Trial, spent: &Map<String, Value>) {
    document.facts = facts(trial, spent);
    document.tables.extend([iterations(trial), spread(trial), breakdown(spent)]);
    document.charts.push(chart(trial));
}

/// The same for a report of several runs, as sentences: a trend is good where nothing but noise is
/// shown, and the grade says itself what it is.
pub(super) fn verdicts(trial: &Trial) -> Vec<Verdict> {
    let graded = grade(trial)
        .zip(grades(trial))
        .map(|(grade, by)| Verdict::plain(format!("grade: {}", graded(&grade, &by))));
    let trend = Trend::of(trial);
    let standing = match trend.beyond_noise {
        Some(change) if change < 0.0 => Standing::Bad,
        Some(_) => Standing::Plain,
        None if trend.is_told() => Standing::Good,
        None => Standing::Open,
    };
    let trend = Verdict { standing, text: format!("trend: {}", trend.verdict()) };
    graded.into_iter().chain([trend]).collect()
}

fn graded(grade: &Grade, by: &Grades) -> String {
    let Grade { name, tokens_per_second, ttft_ms } = grade;
    format!("{name}: {tokens_per_second:.2} t/s, TTFT {ttft_ms:.2} ms (thresholds {by})")
}

/// The verdicts, and what the process cost beside its iterations.
fn facts(trial: &Trial, spent: &Map<String, Value>) -> Vec<Fact> {
    let fact =
        |name, value, title: &str, text| Fact { name, value, told: Some((title.to_owned(), text)) };
    let grade = match (grade(trial), grades(trial)) {
        (Some(grade), Some(by)) => fact(
            "grade",
            json!({ "name": grade.name, "tokens_per_second": grade.tokens_per_second,
                "ttft_ms": grade.ttft_ms, "thresholds": by.to_string() }),
            "grade",
            graded(&grade, &by),
        ),
        _ => fact("grade", Value::Null, "grade", "- (needs answers of two tokens)".to_owned()),
    };
    let trend = Trend::of(trial);
    let told = json!({ "change": trend.drift, "beyond_noise": trend.beyond_noise.is_some() });
    let mut facts = vec![grade, fact("trend", told, "trend", trend.verdict())];
    if let Some((value, text)) = overhead(trial, spent) {
        facts.push(fact("overhead", value, "overhead", text));
    }
    facts
}

/// All output tokens over the time of the whole process, over that of the iterations, and the share
/// of the process that is none of them.
fn overhead(trial: &Trial, spent: &Map<String, Value>) -> Option<(Value, String)> {
    let whole_s = spent.get("whole_ms")?.as_f64()? / 1e3;
    let times: Option<Vec<f64>> = trial.requests().iter().map(generate_ms).collect();
    let generating_s = times?.iter().sum::<f64>() / 1e3;
    if !(generating_s > 0.0 && whole_s >= generating_s) {
        return None;
    }
    let n_tokens: usize = trial.requests().iter().map(|request| request.chunks_ns.len()).sum();
    let rate = |seconds: f64| n_tokens as f64 / seconds;
    let (with, without) = (rate(whole_s), rate(generating_s));
    let share = 1.0 - generating_s / whole_s;
    let value = json!({ "with_ts": with, "without_ts": without, "share": share });
    let percent = 100.0 * share;
    let text = format!(
        "{with:.2} t/s over the whole process, {without:.2} t/s over the iterations alone: {percent:.1} % of the \
         time is start, load, warm-up and rest"
    );
    Some((value, text))
}

/// The figures that iterations are told by, with their headings.
const TOLD: [(&Series, &str, usize); 4] = [
    (&GENERATE, "time ms", 10),
    (&OUTPUT, "t/s", 8),
    (&TTFT, "ttft ms", 9),
    (&DECODE, "decode t/s", 10),
];

fn told() -> impl Iterator<Item = Column> {
    TOLD.iter().map(|(series, title, width)| {
        Column::new(series.name, Kind::Float, *title, *width as isize).ranked(Rank::Main)
    })
}

/// Each iteration.
fn iterations(trial: &Trial) -> Table {
    let figure = |value, unit| Cell::Figure(value, unit);
    let row = |(i, request): (usize, &Request)| -> Row {
        let values: [Option<f64>; 4] = [
            generate_ms(request),
            output_rate(request),
            request.ttft_ns().map(ms),
            request.decode_rate_ts(),
        ];
        let values = values.into_iter().zip(&TOLD).map(|(value, (s, ..))| figure(value, s.unit));
        let head = [Cell::Int(i as i64 + 1), Cell::Int(request.chunks_ns.len() as i64)];
        head.into_iter().chain(values).collect::<Vec<_>>().into()
    };
    let head = [
        Column::new("iteration", Kind::Int, "iteration", 9).ranked(Rank::Key),
        Column::new("output_tokens", Kind::Int, "tokens", 6),
    ];
    Table {
        name: "iterations".to_owned(),
        columns: head.into_iter().chain(told()).collect(),
        rows: trial.requests().iter().enumerate().map(row).collect(),
        ..Table::default()
    }
}

/// How they lie.
fn spread(trial: &Trial) -> Table {
    const ROWS: [(&str, Statistic); 5] = [
        ("mean", Mean),
        ("min", Least),
        ("max", Most),
        ("sd", StandardDeviation),
        ("stability", Stability),
    ];
    let row = |(name, statistic): (&str, Statistic)| -> Row {
        let cell = |(series, ..): &(&'static Series, &str, usize)| {
            let metric = Metric::new(series, statistic);
            Cell::Figure(metric.of(trial).value, metric.unit())
        };
        std::iter::once(Cell::from(name)).chain(TOLD.iter().map(cell)).collect::<Vec<_>>().into()
    };
    let over = Column::new("statistic", Kind::Text, "over them", -9).ranked(Rank::Key);
    Table {
        name: "spread".to_owned(),
        columns: std::iter::once(over).chain(told()).collect(),
        rows: ROWS.into_iter().map(row).collect(),
        legend: Some("sd: of the sample; stability: 1 − sd / mean.".to_owned()),
        ..Table::default()
    }
}

/// Stages of the process's time by name, the whole last.
fn breakdown(spent: &Map<String, Value>) -> Table {
    let stages = || spent.iter().filter_map(|(name, ms)| Some((name, ms.as_f64()?)));
    let whole: f64 = stages().find(|(name, _)| *name == "whole_ms").map_or(0.0, |(_, ms)| ms);
    let row = |(name, ms): (&String, f64)| -> Row {
        let share = (whole > 0.0).then(|| ms / whole);
        let name = name.trim_end_matches("_ms");
        let (ms, share) = (Some(ms), Cell::Figure(share, Unit::Ratio));
        vec![Cell::from(name), Cell::Figure(ms, Unit::Milliseconds), share].into()
    };
    Table {
        name: "breakdown".to_owned(),
        columns: vec![
            Column::new("stage", Kind::Text, "the process", -11).ranked(Rank::Key),
            Column::new("spent_ms", Kind::Float, "ms", 10).ranked(Rank::Main),
            Column::new("share", Kind::Float, "share", 8).ranked(Rank::Main),
        ],
        rows: stages().map(row).collect(),
        legend: Some(
            "start is told by the system in steps of 10 ms; warmup: all of the runs that are not \
             counted; tokenize to detokenize: of all iterations; rest: what is none of these."
                .to_owned(),
        ),
        ..Table::default()
    }
}

/// The time of each iteration.
fn chart(trial: &Trial) -> Chart {
    let point = |(i, request): (usize, &Request)| Point {
        label: (i + 1).to_string(),
        name: String::new(),
        value: generate_ms(request).unwrap_or(f64::NAN),
        interval: None,
    };
    Chart {
        title: "time of each iteration, ms".to_owned(),
        is_close_up: true,
        points: trial.requests().iter().enumerate().map(point).collect(),
        ..Chart::default()
    }
}
