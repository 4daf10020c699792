//! Tasks on a page: a row for each task under each setting, what settings differ by, and where in a
//! context what was found stands.

use super::battery::{LENGTH, SETTING, TASK};
use super::difference::{Figure, is_first, of_setting, of_trial, tasks};
use crate::Experiment;
use crate::experiment::head;
use pacemark_record::stats::{CONFIDENCE, PAIRED_DIFFERENCE, PairedDifference};
use pacemark_record::{Item, Run, Trial};
use pacemark_report::{Cell, Column, Document, Kind, Rank, Row, Table, TrialRow};
use serde_json::Value;

/// How to read the differences.
const LEGEND: &str = "Differences are of the setting from the first one, item by item, in points of \
    100; the interval is the bootstrap's over items, p McNemar's exact one where items are right or \
    wrong. Better or worse needs an interval without zero, and p below 0.05 where there is one.";

/// The document of a run.
pub(super) fn document(experiment: &dyn Experiment, run: &Run, figures: &[Figure]) -> Document {
    let layout = experiment.layout(&[]);
    let mut document = head(&layout, run);
    document.title = run.trials.first().map(title);
    let table = &mut document.tables[0];
    table.in_blocks = false;
    for figure in figures {
        table.columns.extend(program_columns(figure.name));
    }
    for trial in &run.trials {
        let row = layout.row(&TrialRow { env: &run.env, trial, comparisons: &[] });
        let mut cells = row.cells;
        for figure in figures {
            cells.extend(program_cells(of_trial(&run.trials, trial, *figure)));
        }
        table.rows.push(Row { cells, block: None });
    }
    document.tables.extend(depths(&run.trials));
    document.tables.push(differences(&run.trials, figures));
    document
}

/// What ran.
fn title(trial: &Trial) -> String {
    let file = trial.params.get("file").and_then(Value::as_str);
    let of = file.map_or(String::new(), |file| format!(", {file}"));
    format!("{}{of}", trial.model.model_type)
}

/// A parameter in words.
pub(super) fn param<'a>(trial: &'a Trial, name: &str) -> &'a str {
    trial.params.get(name).and_then(Value::as_str).unwrap_or("-")
}

/// The length of a trial's prompts, or a dash.
pub(super) fn length(trial: &Trial) -> String {
    match trial.count(LENGTH) {
        0 => "-".to_owned(),
        length => length.to_string(),
    }
}

fn program_columns(name: &str) -> [Column; 6] {
    let column = |what: &str, kind| Column::for_programs(format!("{name}_{what}"), kind);
    [
        column("difference", Kind::Float),
        column("difference_ci95_low", Kind::Float),
        column("difference_ci95_high", Kind::Float),
        column("difference_p", Kind::Float),
        column("difference_pairs", Kind::Int),
        column("difference_verdict", Kind::Text),
    ]
}

fn program_cells(difference: Option<PairedDifference>) -> [Cell; 6] {
    let number = |of: fn(&PairedDifference) -> Option<f64>| -> Cell {
        difference.as_ref().and_then(of).into()
    };
    [
        number(|d| Some(d.difference)),
        number(|d| d.interval.map(|i| i.low)),
        number(|d| d.interval.map(|i| i.high)),
        number(|d| d.p),
        difference.map_or(Cell::Absent, |d| Cell::Int(d.pairs as i64)),
        difference.map_or(Cell::Absent, |d| d.change(CONFIDENCE).words().into()),
    ]
}

/// What settings differ by, for people: programs have it in the rows. Where there are several tasks,
/// over all of them, too.
fn differences(trials: &[Trial], figures: &[Figure]) -> Table {
    let columns = [
        ("setting", -24, Rank::Key),
        ("task", -18, Rank::Key),
        ("figure", -8, Rank::Key),
        ("difference", 10, Rank::Main),
        ("95 % from", 9, Rank::Other),
        ("to", 7, Rank::Other),
        ("p", 7, Rank::Other),
        ("pairs", 5, Rank::Other),
        ("verdict", -19, Rank::Main),
    ];
    let columns = columns.map(|(title, width, rank)| Column::for_people(title, width).ranked(rank));
    let several = tasks(trials).count() > 1;
    let mut rows = Vec::new();
    for figure in figures {
        for trial in trials.iter().filter(|trial| !is_first(trial)) {
            let found = of_trial(trials, trial, *figure);
            rows.extend(found.map(|found| row(trial, &task(trial), *figure, found)));
        }
        let mut turns: Vec<&Trial> = Vec::new();
        for trial in trials.iter().filter(|trial| several && !is_first(trial)) {
            if turns.iter().all(|other| other.turn != trial.turn) {
                turns.push(trial);
            }
        }
        for trial in turns {
            let found = of_setting(trials, trial.turn, *figure);
            rows.extend(found.map(|found| row(trial, "all", *figure, found)));
        }
    }
    let legend = (!rows.is_empty()).then(|| LEGEND.to_owned());
    Table { columns: columns.into(), rows, legend, ..Table::default() }
}

/// A task's name with the length of its prompts.
fn task(trial: &Trial) -> String {
    match trial.count(LENGTH) {
        0 => param(trial, TASK).to_owned(),
        length => format!("{} {length}", param(trial, TASK)),
    }
}

fn row(trial: &Trial, task: &str, figure: Figure, found: PairedDifference) -> Row {
    let points = |value: f64| format!("{:+.1}", value * 100.0);
    let dash = || "-".to_owned();
    let cells = [
        param(trial, SETTING).to_owned(),
        task.to_owned(),
        figure.name.to_owned(),
        points(found.difference),
        found.interval.map_or_else(dash, |i| points(i.low)),
        found.interval.map_or_else(dash, |i| points(i.high)),
        found.p.map_or_else(dash, |p| format!("{p:.4}")),
        found.pairs.to_string(),
        found.change(CONFIDENCE).words().to_owned(),
    ];
    cells.map(Cell::Text).to_vec().into()
}

/// Depths of a run's items, in order.
pub(super) fn all_depths(trials: &[Trial]) -> Vec<f64> {
    let items = trials.iter().filter_map(Trial::items).flat_map(|items| &items.items);
    let mut depths: Vec<f64> = items.filter_map(|item| item.depth).collect();
    depths.sort_by(f64::total_cmp);
    depths.dedup();
    depths
}

/// The mean of a trial's items at a depth.
pub(super) fn at_depth(trial: &Trial, depth: f64) -> Option<f64> {
    let items = trial.items()?.items.iter().filter(|item| item.depth == Some(depth));
    let scores: Vec<f64> = items.map(Item::score).collect();
    pacemark_record::stats::mean(&scores)
}

/// What was found by depth and length, for people; nothing where no depth was chosen.
fn depths(trials: &[Trial]) -> Option<Table> {
    let depths = all_depths(trials);
    if depths.is_empty() {
        return None;
    }
    let first = tasks(trials).next()?;
    let columns = [Column::for_people("setting", -24), Column::for_people("depth", 6)]
        .map(|column| column.ranked(Rank::Key));
    let lengths = tasks(trials).map(|task| Column::for_people(length(&task[0]), 7));
    let mut rows = Vec::new();
    for trial in first {
        for &depth in &depths {
            let cell = |task: &[Trial]| {
                let same = task.iter().find(|other| other.turn == trial.turn);
                let found = same.and_then(|trial| at_depth(trial, depth));
                found.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0))
            };
            let head = [param(trial, SETTING).to_owned(), format!("{depth} %")];
            let cells = head.into_iter().chain(tasks(trials).map(cell));
            rows.push(cells.map(Cell::Text).collect::<Vec<_>>().into());
        }
    }
    Some(Table {
        columns: columns.into_iter().chain(lengths).collect(),
        rows,
        legend: Some(
            "Found, by depth in the context (0 % is its beginning) and tokens of the prompt."
                .into(),
        ),
        ..Table::default()
    })
}

/// What a reader should know besides.
pub(super) fn notes(run: &Run) -> Vec<String> {
    // Of how busy the machine was no answer tells.
    let mut notes = Vec::new();
    let n = |trial: &Trial| trial.items().map_or(0, |items| items.items.len());
    let cut: Vec<String> = run
        .trials
        .iter()
        .filter(|trial| trial.items().is_some_and(|items| n(trial) < items.n_items as usize))
        .map(|trial| {
            format!(
                "{}, {} {} of {}",
                task(trial),
                param(trial, SETTING),
                n(trial),
                trial.repetitions
            )
        })
        .collect();
    if !cut.is_empty() {
        notes.push(format!("cut short, items measured: {}", cut.join("; ")));
    }
    if run.trials.iter().any(|trial| trial.turn > 0) {
        notes.push(format!("differences: {PAIRED_DIFFERENCE}"));
    }
    notes
}
