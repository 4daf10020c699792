//! A load of requests on a server, row by row. Who sends them is in `load`; here is how its trials
//! are shown.

mod parts;

use crate::experiment::{Case, How, Subject, mismatch};
use crate::repeat::CutShort;
use crate::{BenchError, Experiment};
use pacemark_load::{METRICS, warnings};
use pacemark_record::{LOAD_EXPERIMENT, Measured, Metric, Run, Trial};
use pacemark_report::layout::{self, load_name};
use pacemark_report::{Form, Table};

/// What a load comes to in one figure.
const HEADLINE: &str = "output_ts_total";

/// Requests to a server.
pub struct Load;

impl Experiment for Load {
    fn name(&self) -> &'static str {
        LOAD_EXPERIMENT
    }

    fn help(&self) -> &'static str {
        "requests to a server, and what its users would see"
    }

    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Level(level, row), Subject::Load(plan, watch)) = (case, subject) else {
            return Err(mismatch(self));
        };
        let cut = |error| CutShort { partial: Vec::new(), error };
        match plan.measure(*level, *row, *watch, how.stop) {
            Ok(Some(trial)) => Ok(vec![trial]),
            Ok(None) => Err(cut(BenchError::Interrupted)),
            Err(why) => Err(cut(why.into())),
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

    fn headline(&self) -> Option<&'static Metric> {
        METRICS.iter().find(|metric| metric.name() == HEADLINE)
    }

    fn form(&self) -> &'static Form {
        &layout::LOAD
    }

    fn further(&self, run: &Run) -> Vec<Table> {
        parts::tables(run)
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
