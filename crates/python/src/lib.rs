//! The compiled part of the Python package: models that are loaded and asked, clocks, statistics.
//!
//! `engine` is a loaded model, `stream` an answer as it comes and `timed` many requests with their times;
//! `wait` is the one place that waits, without the interpreter's lock. `model` finds files, `measure` has
//! figures of this process and what they mean, `error` the exceptions. What a benchmark is, results,
//! reports and arguments' meaning are the package's own, in Python.

mod engine;
mod error;
mod measure;
mod model;
mod request;
mod stream;
mod timed;
mod wait;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::measure::{
        figure_of, judge, mean_interval, memory_now, peak_memory, quantile, quantile_interval,
        system, write_file,
    };
    #[pymodule_export]
    use super::model::shape_of;
    #[pymodule_export]
    use super::stream::{Stream, Token};
    #[pymodule_export]
    use super::timed::Sample;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        super::error::add(module)
    }
}
