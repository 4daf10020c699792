//! The comparison on a page: a row for each engine, the ratios, what is not the same, what is missing
//! and why.

use super::fair::Unequal;
use super::{Versus, failure, n_runs, name, unequal};
use crate::experiment::head;
use crate::{Experiment, Warning, warnings};
use pacemark_record::{Run, Trial};
use pacemark_report::layout::comparisons;
use pacemark_report::{Cell, Column, Document, Rank, Row, Table, TrialRow};
use serde_json::Value;

/// Fewer rounds have no interval.
const INTERVAL: usize = 5;

/// Perplexities that differ by more are told of.
const APART: f64 = 0.01;

/// How to read the table.
const LEGEND: &str = "prefill: prompt tokens over the time to the first token; decode: tokens after the \
    first over their time; batch: tokens of all sequences a second once every one has its first; tokens a \
    second. x: decode beside the first engine's, round by round. load: from opening the file to ready to \
    compute. peak: the most resident memory of the process that computes; MiB are 2^20 bytes. PPL: \
    perplexity. % roof: the least time that this machine allows for a prompt and its answer, over the time \
    taken. ±: half of the 95 % interval. -: not measured; the notes say why.";

/// A row for each engine, then the ratios.
pub(super) fn document(experiment: &Versus, run: &Run) -> Document {
    let layout = experiment.layout(&[]);
    let compared = experiment.comparisons(&run.trials);
    let rows = run.trials.iter().zip(&compared);
    let mut document = head(&layout, run);
    document.title = run.trials.first().map(title);
    let table = &mut document.tables[0];
    table.in_blocks = false;
    table.rows = rows
        .map(|(trial, comparisons)| layout.row(&TrialRow { env: &run.env, trial, comparisons }))
        .map(|row| Row { block: None, ..row })
        .collect();
    let engines = std::mem::take(&mut document.tables[0]);
    document.tables[0] = engines.widened();
    document.tables.push(comparisons(&[], &compared.concat()).widened());
    document.tables.extend(terms(run));
    document.tables.push(Table { legend: Some(LEGEND.to_owned()), ..Table::default() });
    document
}

/// What was measured, in a line.
pub(super) fn title(trial: &Trial) -> String {
    let text = |name: &str| trial.params.get(name).and_then(Value::as_str).unwrap_or("-");
    let together = match trial.count(super::N_TOGETHER) {
        0 | 1 => String::new(),
        n => format!(", {n} sequences at once"),
    };
    let quality = match trial.params.get("file").and_then(Value::as_str) {
        Some(file) => format!(", perplexity on {file}"),
        None => String::new(),
    };
    format!(
        "{}: prompts of {} tokens and {} generated{together}{quality}",
        text("model"),
        trial.count("n_prompt"),
        trial.count("n_gen"),
    )
}

/// The terms that are not the same, a row for each engine; `None` where all are.
fn terms(run: &Run) -> Option<Table> {
    let unequal = unequal(&run.trials);
    let engines = &unequal.first()?.values;
    let heading = Column::for_people("not the same", -12).ranked(Rank::Key);
    let term = |of: &Unequal| {
        let width = of.term.len().max(8) as isize;
        Column::for_people(of.term.clone(), -width).ranked(Rank::Main)
    };
    let terms = unequal.iter().map(term);
    let row = |i: usize| {
        let values = unequal.iter().map(|of| Cell::Text(of.values[i].1.clone()));
        let cells: Vec<Cell> =
            std::iter::once(Cell::Text(engines[i].0.clone())).chain(values).collect();
        Row::from(cells)
    };
    let table = Table {
        name: "unequal".into(),
        columns: std::iter::once(heading).chain(terms).collect(),
        rows: (0..engines.len()).map(row).collect(),
        legend: Some("-: not known".into()),
        ..Table::default()
    };
    Some(table.widened())
}

/// What a reader should know besides.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let mut notes: Vec<String> = warnings(&run.env, &[]).iter().map(Warning::to_string).collect();
    for trial in &run.trials {
        let Some(of) = trial.contender() else { continue };
        let name = name(trial);
        if let Some(why) = failure(trial) {
            let n = n_runs(trial);
            notes.push(format!("{name}: failed after {n} of {} runs: {why}", trial.repetitions));
        }
        notes.extend(of.lacks.iter().map(|(what, why)| format!("{name}: no {what}: {why}")));
        notes.extend(of.warnings.iter().map(|warning| format!("{name}: {warning}")));
    }
    let measured = run.trials.iter().filter(|trial| failure(trial).is_none());
    if measured.clone().any(|trial| n_runs(trial) < INTERVAL) {
        notes.push(format!("rates have no intervals: it takes {INTERVAL} rounds (-r)"));
    }
    let cut: Vec<String> = measured
        .filter(|trial| n_runs(trial) < trial.repetitions)
        .map(|trial| format!("{} {} of {}", name(trial), n_runs(trial), trial.repetitions))
        .collect();
    if !cut.is_empty() {
        notes.push(format!("cut short, runs measured: {}", cut.join(", ")));
    }
    notes.extend(apart(&run.trials));
    notes
}

/// Perplexities that differ by more than a hundredth from the first one's.
fn apart(trials: &[Trial]) -> Option<String> {
    let mut all =
        trials.iter().filter_map(|trial| Some((name(trial), super::figures::ppl(trial)?)));
    let (first, own) = all.next()?;
    let far: Vec<String> = all
        .filter(|(_, ppl)| (ppl / own - 1.0).abs() > APART)
        .map(|(name, ppl)| format!("{name} {:+.1} %", (ppl / own - 1.0) * 100.0))
        .collect();
    (!far.is_empty())
        .then(|| format!("perplexities more than 1 % from that of {first}: {}", far.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::trials;
    use super::*;
    use pacemark_report::{Page, render, render::find};

    fn shown(format: &str, width: Option<usize>) -> String {
        let run = Run { trials: trials(), ..Run::default() };
        let mut document = document(&Versus, &run);
        document.notes = notes(&run);
        render(&document, find(format).unwrap(), &Page { width, ..Page::default() })
    }

    #[test]
    fn a_comparison_with_made_up_numbers() {
        insta::assert_snapshot!("versus_md", shown("md", None));
        for width in [80, 100, 140] {
            let wide = shown("md", Some(width));
            let tables = wide.lines().filter(|line| line.starts_with('|'));
            assert!(tables.clone().all(|line| line.chars().count() <= width), "{width}: {wide}");
        }
        assert!(shown("csv", None).lines().count() >= 4);
    }

    #[test]
    fn what_is_missing_has_a_reason() {
        let said = notes(&Run { trials: trials(), ..Run::default() }).join("\n");
        for words in [
            "broken: failed after 0 of 6 runs: it is not here",
            "server: no ppl: the server does not score",
            "more than 1 % from that of native: openvino +20.0 %",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
