//! Experiments, metrics and the runner that measures any backend.
//!
//! An experiment drives a [`Backend`](pacemark_backend::Backend) and returns raw samples from the
//! stamps of its events; it never prints, and who wants to watch passes an [`Observer`]. The
//! figures that are made of the samples are the rows of [`METRICS`]. Schema and statistics live in
//! `record`, tables and files in `report`, concrete backends nowhere here.

mod advice;
mod batched;
mod compared;
mod error;
mod grid;
mod metrics;
mod observer;
pub mod perplexity;
mod repeat;
mod stages;
mod throughput;
mod warmup;

pub use advice::{Warning, warnings};
pub use batched::Batched;
pub use compared::{BATCH_COMPARED, COMPARED, compare};
pub use error::BenchError;
pub use grid::{Axis, Params, Shapes, cases, combinations};
pub use metrics::{BATCH_METRICS, METRICS};
pub use observer::{Observer, Phase, Silent};
pub use perplexity::{Perplexity, PerplexityResult};
pub use repeat::CutShort;
pub use stages::{Ladder, STAGES, Stage, Stages};
pub use throughput::Throughput;

use pacemark_backend::BackendInfo;
use pacemark_record::Model;

/// A kind of measurement that Pacemark can make.
pub struct Experiment {
    /// Its name in records.
    pub name: &'static str,
    /// One line on what it measures.
    pub help: &'static str,
}

/// Every experiment.
pub const EXPERIMENTS: &[Experiment] =
    &[throughput::EXPERIMENT, batched::EXPERIMENT, perplexity::EXPERIMENT, stages::EXPERIMENT];

fn operations(of: pacemark_backend::Operations) -> pacemark_record::Operations {
    pacemark_record::Operations { int8: of.int8, bf16: of.bf16, f32: of.f32 }
}

/// What the record keeps of a backend.
pub fn describe(info: &BackendInfo) -> Model {
    Model {
        path: info.model_path.clone(),
        model_type: info.model_type.clone(),
        bytes: info.model_bytes,
        n_params: info.model_params,
        bytes_per_token: info.bytes_per_token,
        kv_bytes_per_token: info.kv_bytes_per_token,
        kv_windowed: info.kv_windowed,
        layer_operations: operations(info.layer_operations),
        output_operations: operations(info.output_operations),
        backend: info.backend.clone(),
        engine: info.engine.clone(),
        device: info.device.clone(),
        isa: info.isa.clone(),
        load_ns: info
            .load
            .iter()
            .map(|(stage, time)| ((*stage).to_owned(), time.as_nanos() as u64))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_unique() {
        let names =
            super::METRICS.iter().map(|m| m.name).chain(super::EXPERIMENTS.iter().map(|e| e.name));
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        assert!(super::METRICS.iter().all(|m| m.help.len() <= 100 && !m.help.ends_with('.')));
    }
}
