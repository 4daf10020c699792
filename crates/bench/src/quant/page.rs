//! The study on a page: a row for each type, which to prefer, and how to read it.

use super::advice::{Advice, Limits, advise};
use super::{MAX_KLD, QuantStudy, SOURCE, TYPE};
use crate::experiment::head;
use crate::{Experiment, Warning, warnings};
use pacemark_record::{Run, Trial};
use pacemark_report::{Document, Fact, Row, Table, TrialRow};
use serde_json::Value;

/// Fewer rounds have no interval.
const INTERVAL: usize = 5;

/// How to read the table.
const LEGEND: &str = "load: from opening the file to ready to compute. loaded, peak: resident \
    memory of the process, once the model is loaded and at most; MiB are 2^20 bytes. prefill: \
    prompt tokens over the time to the first token; decode: tokens after the first over their \
    time; tokens a second. x: decode beside the first type's, pair by pair. ±: half of the 95 % interval. KLD: mean divergence \
    from the weights that the types were made of, computed in single precision, nats; same top: \
    share of tokens whose most likely one is theirs.";

fn param<'a>(trial: &'a Trial, name: &str) -> &'a str {
    trial.params.get(name).and_then(Value::as_str).unwrap_or("-")
}

/// The type of a trial.
pub(super) fn name(trial: &Trial) -> &str {
    param(trial, TYPE)
}

/// Which type to prefer, by the limits that the trials were made under.
pub fn advice(trials: &[Trial]) -> Advice {
    let limit = |trial: &Trial| trial.params.get(MAX_KLD).and_then(Value::as_f64);
    let max_kld = trials.first().and_then(limit).unwrap_or(0.0);
    advise(trials, &Limits { max_kld })
}

/// A row for each type, and what to prefer.
pub(super) fn document(study: &QuantStudy, run: &Run) -> Document {
    let layout = study.layout(&[]);
    let compared = study.comparisons(&run.trials);
    let rows = run.trials.iter().zip(&compared);
    let mut document = head(&layout, run);
    document.title = run.trials.first().map(title);
    let Advice { name, reason } = advice(&run.trials);
    let said = if name.is_some() { "recommended" } else { "nothing recommended" };
    let said = format!("{said}: {reason}");
    document.facts = vec![Fact::value("recommended_type", name), Fact::value("reason", reason)];
    let table = &mut document.tables[0];
    (table.in_blocks, table.legend) = (false, Some(said));
    table.rows = rows
        .map(|(trial, comparisons)| layout.row(&TrialRow { env: &run.env, trial, comparisons }))
        .map(|row| Row { block: None, ..row })
        .collect();
    document.tables.push(Table { legend: Some(LEGEND.to_owned()), ..Table::default() });
    document
}

/// What was measured, in a line.
pub(super) fn title(trial: &Trial) -> String {
    let quality = match trial.distances().map_or(0, |d| d.apart.len()) {
        0 => "quality not measured".to_owned(),
        n => format!("quality on {n} chunks of {}", trial.count("n_ctx")),
    };
    format!(
        "{} in each type, prompts of {} tokens and {} generated, {quality}",
        param(trial, SOURCE),
        trial.count("n_prompt"),
        trial.count("n_gen"),
    )
}

/// What a reader should know besides.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let mut notes: Vec<String> = warnings(&run.env, &[]).iter().map(Warning::to_string).collect();
    let n = |trial: &Trial| trial.quantized().map_or(0, |found| found.runs.len());
    if run.trials.iter().any(|trial| n(trial) < INTERVAL) {
        notes.push(format!("rates have no intervals: it takes {INTERVAL} rounds (-r)"));
    }
    let cut = run.trials.iter().filter(|trial| n(trial) < trial.repetitions);
    let cut: Vec<String> =
        cut.map(|trial| format!("{} {} of {}", name(trial), n(trial), trial.repetitions)).collect();
    if !cut.is_empty() {
        notes.push(format!("cut short, runs measured: {}", cut.join(", ")));
    }
    let unscored = run.trials.iter().filter(|trial| trial.distances().is_none());
    let unscored: Vec<&str> = unscored.map(name).collect();
    if !unscored.is_empty() {
        notes.push(format!("quality was not measured: {}", unscored.join(", ")));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::super::testing::trials;
    use super::*;
    use pacemark_report::{Page, render, render::find};

    fn shown(format: &str, width: Option<usize>) -> String {
        let run = Run { trials: trials(), ..Run::default() };
        let mut document = document(&QuantStudy, &run);
        document.notes = notes(&run);
        render(&document, find(format).unwrap(), &Page { width, ..Page::default() })
    }

    #[test]
    fn a_study_with_made_up_numbers() {
        insta::assert_snapshot!("quant_md", shown("md", None));
        for width in [80, 100, 140] {
            let wide = shown("md", Some(width));
            assert!(wide.lines().all(|line| line.chars().count() <= width), "{width}: {wide}");
        }
        let json: Value = serde_json::from_str(&shown("json", None)).unwrap();
        assert_eq!(json["recommended_type"], "Q4_K_M");
        assert!(shown("csv", None).lines().count() >= 5);
    }

    #[test]
    fn what_was_cut_short_is_said() {
        let mut trials = trials();
        if let pacemark_record::Measured::Quantized(found) = &mut trials[2].measured {
            (found.distances, _) = (None, found.runs.truncate(2));
        }
        let said = notes(&Run { trials, ..Run::default() }).join("\n");
        for words in ["Q4_K_M 2 of 6", "not measured: Q4_K_M", "no intervals"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
