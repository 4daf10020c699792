//! What devices did, as a table below the figures; none where no device was sampled.

use crate::Experiment;
use pacemark_record::{DeviceUse, Run, Trial};
use pacemark_report::{Cell, Column, Kind, Row, Table, size};
use serde_json::Value;

const LEGEND: &str = "Energy of the counted repetitions over the tokens computed in them, and means over the samples of \
    those repetitions. Idle power is within it, and of a package all else that ran on the machine.";

/// Columns: name, heading, width. The first two are always there, of the others those with a value.
const COLUMNS: &[(&str, Kind, &str, isize)] = &[
    ("row", Kind::Text, "row", -6),
    ("device", Kind::Text, "device", -8),
    ("j_per_token", Kind::Float, "J/token", 9),
    ("power_w", Kind::Float, "power W", 7),
    ("utilisation", Kind::Float, "% used", 6),
    ("clock_mhz", Kind::Float, "MHz", 6),
    ("peak_process_bytes", Kind::Int, "peak memory", 11),
    ("memory_bytes", Kind::Int, "memory of all", 13),
    ("held_back", Kind::Float, "% held back", 11),
];

/// The table of a run.
pub(crate) fn table(experiment: &(impl Experiment + ?Sized), run: &Run) -> Option<Table> {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for trial in &run.trials {
        let name = experiment.row_name(run, trial);
        rows.extend(trial.devices.iter().map(|device| cells(&name, trial, device)));
    }
    let is_told = |i: &usize| rows.iter().any(|row| !row[*i].plain().is_empty());
    let kept: Vec<usize> = (0..COLUMNS.len()).filter(|i| *i < 2 || is_told(i)).collect();
    if rows.is_empty() {
        return None;
    }
    let column = |i: &usize| {
        let (name, kind, title, width) = COLUMNS[*i];
        Column::new(name, kind, title, width)
    };
    let row =
        |cells: &Vec<Cell>| Row::from(kept.iter().map(|i| cells[*i].clone()).collect::<Vec<_>>());
    let table = Table {
        name: "devices".to_owned(),
        columns: kept.iter().map(column).collect(),
        rows: rows.iter().map(row).collect(),
        legend: Some(LEGEND.to_owned()),
        ..Table::default()
    };
    Some(table.widened())
}

fn cells(name: &str, trial: &Trial, device: &DeviceUse) -> Vec<Cell> {
    let n_tokens = trial.tokens_per_repetition() as f64 * device.repetitions.len() as f64;
    let per_token = device.energy_j().filter(|_| n_tokens > 0.0).map(|joules| joules / n_tokens);
    let percent = |share: f64| share * 100.0;
    let bytes = device.samples.iter().filter_map(|sample| sample.memory_bytes).max();
    let held = device.throttled().map(|(_, share)| share);
    // Nothing of it was ever held back, of a card that would say so, is none.
    let held =
        held.or(device.samples.iter().any(|sample| sample.clock_mhz.is_some()).then_some(0.0));
    vec![
        Cell::Text(name.to_owned()),
        Cell::Text(device.name.clone()),
        number(per_token, 4),
        number(device.mean_power_w(), 1),
        number(device.mean(|sample| sample.utilisation).map(percent), 0),
        number(device.mean(|sample| sample.clock_mhz.map(|mhz| mhz as f64)), 0),
        in_bytes(device.peak_process_bytes),
        in_bytes(bytes),
        number(held.map(percent), 0),
    ]
}

fn number(value: Option<f64>, digits: usize) -> Cell {
    match value.filter(|value| value.is_finite()) {
        Some(value) => Cell::Told(value.into(), format!("{value:.digits$}")),
        None => Cell::Told(Value::Null, "-".to_owned()),
    }
}

fn in_bytes(bytes: Option<u64>) -> Cell {
    match bytes {
        Some(bytes) => Cell::Told(bytes.into(), size(bytes)),
        None => Cell::Told(Value::Null, "-".to_owned()),
    }
}
