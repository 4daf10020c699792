//! Experiments, metrics and the runner that measures any backend.
//!
//! An experiment drives a [`Backend`](pacemark_backend::Backend) and returns raw samples from the
//! stamps of its events; it never prints, and who wants to watch passes an [`Observer`]. The
//! figures that are made of the samples are its metrics. Schema and statistics live in
//! `record`, tables and files in `report`, concrete backends nowhere here.

mod advice;
mod batched;
pub mod cold;
pub mod contrast;
mod devices;
pub mod distance;
pub mod doctor;
mod elsewhere;
mod error;
pub mod experiment;
pub mod fit;
pub mod genai;
pub mod generation;
mod grid;
pub mod headline;
pub mod kv;
pub mod load;
pub mod memory;
mod metrics;
pub mod named;
mod observer;
pub mod parameter;
pub mod perplexity;
pub mod quant;
mod repeat;
pub mod reported;
pub mod self_test;
pub mod stages;
pub mod targets;
pub mod tasks;
mod test;
#[cfg(test)]
mod testing;
mod throughput;
pub mod trend;
pub mod tune;
pub mod versus;

pub use advice::{Warning, warnings};
pub use batched::Batched;
pub use cold::ColdStart;
pub use devices::Metered;
pub use distance::Distance;
pub use doctor::Doctor;
pub use elsewhere::PlannedLink;
pub use error::BenchError;
pub use experiment::{Case, EXPERIMENTS, Experiment, How, Subject};
pub use fit::FitModel;
pub use genai::Genai;
pub use generation::Generation;
pub use grid::{Axis, Grid, Shapes};
pub use kv::{KvStudy, TextStream};
pub use load::Load;
pub use named::Named;
pub use observer::{Observer, Phase, Silent};
pub use parameter::{PARAMETERS, Parameter, Params};
pub use perplexity::Perplexity;
pub use quant::QuantStudy;
pub use repeat::{CutShort, Loader, Repetitions, Warmups, reloaded};
pub use self_test::SelfTest;
pub use stages::Stages;
pub use tasks::{Accuracy, Retrieval};
pub use test::Test;
pub use throughput::Throughput;
pub use tune::Tune;
pub use versus::Versus;

use pacemark_backend::BackendInfo;
use pacemark_record::Model;

fn operations(of: pacemark_backend::Operations) -> pacemark_record::Operations {
    pacemark_record::Operations { int8: of.int8, bf16: of.bf16, f32: of.f32 }
}

/// What the record keeps of a backend.
pub fn describe(info: &BackendInfo) -> Model {
    Model {
        path: info.model_path.clone(),
        fingerprint: None,
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
        kv_types: info.kv_types.clone(),
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
        let mut names: Vec<_> = super::EXPERIMENTS.iter().map(|e| e.name()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        for experiment in super::EXPERIMENTS {
            let metrics = experiment.metrics();
            let mut names: Vec<_> =
                metrics.iter().flat_map(|m| m.columns()).map(|column| column.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
            let is_line = |help: &str| help.len() <= 100 && !help.ends_with('.');
            assert!(
                metrics.iter().all(|metric| is_line(&metric.help())) && is_line(experiment.help())
            );
        }
    }
}
