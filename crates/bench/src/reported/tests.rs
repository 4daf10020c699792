//! Reports of runs that were made by hand, in every format.

use super::*;
use crate::throughput::Throughput;
use pacemark_record::{Sample, Trial};
use pacemark_report::picture::{Marks, svg};
use pacemark_report::{Cover, Lang, PAGES, Page, RENDERERS, render};
use serde_json::json;

/// A row of so many threads whose repetitions took these milliseconds for 64 tokens.
fn trial(n_threads: u64, elapsed_ms: &[u64]) -> Trial {
    let sample = |ms: &u64| Sample {
        elapsed_ns: ms * 1_000_000,
        ttft_ns: Some(ms * 10_000),
        gaps_ns: (0..63).map(|i| ms * 15_000 + i * 100).collect(),
        ..Sample::default()
    };
    let params = json!({ "n_prompt": 0, "n_gen": 64, "n_depth": 0, "n_threads": n_threads });
    let mut trial = Trial {
        experiment: "throughput".into(),
        params: params.as_object().unwrap().clone(),
        repetitions: elapsed_ms.len(),
        measured: elapsed_ms.iter().map(sample).collect::<Vec<_>>().into(),
        ..Trial::default()
    };
    trial.model.model_type = "<script>alert(1)</script> & \"q\"".into();
    trial
}

fn run() -> Run {
    let trials = vec![
        trial(1, &[1000, 1010, 990, 1005, 995, 1000]),
        trial(2, &[510, 505, 500, 503, 507, 504]),
        trial(4, &[505, 507, 502, 504, 509, 501]),
    ];
    let command = ["pacemark", "bench", "-t", "1,2,4"].map(str::to_owned).to_vec();
    let env = pacemark_record::Env { logical_cpus: 2, ..Default::default() };
    Run { trials, command, env, varied: vec!["n_threads".into()], ..Run::default() }
}

#[test]
fn a_sweep_is_drawn_and_advised_on() {
    let report = report(&Throughput, &[run()], &["run".to_owned()], &["n_threads"]);
    let titles: Vec<&str> = report.panels.iter().map(|panel| panel.title.as_str()).collect();
    assert_eq!(titles[0], "Generation: t/s over n_threads", "{titles:?}");
    let Marks::Lines { lines, guides, .. } = &report.panels[0].marks else { panic!() };
    assert_eq!((lines.len(), lines[0].points.len()), (1, 3));
    assert_eq!(guides[0].at, 2.0);
    assert!(titles.iter().any(|title| title.contains("each repetition")), "{titles:?}");
    assert!(titles.iter().any(|title| title.contains("share of values")), "{titles:?}");
    let advice = &report.reading.advice[0];
    assert!(advice.contains("n_threads helped from 1 to 2"), "{advice}");
    assert!(
        advice.ends_with("there are 2 processors, and more threads take turns on them."),
        "{advice}"
    );
    assert_eq!(report.reading.verdicts.len(), 3);
    assert_eq!(report.reading.commands, ["pacemark bench -t 1,2,4"]);
}

#[test]
fn it_renders_in_every_format_and_language_and_nothing_from_outside_is_markup() {
    let report = report(&Throughput, &[run()], &["run".to_owned()], &["n_threads"]);
    for lang in Lang::ALL {
        let cover = Cover { title: "<b>title</b>".into(), lang };
        for format in PAGES {
            let bytes = (format.write)(&cover, std::slice::from_ref(&report)).unwrap();
            assert!(bytes.len() > 1000, "{}", format.name);
            if format.name != "png" {
                let text = String::from_utf8(bytes).unwrap();
                assert!(!text.contains("<script") && !text.contains("<b>"), "{}", format.name);
                assert!(text.contains("&lt;b&gt;title"), "{}", format.name);
            }
        }
        for renderer in RENDERERS {
            let page = Page { lang, ..Page::default() };
            let text = render(&lang.document(&report), renderer, &page);
            assert!(text.contains("127"), "{}: {text}", renderer.name);
        }
    }
}

#[test]
fn a_run_without_a_figure_is_a_report_too() {
    let empty = Run { trials: vec![Trial::default()], ..Run::default() };
    for experiment in crate::EXPERIMENTS {
        let report = report(*experiment, std::slice::from_ref(&empty), &["run".to_owned()], &[]);
        for format in PAGES {
            (format.write)(&Cover::default(), std::slice::from_ref(&report)).unwrap();
        }
        for renderer in RENDERERS {
            render(&report, renderer, &Page::default());
        }
        let drawn = report.panels.iter().map(|panel| {
            svg(&pacemark_report::picture::Picture {
                panels: vec![panel.clone()],
                ..Default::default()
            })
        });
        assert!(drawn.clone().all(|svg| svg.starts_with("<svg")));
    }
}

/// What stands in reports and is ours: names and definitions of figures, headings, sentences.
fn words() -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for experiment in crate::EXPERIMENTS {
        words.push(experiment.help().to_owned());
        let shown = experiment.metrics().iter().filter(|metric| metric.in_tables);
        for metric in shown.chain(experiment.headline()) {
            words.extend([metric.title().trim().to_owned(), metric.help()]);
        }
        let head = experiment.layout(&[]).head();
        let people = head.columns.iter().filter(|column| column.readers.has_people());
        words.extend(people.map(|column| column.title.trim_end().to_owned()));
        let quantiles = experiment.metrics().iter().map(|metric| metric.series.title.trim());
        words.extend(quantiles.map(str::to_owned));
    }
    let report = report(&Throughput, &[run()], &["run".to_owned()], &["n_threads"]);
    for panel in &report.panels {
        words.extend([panel.title.clone(), panel.x_axis.clone(), panel.y_axis.clone()]);
        if let Marks::Lines { guides, .. } = &panel.marks {
            words.extend(guides.iter().map(|guide| guide.label.clone()));
        }
    }
    let reading = report.reading;
    words.extend(reading.advice);
    words.extend(reading.verdicts.into_iter().map(|verdict| verdict.text));
    let pairs = reading.definitions.into_iter().chain(reading.environment);
    words.extend(pairs.map(|(name, _)| name));
    words.retain(|word| word.chars().any(|c| c.is_alphabetic()));
    words.sort();
    words.dedup();
    words
}

#[test]
fn every_word_of_ours_is_there_in_every_language() {
    for lang in Lang::ALL {
        let words = words();
        let missing: Vec<&String> =
            words.iter().filter(|word| lang.known(word).is_none()).collect();
        assert!(
            missing.is_empty(),
            "{}: {} of {}: {missing:#?}",
            lang.name(),
            missing.len(),
            words.len()
        );
    }
}

#[test]
fn gaps_between_tokens_are_drawn_before_what_a_request_has_one_of() {
    let ms = 1_000_000;
    let request = |i: u64| pacemark_record::Request {
        sent_ns: i * 500 * ms,
        scheduled_ns: i * 500 * ms,
        chunks_ns: (0..9).map(|n| (i * 500 + 100 + n * 20 + i % 3) * ms).collect(),
        end_ns: (i * 500 + 300) * ms,
        output_usage: Some(9),
        ..Default::default()
    };
    let params = json!({ "concurrency": 1 });
    let trial = Trial {
        experiment: "load".into(),
        params: params.as_object().unwrap().clone(),
        measured: (0..24).map(request).collect::<Vec<_>>().into(),
        ..Trial::default()
    };
    let run = Run { trials: vec![trial], ..Run::default() };
    let titles: Vec<String> =
        crate::load::Load.panels(&run).into_iter().map(|panel| panel.title).collect();
    let at = |title: &str| titles.iter().position(|found| found == title);
    let gaps = at("itl: in the order in which it came");
    let waits = at("ttft: in the order in which it came");
    assert!(gaps.is_some() && gaps < waits, "{titles:#?}");
}

#[test]
fn what_races_prompts_and_layers_came_to_is_there_in_every_language() {
    for text in [
        "no difference; recommended: default",
        "target ttft_ms<300: missed (310.0)",
        "confirmation: confirmed, 1.115 times the default's (95 %: 1.110 to 1.120; 16 pairs)",
        "confirmation: not confirmed: not distinguishable from -t 1, 1.001 times that of -t 1 (no interval; 3 pairs)",
        "grade: good: 25.10 t/s, TTFT 210.00 ms (thresholds 30/200)",
        "trend: none beyond noise: the last third was 1.2 % faster than the first",
        "trend: cannot be told from noise: it takes 5 iterations, here are 2",
        "which layer is the dearest cannot be told: an interval takes five rounds",
        "no layer is shown to be the dearest: intervals of several touch",
        "t/s: none of 50 rows is shown to be the best; these cannot be told apart: a (1); 46 more",
        "It had not stopped to grow, but with an n_batch of 64 larger values change nothing.",
        "It had not stopped to grow, but there are only 2 processors.",
        "From 64 on no more is shown. Too noisy to tell: 128 (1221–2003).",
        "A card was held back in 40 % of the samples: power limit",
        "A card cannot be read any more: it fell off the bus",
        "Roofline of AMD EPYC (2): operations a second beside what the machine allows",
    ] {
        for lang in Lang::ALL {
            assert!(lang.known(text).is_some(), "{}: {text}", lang.name());
        }
    }
    let zh = |text: &str| Lang::Zh.known(text).unwrap();
    assert_eq!(
        zh(
            "It had not stopped to grow, but with prompts of 256 tokens larger values change nothing. Too noisy to tell: 128 (1–2)."
        ),
        "仍在提高，但提示词共 256 个词元，更大的值不会有任何改变。噪声太大，无法判断：128 (1–2)。"
    );
    assert_eq!(zh("no difference; recommended: default"), "没有差别；推荐：默认");
    assert_eq!(
        zh("From 64 on no more is shown. Too noisy to tell: 128 (12.5–2003)."),
        "从 64 起没有显示出提高。噪声太大，无法判断：128 (12.5–2003)。"
    );
}
