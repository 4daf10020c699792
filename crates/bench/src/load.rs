//! A load of requests on a server, row by row. Who sends them is in `load`; here is how its trials
//! are shown.

use crate::experiment::{Case, How, Subject, mismatch};
use crate::repeat::CutShort;
use crate::{BenchError, Experiment, Grid};
use pacemark_load::{METRICS, warnings};
use pacemark_record::{LOAD_EXPERIMENT, Measured, Metric, Run, Trial};
use pacemark_report::Form;
use pacemark_report::layout::{self, load_name};

/// Requests to a server.
pub struct Load;

/// Whoever can put a row's load on a server.
pub trait Server {
    /// Measures row number `row`; `None` where an interrupt came before a request had ended.
    fn load(&mut self, row: u64) -> Result<Option<Trial>, String>;
}

impl Experiment for Load {
    fn name(&self) -> &'static str {
        LOAD_EXPERIMENT
    }

    fn help(&self) -> &'static str {
        "requests to a server, and what its users would see"
    }

    /// A grid of tests has no requests.
    fn cases(&self, _: &Grid) -> Vec<Case> {
        Vec::new()
    }

    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        _: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Row(row), Subject::Server(server)) = (case, subject) else {
            return Err(mismatch(self));
        };
        match server.load(*row) {
            Ok(Some(trial)) => Ok(vec![trial]),
            Ok(None) => Err(CutShort { partial: Vec::new(), error: BenchError::Interrupted }),
            Err(why) => Err(CutShort { partial: Vec::new(), error: BenchError::Load(why) }),
        }
    }

    fn format(&self) -> &'static str {
        "table"
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Requests(_))
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn form(&self) -> &'static Form {
        &layout::LOAD
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        let mut notes = Vec::new();
        for trial in &run.trials {
            let name = load_name(trial);
            let said = trial.notes.iter().cloned().chain(warnings(trial));
            notes.extend(said.map(|note| format!("{name}: {note}")));
        }
        notes
    }
}
