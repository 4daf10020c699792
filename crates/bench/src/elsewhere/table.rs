//! Where the time of runs on several machines went, as a table.

use crate::Experiment;
use pacemark_record::{Run, Spent, SpentAway, Trial, Worker};
use pacemark_report::{Cell, Column, Kind, Row, Table};

/// How to read it.
const LEGEND: &str = "Where the time goes on several machines: of generation per token, else per run. \
    computing: here, all time in which no worker had its turn; of a worker, by its own clock. network: \
    what is left of the worker's turn, from the first byte to it to the last byte back. by the link: \
    round trips x latency + bytes / bandwidth, both measured before the run. together: computing and \
    network by the link, as a share of the time that was measured.";

/// What all of a trial's times are divided by, and what that is.
pub(super) fn per(trial: &Trial) -> f64 {
    let (n_prompt, n_gen) = (trial.count("n_prompt"), trial.count("n_gen"));
    if n_prompt == 0 && n_gen > 0 { n_gen as f64 } else { 1.0 }
}

/// What a row is called; the one of a generation has no name of its own.
pub(super) fn name(experiment: &(impl Experiment + ?Sized), run: &Run, trial: &Trial) -> String {
    let name = experiment.row_name(run, trial);
    if name.is_empty() { experiment.name().to_owned() } else { name }
}

/// `token` or `run`.
pub(super) fn unit(trial: &Trial) -> &'static str {
    if per(trial) == 1.0 { "run" } else { "token" }
}

/// The way to a worker: `0.12 ms, 940 Mbit/s`.
pub(super) fn link(worker: &Worker) -> String {
    let mbit = |bytes_per_s: f64| bytes_per_s * 8.0 / 1e6;
    let (to, from) = (mbit(worker.sent_bytes_per_s), mbit(worker.received_bytes_per_s));
    let slower = to.min(from);
    format!("{:.2} ms, {slower:.0} Mbit/s", worker.round_trip_ns as f64 / 1e6)
}

/// The table of a run, where other machines computed for it.
pub(super) fn table(experiment: &(impl Experiment + ?Sized), run: &Run) -> Option<Table> {
    let split: Vec<(&Trial, Spent)> =
        run.trials.iter().filter_map(|trial| Some((trial, Spent::of(trial)?))).collect();
    let rows: Vec<Row> = split
        .iter()
        .flat_map(|(trial, spent)| rows(&name(experiment, run, trial), trial, spent))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let columns = vec![
        Column::new("row", Kind::Text, "row", -6),
        Column::new("per", Kind::Text, "per", -5),
        Column::new("machine", Kind::Text, "machine", -8),
        Column::new("computing_ms", Kind::Float, "computing ms", 12),
        Column::new("network_ms", Kind::Float, "network ms", 10),
        Column::new("link_ms", Kind::Float, "by the link ms", 14),
        Column::new("sent_kib", Kind::Float, "KiB sent", 8),
        Column::new("received_kib", Kind::Float, "KiB back", 8),
        Column::new("round_trips", Kind::Float, "round trips", 11),
    ];
    let table = Table {
        name: "machines".to_owned(),
        columns,
        rows,
        legend: Some(LEGEND.to_owned()),
        ..Table::default()
    };
    Some(table.widened())
}

pub(super) fn number(value: Option<f64>, digits: usize) -> Cell {
    match value.filter(|value| value.is_finite()) {
        Some(value) => Cell::Told(value.into(), format!("{value:.digits$}")),
        None => Cell::Told(serde_json::Value::Null, "-".to_owned()),
    }
}

fn rows(name: &str, trial: &Trial, spent: &Spent) -> Vec<Row> {
    let per = per(trial);
    let ms = |ns: Option<f64>| number(ns.map(|ns| ns / per / 1e6), 3);
    let row = |machine: String, times: [Option<f64>; 3], rest: [Cell; 3]| {
        let [computing, network, link] = times.map(ms);
        let [sent, received, trips] = rest;
        let (name, unit) = (Cell::Text(name.to_owned()), Cell::Text(unit(trial).to_owned()));
        Row::from(vec![
            name,
            unit,
            Cell::Text(machine),
            computing,
            network,
            link,
            sent,
            received,
            trips,
        ])
    };
    let none = || [None; 3].map(|value| number(value, 0));
    let mut rows = vec![row("here".to_owned(), [Some(spent.here_ns), None, None], none())];
    for (worker, away) in trial.workers.iter().zip(&spent.workers) {
        let SpentAway { computing_ns, network_ns, link_ns, .. } = *away;
        let kib = |bytes: f64| number(Some(bytes / per / 1024.0), 1);
        let rest = [
            kib(away.sent_bytes),
            kib(away.received_bytes),
            number(Some(away.round_trips / per), 2),
        ];
        let machine = format!("{} ({})", worker.name, link(worker));
        rows.push(row(machine, [computing_ns, network_ns, link_ns], rest));
    }
    let computing = spent.computing_ns().map(|ns| ns + spent.here_ns);
    let measured_ms = spent.elapsed_ns / per / 1e6;
    let machine = match spent.explained_ns() {
        Some(explained) => {
            let percent = explained / spent.elapsed_ns * 100.0;
            format!("together: {percent:.1} % of {measured_ms:.3} ms")
        }
        None => format!("together, measured: {measured_ms:.3} ms"),
    };
    rows.push(row(machine, [computing, spent.network_ns(), spent.link_ns()], none()));
    rows
}
