//! The models of the study: run in other processes, their predictions compared in this one.

use super::child::{self, Work};
use super::files::Files;
use pacemark_backend::{Backend, TokenId};
use pacemark_backends::native::{NativeBackend, NativeError};
use pacemark_bench::distance::{Apartness, Predictions, Reference};
use pacemark_bench::experiment::Text;
use pacemark_bench::perplexity::Chunks;
use pacemark_bench::quant::{Candidates, Types};
use pacemark_bench::{BenchError, Case, Distance, Experiment, How, Subject};
use pacemark_record::{Distances, FreshRun, Measured, Model};
use pacemark_setup::{CacheTypes, DType, Residence, Setup, Threads};
use pacemark_tokenizer::Tokenizer;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// A file for each type, and the original.
pub(super) struct Models<'a> {
    pub original: &'a Path,
    pub files: &'a Files,
    pub types: &'a Types,
    pub tokens: &'a [TokenId],
    pub tokenizer: &'a Tokenizer,
    pub max_chunks: usize,
    pub threads: Threads,
    pub stop: &'a AtomicBool,
    /// What the original predicts, once that is known.
    pub predictions: Option<Predictions>,
}

fn failed(error: NativeError) -> BenchError {
    BenchError::Machine(error.to_string())
}

impl Models<'_> {
    fn setup(&self) -> Setup {
        Setup { threads: self.threads, n_ctx: Some(self.types.n_ctx), ..Setup::default() }
    }

    /// The original in single precision: it goes before a type is loaded, its predictions stay.
    fn predict(&self, case: &Apartness, how: &mut How<'_>) -> Result<Predictions, BenchError> {
        let weights = Residence { exact: true, ..Residence::default() };
        let cache = CacheTypes::both(DType::F32);
        let setup = Setup { weights, cache, ..self.setup() };
        let backend = NativeBackend::load(self.original, &setup, &mut |_, _| {}).map_err(failed)?;
        let requests = case.requests(self.tokens, backend.info().bos, None)?;
        let (of, observer) = (requests.len(), &mut *how.observer);
        Predictions::of(&backend, &requests, how.stop, &mut |done| observer.chunk(done, of, 0.0))
    }
}

impl Candidates for Models<'_> {
    fn run(&mut self, index: usize) -> Result<(Model, FreshRun), BenchError> {
        let work = Work {
            file: self.files.written[index].0.clone(),
            n_threads: self.types.n_threads,
            n_prompt: self.types.n_prompt,
            n_gen: self.types.n_gen,
            seed: 0,
        };
        match child::run(&work, self.stop) {
            Ok(Some(answer)) => Ok((answer.model, answer.run)),
            Ok(None) => Err(BenchError::Interrupted),
            Err(error) => Err(BenchError::Machine(format!("{error:#}"))),
        }
    }

    fn distances(&mut self, index: usize, how: &mut How<'_>) -> Result<Distances, BenchError> {
        let setup = self.setup();
        let chunks = Chunks {
            n_ctx: self.types.n_ctx,
            max_chunks: Some(self.max_chunks),
            setup: setup.clone(),
            file: self.types.file.clone(),
        };
        let case =
            Apartness { chunks, reference: self.types.source.clone(), ..Apartness::default() };
        let predictions = match self.predictions.take() {
            Some(known) => known,
            None => self.predict(&case, how)?,
        };
        let file = &self.files.written[index].0;
        let backend = NativeBackend::load(file, &setup, &mut |_, _| {}).map_err(failed)?;
        let tokenizer = self.tokenizer;
        let n_bytes = |id| tokenizer.token_bytes(id).map_or(0, |bytes| bytes.len());
        let text = Text { backend: &backend, tokens: self.tokens, n_bytes: &n_bytes };
        let subject = &mut Subject::Pair(Reference::Known(&predictions), text);
        let measured = Distance.measure(&Case::Distance(Box::new(case)), subject, how);
        self.predictions = Some(predictions);
        let trials = measured.map_err(|cut| cut.error)?;
        match trials.into_iter().next().map(|trial| trial.measured) {
            Some(Measured::Distances(distances)) => Ok(distances),
            _ => Err(BenchError::Mismatch { experiment: Distance.name() }),
        }
    }
}
