//! What other machines were used for while a backend computed, and what that cost: taken before and
//! after each repetition, shown as a table below the figures, with what follows from it.

mod advice;
mod plan;
mod table;

use crate::{BenchError, Experiment};
pub(crate) use advice::advice;
use pacemark_backend::{Backend, Elsewhere};
use pacemark_record::Run;
use pacemark_record::{Away, Turns, Worker};
use pacemark_report::Table;
pub use plan::PlannedLink;

/// The tables of a run in which other machines computed: where the time went, and what other links
/// would make of it.
pub(crate) fn tables(experiment: &(impl Experiment + ?Sized), run: &Run) -> Vec<Table> {
    table::table(experiment, run).into_iter().chain(plan::table(experiment, run)).collect()
}

/// Runs something, and tells what other machines were used for meanwhile, where there are any. Asking
/// them takes a round trip to each, before and after.
pub(crate) fn watched<T>(
    backend: &dyn Backend,
    once: impl FnOnce() -> Result<T, BenchError>,
) -> Result<(T, Option<Away>), BenchError> {
    let before = backend.elsewhere();
    let made = once()?;
    let used = before.zip(backend.elsewhere());
    let away = used.map(|(before, after)| {
        let usage = after.usage.since(&before.usage);
        let workers = usage.workers.into_iter().map(|worker| Turns {
            sent_bytes: worker.sent_bytes,
            received_bytes: worker.received_bytes,
            round_trips: worker.round_trips,
            graphs: worker.graphs,
            turn_ns: worker.turn_ns,
            computing_ns: worker.computing_ns,
        });
        Away { away_ns: usage.away_ns, workers: workers.collect() }
    });
    Ok((made, away))
}

/// The other machines of a backend as they are recorded.
pub(crate) fn workers(backend: &dyn Backend) -> Vec<Worker> {
    let Some(Elsewhere { links, usage }) = backend.elsewhere() else { return Vec::new() };
    let of = usage.workers.iter().zip(links).map(|(worker, link)| Worker {
        name: worker.endpoint.to_string(),
        round_trip_ns: link.round_trip_ns,
        sent_bytes_per_s: link.sent_bytes_per_s,
        received_bytes_per_s: link.received_bytes_per_s,
    });
    of.collect()
}

#[cfg(test)]
mod tests;
