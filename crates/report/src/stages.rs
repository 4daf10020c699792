//! The ladder of stages as a table, as JSON, as bars for a terminal and as an SVG chart.

use pacemark_record::{Run, StageFigures, StageVerdict, Target, Trial};
use serde_json::{Value, json};
use std::fmt::Write;

/// A Markdown table under what was run, and how to read it under the table.
pub fn table(run: &Run, figures: &[StageFigures], target: Target) -> String {
    let mut out = head(run);
    out += "| stage | adds                | t/s    | 95 %            | own µs/token | 95 %            | own %  | loss % | 95 %           | verdict   |\n";
    out += "| ----: | ------------------- | -----: | --------------: | -----------: | --------------: | -----: | -----: | -------------: | --------- |\n";
    for row in figures {
        let _ = writeln!(
            out,
            "| {:>5} | {:<19} | {:>6.1} | {:>15} | {:>12} | {:>15} | {:>6} | {:>6.1} | {:>14} | {:<9} |",
            row.stage,
            row.name,
            row.tokens_per_second,
            range(row.interval, 1.0, 1),
            number(row.own_us_per_token, 1.0, 1),
            range(row.own_interval, 1.0, 1),
            number(row.own_share, 100.0, 1),
            100.0 * row.loss,
            range(row.loss_interval, 100.0, 1),
            verdict(row.verdict),
        );
    }
    let target = match target {
        Target::Share(share) => {
            format!(
                "{:.0} % of stage {}",
                100.0 * share,
                figures.first().map_or(0, |row| row.stage)
            )
        }
        Target::TokensPerSecond(rate) => format!("{rate} t/s"),
    };
    let rounds = figures.iter().map(|row| row.rounds).min().unwrap_or(0);
    let _ = writeln!(
        out,
        "\nt/s: generated tokens over the whole run's time, prompts included. own: what this layer adds to the stage before, \
         within rounds. loss: against the first stage, paired. Target: {target}. {rounds} rounds{}.",
        if rounds < 5 { "; intervals need 5" } else { "" }
    );
    out
}

fn head(run: &Run) -> String {
    let Some(trial) = run.trials.first() else { return String::new() };
    let Trial { model, .. } = trial;
    let count = |name| trial.count(name);
    format!(
        "{}, {}; {} requests, {} at a time, {} prompt tokens, {} generated; {}, {} processors; pacemark {} ({})\n\n",
        model.model_type,
        model.isa,
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

fn number(value: Option<f64>, scale: f64, digits: usize) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{:.digits$}", value * scale))
}

fn range(ends: Option<[f64; 2]>, scale: f64, digits: usize) -> String {
    ends.map_or_else(
        || "-".into(),
        |[low, high]| format!("{:.digits$} … {:.digits$}", low * scale, high * scale),
    )
}

fn verdict(verdict: StageVerdict) -> &'static str {
    match verdict {
        StageVerdict::Met => "met",
        StageVerdict::Missed => "missed",
        StageVerdict::Undecided => "undecided",
    }
}

/// Everything, for a machine: the environment, what was run, a row for each stage.
pub fn json(run: &Run, figures: &[StageFigures], target: Target) -> Value {
    let first = run.trials.first();
    let workload = |name: &str| first.map(|trial| trial.count(name));
    let calls = |stage: u64| {
        let trial = run.trials.iter().find(|trial| trial.count("stage") == stage);
        trial.and_then(|trial| trial.params.get("calls").cloned())
    };
    let stages = figures.iter().map(|row| {
        let mut value = json!(row);
        value["calls"] = json!(calls(row.stage));
        value
    });
    json!({
        "schema": run.schema,
        "env": run.env,
        "model": first.map(|trial| &trial.model),
        "workload": {
            "n_requests": workload("n_requests"),
            "concurrency": workload("concurrency"),
            "n_prompt_tokens": workload("n_prompt_tokens"),
            "n_gen_tokens": workload("n_gen_tokens"),
        },
        "target": match target {
            Target::Share(share) => json!({ "share": share }),
            Target::TokensPerSecond(rate) => json!({ "tokens_per_second": rate }),
        },
        "steal_share": first.and_then(|trial| trial.steal_share),
        "stages": stages.collect::<Vec<_>>(),
    })
}

/// Widest bar.
const WIDTH: f64 = 50.0;

/// A bar for each stage, as long as its rate.
pub fn bars(figures: &[StageFigures]) -> String {
    let most = figures.iter().map(|row| row.tokens_per_second).fold(f64::MIN_POSITIVE, f64::max);
    let mut out = String::new();
    for row in figures {
        let length = (row.tokens_per_second / most * WIDTH).round().max(0.0) as usize;
        let _ = writeln!(
            out,
            "{:>2} {:<19} {:<50} {:.1}",
            row.stage,
            row.name,
            "█".repeat(length),
            row.tokens_per_second
        );
    }
    out
}

/// Size of the chart and of its margins, in pixels.
const SVG_WIDTH: f64 = 900.0;
const SVG_HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 110.0;

/// Rates over stages with their intervals, from zero.
pub fn svg(figures: &[StageFigures]) -> String {
    let high = |row: &StageFigures| row.interval.map_or(row.tokens_per_second, |[_, high]| high);
    let most = nice(figures.iter().map(high).fold(1.0, f64::max));
    let step = (SVG_WIDTH - LEFT - RIGHT) / figures.len().max(1) as f64;
    let x = |i: usize| LEFT + step * (i as f64 + 0.5);
    let y = |rate: f64| TOP + (SVG_HEIGHT - TOP - BOTTOM) * (1.0 - rate / most);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SVG_WIDTH} {SVG_HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"18\">generated \
         tokens per second, by stage; bars: 95 % intervals</text>\n"
    );
    for tick in 0..=5 {
        let rate = most * f64::from(tick) / 5.0;
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#ddd\"/><text x=\"{2}\" y=\"{3:.1}\" \
             text-anchor=\"end\" fill=\"#555\">{rate:.0}</text>",
            SVG_WIDTH - RIGHT,
            y(rate),
            LEFT - 8.0,
            y(rate) + 4.0
        );
    }
    let points: Vec<String> = figures
        .iter()
        .enumerate()
        .map(|(i, row)| format!("{:.1},{:.1}", x(i), y(row.tokens_per_second)))
        .collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f6feb\" stroke-width=\"2\"/>",
        points.join(" ")
    );
    for (i, row) in figures.iter().enumerate() {
        let (x, middle) = (x(i), y(row.tokens_per_second));
        if let Some([low, high]) = row.interval {
            let (low, high) = (y(low), y(high));
            let _ = writeln!(
                out,
                "<path d=\"M{0:.1} {low:.1}V{high:.1}M{1:.1} {low:.1}H{2:.1}M{1:.1} {high:.1}H{2:.1}\" stroke=\"#1f6feb\" \
                 fill=\"none\"/>",
                x,
                x - 5.0,
                x + 5.0
            );
        }
        let _ = writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"4\" fill=\"#1f6feb\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{:.0}</text>",
            y(0.0) + 18.0,
            row.tokens_per_second
        );
        let _ = writeln!(
            out,
            "<text transform=\"translate({x:.1},{:.1}) rotate(-25)\" text-anchor=\"end\" fill=\"#333\">{} {}</text>",
            y(0.0) + 36.0,
            row.stage,
            escape(&row.name)
        );
    }
    out + "</svg>\n"
}

/// The next of 1, 2, 5, 10, … at or above `value`, in tenths of its power of ten.
fn nice(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-9).log10().floor());
    (value / power * 2.0).ceil() / 2.0 * power
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::{Env, Model, STAGES_EXPERIMENT, Sample, stage_figures};

    fn run() -> Run {
        let trial = |(stage, name, ms): (u64, &str, [u64; 5])| {
            let params = json!({ "stage": stage, "name": name, "n_requests": 40, "concurrency": 8, "n_prompt_tokens": 32,
                "n_gen_tokens": 50, "calls": [250, 2000] });
            Trial {
                experiment: STAGES_EXPERIMENT.into(),
                model: Model {
                    model_type: "llama 135M Q4_1".into(),
                    isa: "avx512".into(),
                    ..Model::default()
                },
                params: params.as_object().unwrap().clone(),
                samples: ms
                    .iter()
                    .map(|ms| Sample { elapsed_ns: ms * 1_000_000, ..Sample::default() })
                    .collect(),
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
        Run { schema: 1, command: vec![], env, trials: trials.map(trial).into() }
    }

    #[test]
    fn what_people_and_machines_read() {
        let run = run();
        let target = Target::Share(0.95);
        let figures = stage_figures(&run.trials, target);
        insta::assert_snapshot!(
            "stages_table",
            table(&run, &figures, target) + "\n" + &bars(&figures)
        );
        insta::assert_snapshot!("stages_svg", svg(&figures));
        let json = json(&run, &figures, target);
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

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(
            [nice(1.0), nice(0.5), nice(972.0), nice(1001.0), nice(262.0)],
            [1.0, 0.5, 1000.0, 1500.0, 300.0]
        );
    }
}
