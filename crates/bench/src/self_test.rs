//! How far a load's client is off, by the number of streams. Who sends the requests is in `load`;
//! here is how its trials are shown.

use crate::experiment::{Case, How, Subject, mismatch};
use crate::repeat::CutShort;
use crate::{BenchError, Experiment};
use pacemark_load::{BUSY, self_test};
use pacemark_record::{
    Measured, Metric, Percentiles, Run, SELF_TEST_EXPERIMENT, SelfTestFigures, Told, Trial,
    self_test_figures,
};
use pacemark_report::{Cell, Column, Document, Fact, Kind, Rank, Row, Table};
use serde_json::{Value, json};

/// The client's own error.
pub struct SelfTest;

/// Whoever can start mock servers.
pub trait Mocks {
    /// Starts the one that a test asks for, in place of the last one.
    fn start(&mut self, test: &self_test::SelfTest) -> Result<pacemark_load::Target, String>;
}

impl Experiment for SelfTest {
    fn name(&self) -> &'static str {
        SELF_TEST_EXPERIMENT
    }

    fn help(&self) -> &'static str {
        "how far a load's own stamps are off, against the clock of a mock server"
    }

    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Mock(test), Subject::Mocks(mocks, watch)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let cut = |error| CutShort { partial: Vec::new(), error };
        let target = mocks.start(test).map_err(|why| cut(BenchError::Machine(why)))?;
        match test.measure(target, *watch, how.stop) {
            Ok(Some(trial)) => Ok(vec![trial]),
            Ok(None) => Err(cut(BenchError::Interrupted)),
            Err(why) => Err(cut(why.into())),
        }
    }

    fn metrics(&self) -> &'static [Metric] {
        &[]
    }

    fn row_name(&self, _: &Run, trial: &Trial) -> String {
        format!("{} streams", self_test_figures(trial).streams)
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Requests(_))
    }

    fn format(&self) -> &'static str {
        "table"
    }

    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        let mut notes = Vec::new();
        for trial in &run.trials {
            let figures = self_test_figures(trial);
            let failed = trial.requests().iter().find_map(|request| request.failure.as_ref());
            let failed = failed.map(|failure| failure.message.clone());
            let doubts = figures.doubts(BUSY).into_iter();
            let doubts =
                doubts.map(|doubt| format!("{doubt}: too many for this client on this machine"));
            let said = failed.into_iter().chain(doubts);
            notes.extend(said.map(|why| format!("{} streams: {why}", figures.streams)));
        }
        notes
    }

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        let first = run.trials.first();
        let param = |name: &str| {
            first.and_then(|trial| trial.params.get(name)).cloned().unwrap_or_default()
        };
        let client = first.and_then(|trial| trial.load()).and_then(|load| load.client.as_ref());
        let stamps = client.map_or("-", |client| &client.stamps);
        let facts = ["ttft_ms", "tokens"].map(|name| Fact::value(name, param(name)));
        let title = format!(
            "A mock server, {} tokens an answer, the first after {} ms; stamps by the {stamps}.",
            param("tokens"),
            param("ttft_ms"),
        );
        Document {
            title: Some(title),
            facts: facts.into_iter().chain([Fact::value("stamps", stamps)]).collect(),
            tables: vec![Table {
                name: "rows".to_owned(),
                columns: columns(),
                rows: run.trials.iter().map(|trial| row(&self_test_figures(trial))).collect(),
                legend: Some(LEGEND.to_owned()),
                ..Table::default()
            }],
            ..Document::default()
        }
    }
}

const LEGEND: &str = "Times in ms: what the client measured, and in parentheses how much more that is than by the times at which the \
    server wrote. late: a stamp after its chunk was written; together: chunks with the stamp of the one before.";

fn columns() -> Vec<Column> {
    use Kind::{Float, Int, Text};
    vec![
        Column::new("streams", Int, "streams", 7).ranked(Rank::Key),
        Column::for_programs("itl_ms", Float),
        Column::new("chunks_per_second", Float, "chunks/s", 8),
        Column::new("requests", Int, "requests", 8),
        Column::new("failed", Int, "failed", 6).ranked(Rank::Main),
        Column::new("ttft_ms_p50", Text, "ttft p50", 18).ranked(Rank::Main),
        Column::new("ttft_ms_p99", Text, "ttft p99", 18).ranked(Rank::Main),
        Column::new("itl_ms_p50", Text, "itl p50", 17),
        Column::new("itl_ms_p99", Text, "itl p99", 17),
        Column::new("late_ms_p50", Float, "late p50", 8),
        Column::new("late_ms_p99", Float, "late p99", 8),
        Column::new("stamped_together", Float, "together", 8),
        Column::new("client_cpu", Float, "cpu", 5),
    ]
}

fn row(figures: &SelfTestFigures) -> Row {
    let SelfTestFigures { streams, itl_ms, requests, failed, ttft, itl, late, .. } = figures;
    let percent = |share: f64, digits: usize| {
        Cell::Told(json!(share), format!("{:.digits$} %", share * 100.0))
    };
    let rate = figures.chunks_per_second();
    let mut cells = vec![
        Cell::Int(*streams as i64),
        Cell::Told(json!(itl_ms), String::new()),
        Cell::Told(json!(rate), format!("{rate:.0}")),
        Cell::Int(*requests as i64),
        Cell::Int(*failed as i64),
    ];
    cells.extend(
        [ttft, itl].into_iter().flat_map(|Percentiles { p50, p99 }| [told(*p50), told(*p99)]),
    );
    cells.extend([late.p50, late.p99].map(|late| match late {
        Some(ms) => Cell::Told(json!(ms), format!("{ms:.3}")),
        None => Cell::Absent,
    }));
    cells.extend([percent(figures.together, 2), percent(figures.client_cpu, 0)]);
    cells.into()
}

fn told(of: Option<Told>) -> Cell {
    let Some(told) = of else { return Cell::Told(Value::Null, "-".to_owned()) };
    let Told { measured, truth } = told;
    let error = told.error();
    Cell::Told(
        json!({ "measured": measured, "true": truth, "error": error }),
        format!("{measured:.3} ({error:+.3})"),
    )
}
