//! The study on a page: its table, how it is to be read, and what to know of it.

use super::experiment::KvStudy;
use super::study::{METHOD, N_SAMPLES, N_TOKENS};
use crate::experiment::head;
use crate::{Experiment, Warning, warnings};
use pacemark_record::{Comparison, Run, Texts, Trial, Verdict};
use pacemark_report::{Cell, Column, Document, Rank, Row, Table, TrialRow};
use serde_json::Value;

/// Fewer continuations have no interval.
const INTERVAL: usize = 5;

/// How to read the table.
const LEGEND: &str = "TTFT: prompt computed and first token known. TPOT: a token after the first. \
    Thruput: generated tokens over the time of both, a second. RSS: the most memory of the process \
    meanwhile, the model's included. Cache: tokens kept at the end, the mean over layers and KV \
    heads; Cache max: in the layer that keeps most. KV: bytes over all layers, of the pages that \
    are allocated and of the tokens in them. GB and MB are 2^30 and 2^20 bytes. Times as fast: \
    TPOT of the first method over that of this one, generation by generation.";

/// The method of a trial.
pub(super) fn name(trial: &Trial) -> &str {
    trial.params.get(METHOD).and_then(Value::as_str).unwrap_or("-")
}

/// A row for each method, and below what their times compare to. A method's name says what it is:
/// its parameters need no columns.
pub(super) fn document(study: &KvStudy, run: &Run) -> Document {
    let layout = study.layout(&[]);
    let compared = study.comparisons(&run.trials);
    let rows = run.trials.iter().zip(&compared);
    let mut document = head(&layout, run);
    document.title = run.trials.first().map(title);
    // As people know it from the script, in every format for them.
    document.tables[0].in_blocks = false;
    document.tables[0].rows = rows
        .map(|(trial, comparisons)| layout.row(&TrialRow { env: &run.env, trial, comparisons }))
        .map(|row| Row { block: None, ..row })
        .collect();
    document.tables.push(Table { legend: Some(LEGEND.to_owned()), ..speeds(&compared.concat()) });
    document
}

/// How fast each generates beside the first, for people: programs have it in the rows.
fn speeds(compared: &[Comparison]) -> Table {
    let columns = [
        ("Method", -25, Rank::Key),
        ("times as fast", 13, Rank::Main),
        ("95 % from", 9, Rank::Other),
        ("to", 7, Rank::Other),
        ("pairs", 5, Rank::Other),
        ("verdict", -19, Rank::Main),
    ];
    let columns = columns.map(|(title, width, rank)| Column::for_people(title, width).ranked(rank));
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    // A comparison is of the first with another; here the other is looked at.
    let verdict = |verdict: Verdict| match verdict {
        Verdict::Faster => "slower",
        Verdict::Slower => "faster",
        Verdict::NotDistinguishable => "not distinguishable",
        Verdict::TooFewPairs => "too few pairs",
    };
    let row = |c: &Comparison| -> Row {
        let cells = [
            c.second.clone(),
            number(Some(c.ratio)),
            number(c.ci95_low),
            number(c.ci95_high),
            c.pairs.to_string(),
            verdict(c.verdict).to_owned(),
        ];
        cells.map(Cell::Text).to_vec().into()
    };
    Table { columns: columns.into(), rows: compared.iter().map(row).collect(), ..Table::default() }
}

/// What was measured, in a line.
pub(super) fn title(trial: &Trial) -> String {
    let count = |name: &str| trial.count(name);
    let n_samples = count(N_SAMPLES);
    format!(
        "{}, {n_samples} {} of {} tokens, the last {} generated",
        trial.model.model_type,
        if n_samples == 1 { "sample" } else { "samples" },
        count(N_TOKENS),
        count("n_gen"),
    )
}

/// What a reader should know besides.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let mut notes: Vec<String> =
        warnings(&run.env, &run.trials).iter().map(Warning::to_string).collect();
    for trial in &run.trials {
        notes.extend(trial.notes.iter().map(|note| format!("{}: {note}", name(trial))));
    }
    let n = |trial: &Trial| trial.texts().into_iter().flat_map(Texts::continued).count();
    let cut = run.trials.iter().filter(|trial| n(trial) < trial.repetitions);
    let cut: Vec<String> =
        cut.map(|trial| format!("{} {} of {}", name(trial), n(trial), trial.repetitions)).collect();
    if !cut.is_empty() {
        notes.push(format!("cut short, generations measured: {}", cut.join(", ")));
    }
    if run.trials.iter().any(|trial| n(trial) < INTERVAL) {
        notes.push(format!(
            "figures of time have no intervals: it takes {INTERVAL} generations, samples times -r"
        ));
    }
    let unknown = |trial: &Trial| {
        let mut all = trial.texts().into_iter().flat_map(Texts::continued);
        all.any(|continued| continued.peak_rss_bytes.is_none())
    };
    if run.trials.iter().any(unknown) {
        notes.push("no RSS: this system does not count a process's peak anew".to_owned());
    }
    notes.extend(apart(&run.trials));
    notes
}

/// That some were not measured in turn with the others.
pub(super) fn apart(trials: &[Trial]) -> Option<String> {
    let apart: Vec<&str> = trials.iter().skip(1).filter(|t| t.turn == 0).map(name).collect();
    (!apart.is_empty()).then(|| {
        format!(
            "measured in a pass of their own after the others, another type of cache being another \
             load of the model: {}. Their times are not from the same minutes as the others'",
            apart.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::pictures::{comparison, pareto};
    use super::super::testing::trials;
    use super::*;
    use pacemark_report::{Page, render, render::find};

    fn shown(format: &str, width: Option<usize>) -> String {
        let run = Run { trials: trials(), ..Run::default() };
        let mut document = document(&KvStudy, &run);
        document.notes = notes(&run);
        render(&document, find(format).unwrap(), &Page { width, ..Page::default() })
    }

    #[test]
    fn a_study_with_made_up_numbers() {
        insta::assert_snapshot!("study_md", shown("md", None));
        insta::assert_snapshot!("study_md_on_80_columns", shown("md", Some(80)));
        insta::assert_snapshot!("study_table", shown("table", Some(100)));
        for width in [80, 100, 140] {
            let wide = shown("md", Some(width));
            assert!(wide.lines().all(|line| line.chars().count() <= width), "{width}: {wide}");
        }
        let row: Value = serde_json::from_str(&shown("json", None)).unwrap();
        assert_eq!(
            (&row[1]["method"], &row[1]["cache_mean"]),
            (&"streaming_128".into(), &128.0.into())
        );
        assert_eq!(row[2]["ppl"], Value::Null, "what was not measured is absent");
    }

    #[test]
    fn what_was_cut_short_is_said() {
        let mut trials = trials();
        trials[1].repetitions = 6;
        let notes = notes(&Run { trials, ..Run::default() }).join("\n");
        assert!(notes.contains("streaming_128 3 of 6") && !notes.contains("baseline 3"), "{notes}");
        assert!(!notes.contains("a pass of their own"), "{notes}");
    }

    #[test]
    fn a_pass_of_its_own_is_said_on_page_and_picture() {
        let mut trials = trials();
        trials[2].turn = 0;
        assert_eq!(KvStudy.comparisons(&trials)[2], [], "not compared across minutes");
        let said = apart(&trials).unwrap();
        assert!(said.contains("a pass of their own") && said.contains(": snapkv_128."), "{said}");
        for picture in [comparison(&trials), pareto(&trials)] {
            assert_eq!(picture.notes[1], said);
        }
    }
}
