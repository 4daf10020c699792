//! The parts of a load as tables: what each worker sent, and what each server of several answered.

use pacemark_load::METRICS;
use pacemark_record::{Request, Run, Sender, Trial, column};
use pacemark_report::layout::load_name;
use pacemark_report::{Cell, Column, Kind, Row, Table};
use serde_json::Value;

/// How to read the workers.
const WORKERS: &str = "Figures of each worker's own requests; those of the load are of all requests, pooled. began: its first \
    possible send, after the first worker's. clock: how it is known where its stamps belong on the common axis. off by: \
    the most that this is wrong; latencies are differences of one worker's stamps and never are.";

/// How to read the servers.
const SERVERS: &str = "Figures of the requests that went to each server. They are spread in turn: request, or conversation, \
    number i to server i modulo their number.";

/// Figures that parts are told by.
const FIGURES: [(&str, &str, usize); 6] = [
    ("requests", "requests", 0),
    ("failed", "failed", 0),
    ("request_rate", "req/s", 2),
    ("output_ts_total", "out t/s", 1),
    ("ttft_ms_p50", "ttft p50 ms", 1),
    ("tpot_ms_p50", "tpot p50 ms", 2),
];

/// The tables of a run, without those that would be empty.
pub(super) fn tables(run: &Run) -> Vec<Table> {
    let made = [
        table("workers", "worker", WORKERS, &CLOCKS, run, workers),
        table("servers", "server", SERVERS, &[("answer", "what failed")], run, servers),
    ];
    made.into_iter().filter(|table| !table.rows.is_empty()).map(Table::widened).collect()
}

const CLOCKS: [(&str, &str); 4] =
    [("began_ms", "began ms"), ("clock", "clock"), ("off_ms", "off by ms"), ("lost", "lost")];

fn table(
    name: &str,
    part: &str,
    legend: &str,
    further: &[(&str, &str)],
    run: &Run,
    rows: fn(&Trial) -> Vec<Row>,
) -> Table {
    let mut columns = vec![Column::new("load", Kind::Text, "load", -8)];
    columns.push(Column::new(part.to_owned(), Kind::Text, part.to_owned(), -8));
    let figures = FIGURES.iter().map(|(name, title, _)| {
        Column::new(
            (*name).to_owned(),
            Kind::Float,
            (*title).to_owned(),
            title.len().max(6) as isize,
        )
    });
    columns.extend(figures);
    columns.extend(further.iter().map(|(name, title)| {
        Column::new((*name).to_owned(), Kind::Text, (*title).to_owned(), -(title.len() as isize))
    }));
    Table {
        name: name.to_owned(),
        columns,
        rows: run.trials.iter().flat_map(rows).collect(),
        legend: Some(legend.to_owned()),
        ..Table::default()
    }
}

fn number(value: Option<f64>, digits: usize) -> Cell {
    match value.filter(|value| value.is_finite()) {
        Some(value) => Cell::Told(value.into(), format!("{value:.digits$}")),
        None => Cell::Told(Value::Null, "-".to_owned()),
    }
}

fn words(text: &str) -> Cell {
    Cell::Text(if text.is_empty() { "-" } else { text }.to_owned())
}

/// Name and figures of a part; [`None`] of what sent nothing.
fn begin(whole: &Trial, name: &str, part: Option<&Trial>) -> Vec<Cell> {
    let mut cells = vec![Cell::Text(load_name(whole)), words(name)];
    cells.extend(FIGURES.iter().map(|(name, _, digits)| {
        let metric = column(METRICS, name);
        let value = metric.and_then(|(metric, which)| metric.of(part?).part(which));
        number(value, *digits)
    }));
    cells
}

fn workers(trial: &Trial) -> Vec<Row> {
    let parts = trial.grouped(|request| request.sender.as_deref());
    let row = |sender: &Sender| {
        let mut cells = begin(trial, &sender.name, parts.get(&sender.name));
        let clock = sender.clock.as_ref();
        cells.push(number(clock.map(|_| sender.began_ns as f64 / 1e6), 3));
        cells.push(words(&clock.map_or(String::new(), |clock| {
            let trip = clock.round_trip_ns.map(|ns| format!(" {:.3} ms", ns as f64 / 1e6));
            format!("{}{}", clock.method.name(), trip.unwrap_or_default())
        })));
        cells.push(number(clock.and_then(|clock| Some(clock.error_ns? as f64 / 1e6)), 3));
        cells.push(words(sender.lost.as_deref().unwrap_or_default()));
        cells.into()
    };
    trial.load().map_or(Vec::new(), |load| load.senders.iter().map(row).collect())
}

fn servers(trial: &Trial) -> Vec<Row> {
    let parts = trial.grouped(|request: &Request| request.url.as_deref());
    let row = |(name, part): (&String, &Trial)| {
        let mut cells = begin(trial, name, Some(part));
        let failed: Vec<String> = part
            .failures()
            .into_iter()
            .map(|(kind, (count, example))| format!("{count} x {}, e.g. {example}", kind.name()))
            .collect();
        cells.push(words(&failed.join("; ")));
        cells.into()
    };
    parts.iter().map(row).collect()
}
