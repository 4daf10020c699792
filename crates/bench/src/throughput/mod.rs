//! How fast prompts are computed and tokens generated: llama-bench's tests, timed from the backend's own stamps.
//!
//! One repetition of a test at depth d computes, as llama-bench does, on top of d tokens that are in the KV cache:
//!
//! | test | computed and timed | ends with |
//! |---|---|---|
//! | `ppN` | N prompt tokens, logits of the last | the first token |
//! | `tgN` | N tokens one after the other | the N-th token |
//! | `ppN+tgM` | N prompt tokens, then M one after the other | the M+1-th token |
//!
//! Tokens are random (seeded), at the start of the sequence BOS where the model wants one. Unlike llama-bench, which feeds
//! random tokens, generation feeds the most likely token back: choosing it and turning it to text are within the time.

mod warmup;
mod workload;

use crate::{BenchError, Experiment, Observer, Params, Phase};
use pacemark_backend::{Backend, BackendInfo};
use pacemark_record::{Model, Sample, Trial, env};
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};
use workload::Workload;

/// Its row in [`crate::EXPERIMENTS`].
pub const EXPERIMENT: Experiment =
    Experiment { name: "throughput", help: "prompt and generation rate, llama-bench's tests" };

/// How each test is measured.
#[derive(Clone, Copy, Debug)]
pub struct Throughput {
    /// Counted repetitions.
    pub repetitions: usize,
    /// Run before counting until two runs agree.
    pub warmup: bool,
    /// Start of the random tokens.
    pub seed: u64,
}

/// A test that ended early.
#[derive(Debug)]
pub struct CutShort {
    /// What was measured until then; `None` if not a single repetition was complete.
    pub partial: Option<Box<Trial>>,
    /// Why it ended.
    pub error: BenchError,
}

impl Throughput {
    /// Measures one test. `params` are kept in the record; `n_prompt`, `n_gen` and `n_depth` among them say what to compute.
    ///
    /// `stop` is looked at between the events of a request.
    pub fn run(
        &self,
        backend: &dyn Backend,
        params: &Params,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Trial, CutShort> {
        observer.trial_started(params);
        let mut trial = Trial {
            experiment: EXPERIMENT.name.to_owned(),
            started_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            model: describe(&backend.info()),
            params: params.clone(),
            repetitions: self.repetitions,
            ..Trial::default()
        };
        let result = self.measure(backend, &mut trial, observer, stop);
        trial.peak_rss_bytes = env::peak_rss_bytes();
        if !trial.samples.is_empty() {
            observer.trial_finished(&trial);
        }
        match result {
            Ok(()) => Ok(trial),
            Err(error) => {
                let partial = (!trial.samples.is_empty()).then(|| Box::new(trial));
                Err(CutShort { partial, error })
            }
        }
    }

    fn measure(
        &self,
        backend: &dyn Backend,
        trial: &mut Trial,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(), BenchError> {
        let mut workload = Workload::new(backend, trial, self.seed, stop)?;
        if self.warmup {
            trial.warmup = warmup::run(&mut workload, observer)?;
        }
        observer.warmed_up(&trial.warmup);
        for repetition in 1..=self.repetitions {
            workload.fill(observer)?;
            observer.phase(Phase::Repetition(repetition));
            let sample: Sample = workload.once(observer, usize::MAX)?;
            observer.sample(&sample);
            trial.samples.push(sample);
        }
        Ok(())
    }
}

/// What the record keeps of a backend.
pub fn describe(info: &BackendInfo) -> Model {
    Model {
        path: info.model_path.clone(),
        model_type: info.model_type.clone(),
        bytes: info.model_bytes,
        n_params: info.model_params,
        bytes_per_token: info.bytes_per_token,
        backend: info.backend.clone(),
        device: info.device.clone(),
        isa: info.isa.clone(),
        load_ns: info.load.iter().map(|(stage, time)| ((*stage).to_owned(), time.as_nanos() as u64)).collect(),
    }
}

#[cfg(test)]
mod tests;
