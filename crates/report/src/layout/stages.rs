//! The ladder of stages as a document: a table of what each layer costs, and a chart of rates.

use crate::Cell;
use crate::document::Kind::{Float, Int, Text};
use crate::document::{Chart, Column, Document, Fact, Kind, Point, Rank, Row, Table};
use pacemark_record::{Measured, Run, StageFigures, StageTarget, StageVerdict, Trial};
use serde_json::{Value, json};

/// The document of a ladder whose figures are known.
pub fn stages(run: &Run, figures: &[StageFigures], target: StageTarget) -> Document {
    let columns = COLUMNS.iter().map(|&(name, kind, title, width)| {
        // Headings stand left here, whatever stands below them.
        let title = format!("{title:0$}", width.unsigned_abs());
        Column::new(name, kind, title, width).ranked(match name {
            "stage" => Rank::Key,
            "tokens_per_second" | "verdict" => Rank::Main,
            _ => Rank::Other,
        })
    });
    let programs = ["rounds", "calls"];
    let columns = columns.chain(programs.map(|name| Column::for_programs(name, Text)));
    let points = figures.iter().map(|row| Point {
        label: row.stage.to_string(),
        name: row.name.clone(),
        value: row.tokens_per_second,
        interval: row.interval,
    });
    Document {
        title: run.trials.first().map(|trial| title(run, trial)),
        facts: facts(run, target),
        tables: vec![Table {
            name: "stages".to_owned(),
            columns: columns.collect(),
            rows: figures.iter().map(|figures| row(run, figures)).collect(),
            legend: Some(legend(figures, target)),
            ..Table::default()
        }],
        charts: vec![Chart {
            is_close_up: false,
            title: "generated tokens per second, by stage".to_owned(),
            points: points.collect(),
            around: None,
        }],
        ..Document::default()
    }
}

/// Name, type, heading, width.
const COLUMNS: &[(&str, Kind, &str, isize)] = &[
    ("stage", Int, "stage", 5),
    ("name", Text, "adds", -19),
    ("tokens_per_second", Float, "t/s", 6),
    ("interval", Text, "95 %", 15),
    ("own_us_per_token", Float, "own µs/token", 12),
    ("own_interval", Text, "95 %", 15),
    ("own_share", Float, "own %", 6),
    ("loss", Float, "loss %", 6),
    ("loss_interval", Text, "95 %", 14),
    ("verdict", Text, "verdict", -9),
];

fn row(run: &Run, row: &StageFigures) -> Row {
    let one = |value: f64| if value.is_finite() { format!("{value:.1}") } else { "-".into() };
    let percent = |share: f64| one(100.0 * share);
    let told = |value: Value, text: String| Cell::Told(value, text);
    let calls = run.trials.iter().find_map(|trial| match &trial.measured {
        Measured::Ladder { stage, calls, .. } if *stage == row.stage => Some(calls),
        _ => None,
    });
    let json = |value: Value| Cell::Json(value.to_string());
    vec![
        told(json!(row.stage), row.stage.to_string()),
        Cell::Text(row.name.clone()),
        told(json!(row.tokens_per_second), one(row.tokens_per_second)),
        told(json!(row.interval), range(row.interval, 1.0)),
        told(json!(row.own_us_per_token), row.own_us_per_token.map_or("-".into(), one)),
        told(json!(row.own_interval), range(row.own_interval, 1.0)),
        told(json!(row.own_share), row.own_share.map_or("-".into(), percent)),
        told(json!(row.loss), percent(row.loss)),
        told(json!(row.loss_interval), range(row.loss_interval, 100.0)),
        told(json!(row.verdict), verdict(row.verdict).to_owned()),
        json(json!(row.rounds)),
        json(json!(calls)),
    ]
    .into()
}

fn facts(run: &Run, target: StageTarget) -> Vec<Fact> {
    let first = run.trials.first();
    let workload = |name: &str| first.map(|trial| trial.count(name));
    vec![
        Fact::value("schema", run.schema),
        Fact::value("env", json!(run.env)),
        Fact::value("model", json!(first.map(|trial| &trial.model))),
        Fact::value(
            "workload",
            json!({
                "n_requests": workload("n_requests"),
                "concurrency": workload("concurrency"),
                "n_prompt_tokens": workload("n_prompt_tokens"),
                "n_gen_tokens": workload("n_gen_tokens"),
            }),
        ),
        Fact::value(
            "target",
            match target {
                StageTarget::Share(share) => json!({ "share": share }),
                StageTarget::TokensPerSecond(rate) => json!({ "tokens_per_second": rate }),
            },
        ),
        Fact::value("steal_share", first.and_then(|trial| trial.steal_share)),
    ]
}

fn legend(figures: &[StageFigures], target: StageTarget) -> String {
    let target = match target {
        StageTarget::Share(share) => {
            let first = figures.first().map_or(0, |row| row.stage);
            format!("{:.0} % of stage {first}", 100.0 * share)
        }
        StageTarget::TokensPerSecond(rate) => format!("{rate} t/s"),
    };
    let rounds = figures.iter().map(|row| row.rounds).min().unwrap_or(0);
    format!(
        "t/s: generated tokens over the whole run's time, prompts included. own: what this layer \
         adds to the stage before, within rounds. loss: against the first stage, paired. Target: \
         {target}. {rounds} rounds{}.",
        if rounds < 5 { "; intervals need 5" } else { "" }
    )
}

fn title(run: &Run, trial: &Trial) -> String {
    let count = |name| trial.count(name);
    format!(
        "{}, {}; {} requests, {} at a time, {} prompt tokens, {} generated; {}, {} processors; \
         pacemark {} ({})",
        trial.model.model_type,
        trial.model.isa,
        count("n_requests"),
        count("concurrency"),
        count("n_prompt_tokens"),
        count("n_gen_tokens"),
        run.env.cpu_model.as_deref().unwrap_or("unknown processor"),
        run.env.logical_cpus,
        run.env.version,
        run.env.commit,
    )
}

fn range(ends: Option<[f64; 2]>, scale: f64) -> String {
    ends.map_or_else(
        || "-".into(),
        |[low, high]| format!("{:.1} … {:.1}", low * scale, high * scale),
    )
}

fn verdict(verdict: StageVerdict) -> &'static str {
    match verdict {
        StageVerdict::Met => "met",
        StageVerdict::Missed => "missed",
        StageVerdict::Undecided => "undecided",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Page, chart, render};
    use pacemark_record::{Env, Model, STAGES_EXPERIMENT, Sample, stage_figures};

    fn sample(ms: u64) -> Sample {
        Sample { elapsed_ns: ms * 1_000_000, ..Sample::default() }
    }

    fn run() -> Run {
        let trial = |(stage, name, ms): (u64, &str, [u64; 5])| {
            let params = json!({ "n_requests": 40, "concurrency": 8, "n_prompt_tokens": 32,
                "n_gen_tokens": 50 });
            Trial {
                experiment: STAGES_EXPERIMENT.into(),
                model: Model {
                    model_type: "llama 135M Q4_1".into(),
                    isa: "avx512".into(),
                    ..Model::default()
                },
                params: params.as_object().unwrap().clone(),
                measured: Measured::Ladder {
                    stage,
                    name: name.into(),
                    samples: ms.iter().map(|ms| sample(*ms)).collect(),
                    calls: vec![250, 2000],
                },
                ..Trial::default()
            }
        };
        let env = Env {
            cpu_model: Some("A processor".into()),
            logical_cpus: 2,
            version: "1.2.3".into(),
            ..Env::default()
        };
        let trials = [
            (0, "decoder", [2000, 2010, 1990, 2000, 2005]),
            (1, "KV pages, sampling", [2020, 2030, 2012, 2019, 2026]),
            (9, "SSE to a client", [2500, 2530, 2490, 2510, 2500]),
        ];
        Run { schema: 1, env, trials: trials.map(trial).into(), ..Run::default() }
    }

    #[test]
    fn what_has_no_rate_is_a_dash() {
        let mut run = run();
        for trial in &mut run.trials {
            trial.params.insert("n_gen_tokens".into(), 0.into());
        }
        let target = StageTarget::Share(0.95);
        let document = stages(&run, &stage_figures(&run.trials, target), target);
        for format in ["table", "md", "csv", "json"] {
            let shown = render(&document, render::find(format).unwrap(), &Page::default());
            for word in ["NaN", "inf", "∞", "| met"] {
                assert!(!shown.contains(word), "{format}: {word} in {shown}");
            }
        }
    }

    #[test]
    fn what_people_and_machines_read() {
        let run = run();
        let target = StageTarget::Share(0.95);
        let figures = stage_figures(&run.trials, target);
        let document = stages(&run, &figures, target);
        let shown = |name| {
            let renderer = render::find(name).unwrap();
            render(&document, renderer, &Page::default())
        };
        insta::assert_snapshot!("stages_table", shown("table"));
        insta::assert_snapshot!("stages_svg", chart::svg(&document.charts[0]));
        let json: Value = serde_json::from_str(&shown("json")).unwrap();
        let keys: Vec<&String> = json["stages"][1].as_object().unwrap().keys().collect();
        assert_eq!(
            keys[..5],
            ["stage", "name", "tokens_per_second", "interval", "own_us_per_token"]
        );
        assert_eq!(
            (&json["stages"][1]["calls"], &json["stages"][2]["verdict"]),
            (&json!([250, 2000]), &json!("missed"))
        );
        assert_eq!(json["stages"][0]["own_us_per_token"], Value::Null);
    }
}
