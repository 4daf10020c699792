//! What a test would take over links that are not there yet: from a run with workers on this machine,
//! whose computing and traffic were measured, and the links' latency and bandwidth.

use super::advice::{alone_in, time};
use super::table::{name, number, per, unit};
use crate::Experiment;
use crate::parameter::PLAN;
use pacemark_record::{Run, Spent, Trial, Worker};
use pacemark_report::{Cell, Column, Kind, Row, Table};
use std::fmt;
use std::str::FromStr;

/// How to read it.
const LEGEND: &str = "Planned: workers were processes of this machine; their computing, the computing here, \
    round trips and bytes are as measured, the network is round trips x latency + bytes / bandwidth of each \
    link. Workers are taken to compute as fast as this machine, and to have its threads.";

/// A difference below this share is none.
const ALIKE: f64 = 0.05;

/// A link that workers may come to stand behind, e.g. `1gbit/1ms`: bits a second each way, and the time
/// of a round trip.
///
/// ```
/// use pacemark_bench::PlannedLink;
///
/// let link: PlannedLink = "1gbit/0.5ms".parse().unwrap();
/// assert_eq!((link.bytes_per_s, link.round_trip_ns), (125e6, 500_000));
/// assert!("1gbit".parse::<PlannedLink>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedLink {
    /// Each way.
    pub bytes_per_s: f64,
    /// There and back, nanoseconds.
    pub round_trip_ns: u64,
}

/// Units of a bandwidth in bits a second, and of a time in nanoseconds.
const BITS: &[(&str, f64)] = &[("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9)];
const TIMES: &[(&str, f64)] = &[("us", 1e3), ("ms", 1e6)];

impl FromStr for PlannedLink {
    type Err = String;

    fn from_str(text: &str) -> Result<PlannedLink, String> {
        let wrong =
            || format!("expected a bandwidth and a round trip such as 1gbit/1ms, found {text:?}");
        let (bandwidth, round_trip) = text.split_once('/').ok_or_else(wrong)?;
        let read = |text: &str, units: &[(&str, f64)]| {
            let (number, scale) =
                units.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)))?;
            let value = number.trim().parse::<f64>().ok()? * scale;
            value.is_finite().then_some(value)
        };
        let bits = read(bandwidth.trim(), BITS).filter(|bits| (1e3..=1e13).contains(bits));
        let ns = read(round_trip.trim(), TIMES).filter(|ns| (0.0..=1e10).contains(ns));
        let (bits, ns) = bits.zip(ns).ok_or_else(wrong)?;
        Ok(PlannedLink { bytes_per_s: bits / 8.0, round_trip_ns: ns as u64 })
    }
}

impl fmt::Display for PlannedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mbit, ms) = (self.bytes_per_s * 8.0 / 1e6, self.round_trip_ns as f64 / 1e6);
        write!(f, "{mbit} Mbit/s, {ms} ms")
    }
}

/// What a repetition would take where all workers stand behind such links, nanoseconds, and what of it
/// the network; `None` where workers do not tell what they compute.
fn predicted_ns(spent: &Spent, link: PlannedLink) -> Option<(f64, f64)> {
    let PlannedLink { bytes_per_s, round_trip_ns } = link;
    let behind = Worker {
        round_trip_ns,
        sent_bytes_per_s: bytes_per_s,
        received_bytes_per_s: bytes_per_s,
        ..Worker::default()
    };
    let network: Option<f64> = spent
        .workers
        .iter()
        .map(|w| behind.link_ns(w.round_trips, w.sent_bytes, w.received_bytes))
        .sum();
    let network = network?;
    Some((spent.here_ns + spent.computing_ns()? + network, network))
}

/// The table of a run that planned.
pub(super) fn table(experiment: &(impl Experiment + ?Sized), run: &Run) -> Option<Table> {
    let mut rows = Vec::new();
    for trial in &run.trials {
        let links = trial.params.get(PLAN.name).and_then(|links| links.as_str()).unwrap_or("");
        let Some(spent) = Spent::of(trial).filter(|_| !links.is_empty()) else { continue };
        let alone = alone_in(run, trial);
        let name = name(experiment, run, trial);
        let links = links.split(',').filter_map(|link| link.parse::<PlannedLink>().ok());
        rows.extend(links.filter_map(|link| row(&name, trial, &spent, alone, link)));
    }
    if rows.is_empty() {
        return None;
    }
    let columns = vec![
        Column::new("row", Kind::Text, "row", -6),
        Column::new("workers", Kind::Int, "workers", 7),
        Column::new("link", Kind::Text, "link", -10),
        Column::new("per", Kind::Text, "per", -5),
        Column::new("predicted_ms", Kind::Float, "predicted ms", 12),
        Column::new("network_ms", Kind::Float, "network ms", 10),
        Column::new("predicted_tps", Kind::Float, "t/s", 8),
        Column::new("alone_tps", Kind::Float, "alone t/s", 9),
        Column::new("advice", Kind::Text, "advice", -8),
    ];
    let legend = Some(LEGEND.to_owned());
    Some(Table { name: "plan".to_owned(), columns, rows, legend, ..Table::default() }.widened())
}

fn row(
    name: &str,
    trial: &Trial,
    spent: &Spent,
    alone: Option<&Trial>,
    link: PlannedLink,
) -> Option<Row> {
    let (ns, network) = predicted_ns(spent, link)?;
    let alone_ns = alone.and_then(|alone| time(alone).value);
    let tokens = trial.tokens_per_repetition() as f64;
    let advice = match alone_ns {
        None => "not measured alone",
        Some(alone) if ns < alone * (1.0 - ALIKE) => "workers",
        Some(alone) if ns > alone * (1.0 + ALIKE) => "one machine",
        Some(_) => "no difference",
    };
    let ms = |ns: f64| number(Some(ns / per(trial) / 1e6), 3);
    Some(Row::from(vec![
        Cell::Text(name.to_owned()),
        Cell::Int(trial.workers.len() as i64),
        Cell::Text(link.to_string()),
        Cell::Text(unit(trial).to_owned()),
        ms(ns),
        ms(network),
        number(Some(tokens / ns * 1e9), 2),
        number(alone_ns.map(|ns| tokens / ns * 1e9), 2),
        Cell::Text(advice.to_owned()),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::SpentAway;

    #[test]
    fn links_are_read_with_their_units() {
        let read = |text: &str| text.parse::<PlannedLink>();
        let link = |bytes_per_s, round_trip_ns| PlannedLink { bytes_per_s, round_trip_ns };
        assert_eq!(read("10gbit/100us"), Ok(link(1.25e9, 100_000)));
        assert_eq!(read("100mbit / 10ms"), Ok(link(12.5e6, 10_000_000)));
        for wrong in [
            "",
            "1gbit",
            "1/1",
            "1gbit/1s",
            "0gbit/1ms",
            "NaNgbit/1ms",
            "1gbit/-1ms",
            "1e99gbit/1ms",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read("1gbit/0.1ms").unwrap().to_string(), "1000 Mbit/s, 0.1 ms");
    }

    #[test]
    fn a_prediction_is_computing_and_the_new_way() {
        let worker = SpentAway {
            computing_ns: Some(8e6),
            network_ns: Some(9e9),
            link_ns: None,
            turn_ns: 9e9,
            sent_bytes: 125_000.0,
            received_bytes: 125_000.0,
            round_trips: 2.0,
        };
        let mut spent =
            Spent { elapsed_ns: 9e9, here_ns: 1e6, workers: vec![worker.clone(), worker] };
        // Each 2 x 1 ms and 2 x 1 ms for 125 KB at 1 Gbit/s.
        let (ns, network) = predicted_ns(&spent, "1gbit/1ms".parse().unwrap()).unwrap();
        assert!((ns - 25e6).abs() < 1.0 && (network - 8e6).abs() < 1.0, "{ns} {network}");
        spent.workers[0].computing_ns = None;
        assert_eq!(predicted_ns(&spent, "1gbit/1ms".parse().unwrap()), None);
    }
}
