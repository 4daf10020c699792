//! Figures of this process and machine, and what figures mean: intervals, quantiles and verdicts as the
//! command has them.

use crate::error::{argument, of_output};
use pacemark_bench::Named;
use pacemark_record::stats::{self, Interval};
use pacemark_record::{Bound as TargetBound, Figure, Measure, TargetVerdict, env};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Level of all intervals.
const CONFIDENCE: f64 = 0.95;
/// As the suite's reports count: 2^30 bytes.
const GB: f64 = (1u64 << 30) as f64;

/// Resident bytes of this process.
#[pyfunction]
pub(crate) fn memory_now() -> Option<u64> {
    env::rss_bytes()
}

/// Most resident bytes since the last reset; `None` where the system does not tell, or cannot begin anew.
#[pyfunction]
pub(crate) fn peak_memory(reset: bool) -> Option<u64> {
    if reset && !env::reset_peak_rss() {
        return None;
    }
    env::peak_rss_bytes()
}

/// An interval of the mean; `None` of fewer than five values.
#[pyfunction]
pub(crate) fn mean_interval(py: Python<'_>, values: Vec<f64>) -> Option<(f64, f64)> {
    let interval = py.detach(|| stats::mean_interval(&values, CONFIDENCE));
    interval.map(|Interval { low, high }| (low, high))
}

/// A quantile that the sample bounds.
#[pyfunction]
pub(crate) fn quantile(mut values: Vec<f64>, q: f64) -> PyResult<Option<f64>> {
    if !(0.0..=1.0).contains(&q) {
        return Err(argument("q", "0 to 1", q));
    }
    values.sort_by(f64::total_cmp);
    Ok(stats::supported_quantile(&values, q, CONFIDENCE))
}

/// An interval of a quantile by order statistics; `None` where the sample does not bound it.
#[pyfunction]
pub(crate) fn quantile_interval(mut values: Vec<f64>, q: f64) -> PyResult<Option<(f64, f64)>> {
    if !(0.0..=1.0).contains(&q) {
        return Err(argument("q", "0 to 1", q));
    }
    values.sort_by(f64::total_cmp);
    Ok(stats::quantile_interval(&values, q, CONFIDENCE))
}

/// A bound's side and figure.
fn bound(target: &str, value: f64) -> PyResult<(TargetBound, &str)> {
    let (bound, figure) = match (target.strip_prefix("min_"), target.strip_prefix("max_")) {
        (Some(figure), _) => (TargetBound { min: Some(value), max: None }, figure),
        (_, Some(figure)) => (TargetBound { min: None, max: Some(value) }, figure),
        _ => {
            let found = pacemark_files::quoted(target);
            return Err(argument("targets", "names that begin with min_ or max_", found));
        }
    };
    Ok((bound, figure))
}

/// Whether a figure keeps a bound with its whole interval.
#[pyfunction]
#[pyo3(signature = (name, bound, value, low = None, high = None))]
pub(crate) fn judge(
    name: &str,
    bound: f64,
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
) -> PyResult<&'static str> {
    let (bound, _) = self::bound(name, bound)?;
    let interval = low.zip(high).map(|(low, high)| Interval { low, high });
    let figure = Figure { value: Some(value), interval };
    Ok(match bound.judge(&Measure { figure, runs: 1, needs: None }) {
        TargetVerdict::Met => "met",
        TargetVerdict::Missed => "missed",
        TargetVerdict::Undecided(_) => "undecided",
        TargetVerdict::NotMeasured => "not measured",
    })
}

/// The figure that a target bounds.
#[pyfunction]
pub(crate) fn figure_of(target: &str) -> PyResult<String> {
    let (_, figure) = bound(target, 0.0)?;
    let named = Named::parse(figure).map_err(PyValueError::new_err)?;
    Ok(named.name().to_owned())
}

/// The machine, by the names of the suite's reports.
#[pyfunction]
pub(crate) fn system(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    let usable = pacemark_limits::Processors::of(&pacemark_limits::System::here()).usable;
    dict.set_item("cpu", env::cpu_model())?;
    dict.set_item("ram_gb", env::memory_bytes().map(|bytes| bytes as f64 / GB))?;
    dict.set_item("kernel", env::kernel())?;
    dict.set_item("logical_cpus", usable)?;
    dict.set_item("pacemark_version", env!("CARGO_PKG_VERSION"))?;
    Ok(dict)
}

/// Writes a file whole or not at all.
#[pyfunction]
pub(crate) fn write_file(path: &str, data: &[u8]) -> PyResult<()> {
    let written = pacemark_files::write(std::path::Path::new(path), data);
    written.map(drop).map_err(|error| of_output(path, &error))
}
