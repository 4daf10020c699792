//! What was found by depth and length, as a picture: a panel for each setting.

use super::battery::SETTING;
use super::difference::tasks;
use super::page::{all_depths, at_depth, length, param};
use pacemark_record::Trial;
use pacemark_report::picture::{Marks, Panel, Picture};

/// Panels beside each other, at most.
const COLUMNS: usize = 2;

/// Depth against length; `title` says what was looked for.
pub fn heat(trials: &[Trial], title: &str) -> Picture {
    let depths = all_depths(trials);
    let first = tasks(trials).next().unwrap_or_default();
    let panel = |trial: &Trial| {
        let of = |task: &[Trial]| task.iter().find(|other| other.turn == trial.turn).cloned();
        let row = |depth: &f64| {
            let cell = |task: &[Trial]| of(task).and_then(|trial| at_depth(&trial, *depth));
            tasks(trials).map(cell).collect()
        };
        Panel {
            title: param(trial, SETTING).to_owned(),
            y_axis: "depth".to_owned(),
            x_axis: "tokens of the prompt".to_owned(),
            marks: Marks::Cells {
                columns: tasks(trials).map(|task| length(&task[0])).collect(),
                rows: depths.iter().map(|depth| format!("{depth} %")).collect(),
                values: depths.iter().map(row).collect(),
            },
        }
    };
    let model = first.first().map_or("", |trial| &trial.model.model_type);
    Picture {
        title: format!("{title}: {model}"),
        notes: vec![format!(
            "in each cell the share that was found, in %, of {}; dark is all, light is none",
            trials_of_a_cell(first, &depths)
        )],
        panels: first.iter().map(panel).collect(),
        columns: first.len().clamp(1, COLUMNS),
        ..Picture::default()
    }
}

/// How many items a cell is the mean of, where nothing was cut short.
fn trials_of_a_cell(trials: &[Trial], depths: &[f64]) -> String {
    let n_items = trials.first().and_then(Trial::items).map_or(0, |items| items.n_items as usize);
    match n_items / depths.len().max(1) {
        1 => "one trial".to_owned(),
        n => format!("{n} trials"),
    }
}
