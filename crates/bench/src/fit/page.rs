//! A prediction on a page: what each setting takes and gives, where its memory goes, how it compares
//! with the model itself, and which setting to take.

use super::experiment::FitModel;
use super::figures::{
    KV, LOADING, LOADING_SEEN, MOST, PEAK_SEEN, PROCESS, RUNNING, RUNNING_SEEN, TABLE, WEIGHTS,
    WORK, over,
};
use super::{N_CTX, POLICY, recommended};
use crate::experiment::head;
use crate::{Experiment, Params, Warning, warnings};
use pacemark_record::{Fit, FitRate, Run, Series, Trial, stats};
use pacemark_report::{Cell, Column, Document, Rank, Row, Table, TrialRow, size as report_size};
use serde_json::Value;

/// How to read the table of settings.
const LEGEND: &str = "memory: the most of the process, while it loads or when every sequence has its \
    context. prefill: prompt tokens a second, of prompts of one chunk, and of prompts that fill the \
    context. decode: generated tokens a second of all sequences together, on an empty cache, and at \
    the end of the context. In parentheses where they will lie: the 95 % interval over rounds, wider \
    by half of what the machine's limits swung.";

/// How to read the comparison with the model itself.
const PROOF: &str = "ratio: predicted over measured. The model ran in a process of its own, on random \
    tokens; half of the rounds were taken before it and half after it.";

/// A setting's name.
pub(super) fn name(params: &Params) -> String {
    let text = |name: &str| params.get(name).and_then(Value::as_str).unwrap_or("-");
    let count = |name: &str| params.get(name).and_then(Value::as_u64).unwrap_or(0);
    let types = if text("type_k") == text("type_v") {
        text("type_k").to_owned()
    } else {
        format!("{}/{}", text("type_k"), text("type_v"))
    };
    let policy = match text(POLICY) {
        "full" | "-" => String::new(),
        spec => format!(" {spec}"),
    };
    format!("c{} x{} {types}{policy}", count(N_CTX), count("n_parallel"))
}

/// Bytes for people.
pub(super) fn size(bytes: u128) -> String {
    report_size(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// All of it.
pub(super) fn document(experiment: &FitModel, run: &Run) -> Document {
    let layout = experiment.layout(&[]);
    let rows = run
        .trials
        .iter()
        .map(|trial| layout.row(&TrialRow { env: &run.env, trial, comparisons: &[] }));
    let mut document = head(&layout, run);
    document.title = run.trials.first().map(title);
    document.tables[0].in_blocks = false;
    document.tables[0].rows = rows.map(|row| Row { block: None, ..row }).collect();
    let advice = recommended(&run.trials).map(|(_, why)| format!("Recommended: {why}."));
    let legend = [Some(LEGEND.to_owned()), advice];
    document.tables[0].legend = Some(legend.into_iter().flatten().collect::<Vec<_>>().join("\n\n"));
    document.tables.push(memory(&run.trials));
    document.tables.extend(proofs(&run.trials));
    document.tables.iter_mut().for_each(widen);
    document
}

/// Makes columns for people as wide as their texts: policies have long names.
fn widen(table: &mut Table) {
    let columns = table.columns.iter_mut().enumerate();
    for (i, column) in columns.filter(|(_, column)| column.readers.has_people()) {
        let texts = table.rows.iter().filter_map(|row| row.cells.get(i));
        let longest = texts.map(|cell| cell.text().chars().count()).max().unwrap_or(0);
        let width = column.width.unsigned_abs().max(longest) as isize;
        column.width = if column.width < 0 { -width } else { width };
    }
}

fn title(trial: &Trial) -> String {
    let budget = trial.fit().and_then(|fit| fit.budget_bytes);
    let budget =
        budget.map_or(String::new(), |bytes| format!(", {} of memory", size(bytes.into())));
    let trained = trial.fit().and_then(|fit| fit.trained_ctx);
    let trained = trained.map_or(String::new(), |n| format!(", trained for {n} tokens"));
    let threads = match trial.count("n_threads") {
        1 => "1 thread".to_owned(),
        n => format!("{n} threads"),
    };
    format!("{} ({}){trained}: {threads}{budget}", trial.model.model_type, trial.model.path)
}

/// What is to be known of a run besides.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let mut notes: Vec<String> =
        warnings(&run.env, &run.trials).iter().map(Warning::to_string).collect();
    // Most notes are of the model, whatever the setting.
    for (i, trial) in run.trials.iter().enumerate() {
        for note in &trial.notes {
            let is_new = run.trials[..i].iter().all(|other| !other.notes.contains(note));
            let of_all = run.trials.len() > 1 && run.trials.iter().all(|t| t.notes.contains(note));
            match (is_new, of_all) {
                (true, true) => notes.push(note.clone()),
                (_, false) => notes.push(format!("{}: {note}", name(&trial.params))),
                (false, true) => {}
            }
        }
        let n = trial.fit().map_or(0, |fit| fit.rounds.len());
        if n > 0 && n < trial.repetitions {
            let of = trial.repetitions;
            notes.push(format!("{}: cut short after {n} of {of} rounds", name(&trial.params)));
        }
    }
    notes
}

/// Where memory goes, for people: programs have it in the rows.
fn memory(trials: &[Trial]) -> Table {
    let parts = [
        ("weights", &WEIGHTS),
        ("table", &TABLE),
        ("KV", &KV),
        ("work", &WORK),
        ("process", &PROCESS),
        ("loading", &LOADING),
    ];
    let columns = parts.iter().map(|(title, _)| Column::for_people(*title, 11));
    let setting = Column::for_people("memory of", -20).ranked(Rank::Key);
    let largest = Column::for_people("largest ctx", 11);
    let row = |trial: &Trial| -> Row {
        let of = |part: &Series| match (part.of)(trial)[..] {
            [bytes, ..] => size(bytes as u128),
            [] => "-".to_owned(),
        };
        let most = trial.fit().and_then(|fit| fit.largest_ctx);
        let cells = std::iter::once(name(&trial.params))
            .chain(parts.iter().map(|(_, part)| of(part)))
            .chain([most.map_or("-".to_owned(), |n| n.to_string())]);
        cells.map(Cell::Text).collect::<Vec<_>>().into()
    };
    Table {
        columns: std::iter::once(setting).chain(columns).chain([largest]).collect(),
        rows: trials.iter().map(row).collect(),
        legend: Some(
            "largest ctx: tokens that each sequence may have within the memory there is, up to the \
             trained context"
                .to_owned(),
        ),
        ..Table::default()
    }
}

/// Predicted beside measured, where the model ran.
fn proofs(trials: &[Trial]) -> Option<Table> {
    let proved = trials.iter().filter(|trial| trial.fit().is_some_and(is_proved));
    let rows: Vec<Row> = proved.flat_map(compared).collect();
    let columns = [
        ("setting", -20, Rank::Key),
        ("figure", -22, Rank::Key),
        ("predicted", 12, Rank::Main),
        ("measured", 12, Rank::Main),
        ("ratio", 7, Rank::Main),
    ];
    let columns = columns.map(|(title, width, rank)| Column::for_people(title, width).ranked(rank));
    (!rows.is_empty()).then(|| Table {
        columns: columns.into(),
        rows,
        legend: Some(PROOF.to_owned()),
        ..Table::default()
    })
}

fn is_proved(fit: &Fit) -> bool {
    fit.proof.is_some()
}

/// A setting's figures, each predicted and measured.
fn compared(trial: &Trial) -> Vec<Row> {
    let rates = FitRate::ALL.map(|rate| {
        let title = match rate {
            FitRate::Prompt => "prefill t/s",
            FitRate::FullPrompt => "prefill t/s, full",
            FitRate::Decode => "decode t/s",
            FitRate::FullDecode => "decode t/s, full",
        };
        (title, rate.predicted(trial), rate.measured(trial), false)
    });
    let bytes = |title, predicted: &Series, measured: &Series| {
        (title, (predicted.of)(trial), (measured.of)(trial), true)
    };
    let memory = [
        bytes("memory, loading", &LOADING, &LOADING_SEEN),
        bytes("memory, running", &RUNNING, &RUNNING_SEEN),
        bytes("memory, most", &MOST, &PEAK_SEEN),
    ];
    let shown = |values: &[f64], is_bytes: bool| match stats::mean(values) {
        None => "-".to_owned(),
        Some(value) if is_bytes => size(value as u128),
        Some(value) => format!("{value:.2}"),
    };
    let row = |(title, predicted, measured, is_bytes): (&str, Vec<f64>, Vec<f64>, bool)| -> Row {
        let ratio = over(&predicted, &measured);
        let cells = [
            name(&trial.params),
            title.to_owned(),
            shown(&predicted, is_bytes),
            shown(&measured, is_bytes),
            ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}")),
        ];
        cells.map(Cell::Text).to_vec().into()
    };
    memory.into_iter().chain(rates).map(row).collect()
}

#[cfg(test)]
pub(super) mod tests;
