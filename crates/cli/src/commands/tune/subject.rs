//! A model under each setting: loaded, run, its predictions compared.
//!
//! One model is in memory at a time. Every round loads anew, so that a lucky place in memory is no
//! setting's own; settings that differ only in what a request says follow each other on one load. A run
//! that is not counted comes after each load.

use super::choice::Choice;
use crate::commands::quant_study::files::Files;
use pacemark_backend::{Backend, GenerateRequest, TokenId};
use pacemark_backends::native::{NativeBackend, NativeError, NativeService, ServiceOptions};
use pacemark_bench::distance::{Apartness, Predictions, Reference};
use pacemark_bench::experiment::Text;
use pacemark_bench::perplexity::Chunks;
use pacemark_bench::tune::{Candidates, Ran, timed};
use pacemark_bench::{BenchError, Case, Distance, Experiment, How, Subject, describe};
use pacemark_record::rng::SplitMix64;
use pacemark_record::{Distances, Measured, env};
use pacemark_setup::Setup;
use pacemark_tokenizer::Tokenizer;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Generated tokens of a run that is not counted.
const WARMING: usize = 8;

/// The text that prompts are cut of, and that answers are compared on.
pub(super) struct Words {
    pub tokenizer: Tokenizer,
    pub tokens: Vec<TokenId>,
    /// Its name.
    pub file: String,
    /// Tokens of a chunk.
    pub n_ctx: usize,
    /// Chunks at most.
    pub max_chunks: usize,
}

/// A model and its settings.
pub(super) struct Models<'a> {
    pub path: &'a Path,
    /// As the user named it.
    pub source: &'a str,
    /// The types of `--weights`, in this order.
    pub files: Option<&'a Files>,
    pub choices: &'a [Choice],
    pub n_prompt: usize,
    pub n_gen: usize,
    /// None of weights that are drawn: prompts are random.
    pub words: Option<&'a Words>,
    pub stop: &'a AtomicBool,
    pub loaded: Option<Loaded>,
    /// What the default predicts, while answers are compared.
    pub predictions: Option<Predictions>,
}

/// A model that is in memory.
pub(super) struct Loaded {
    backend: Box<dyn Backend>,
    choice: Choice,
    number: usize,
    /// The most resident memory while it was loaded and ran the first time.
    peak_rss_bytes: Option<u64>,
}

fn failed(error: NativeError) -> BenchError {
    BenchError::Machine(error.to_string())
}

impl Models<'_> {
    fn file(&self, choice: &Choice) -> Result<PathBuf, BenchError> {
        let Some(recipe) = choice.weights else { return Ok(self.path.to_owned()) };
        let name = format!("{}.gguf", recipe.info().name);
        let mut written = self.files.into_iter().flat_map(|files| &files.written);
        let found = written.find(|(path, _)| path.ends_with(&name)).map(|(path, _)| path.clone());
        found.ok_or_else(|| BenchError::Machine(format!("{name} was not written")))
    }

    /// Tokens that a run's sequence has.
    fn n_ctx(&self, choice: &Choice) -> usize {
        self.n_prompt + self.n_gen + 1 + choice.speculate
    }

    /// Where any setting guesses, all run as `serve` runs a request, so that only guessing differs.
    fn load(&self, choice: &Choice) -> Result<Box<dyn Backend>, BenchError> {
        let (file, n_ctx) = (self.file(choice)?, self.n_ctx(choice));
        let setup = choice.setup(Some(n_ctx));
        if self.choices.iter().all(|choice| choice.speculate == 0) {
            let backend = NativeBackend::load(&file, &setup, &mut |_, _| {}).map_err(failed)?;
            return Ok(Box::new(backend));
        }
        let options = ServiceOptions {
            max_num_seqs: 1,
            max_num_batched_tokens: choice.ubatch,
            n_kv_tokens: Some(n_ctx),
            prefix_cache: false,
            n_draft: choice.speculate,
            ..ServiceOptions::default()
        };
        let service = NativeService::load(&file, &setup, options, &mut |_, _| {});
        Ok(Box::new(service.map_err(failed)?))
    }

    /// The same for all settings, another for each number.
    fn request(&self, backend: &dyn Backend, choice: &Choice, number: usize) -> GenerateRequest {
        let info = backend.info();
        let n = self.n_prompt;
        let mut prompt: Vec<TokenId> = match self.words {
            Some(words) => {
                let room = words.tokens.len() - n + 1;
                let from = number.wrapping_mul(n) % room;
                words.tokens[from..from + n].to_vec()
            }
            None => {
                let mut random = SplitMix64::new(number as u64);
                (0..n).map(|_| random.below(info.vocab_size.max(2)) as TokenId).collect()
            }
        };
        prompt[0] = info.bos.unwrap_or(prompt[0]);
        GenerateRequest {
            prompt,
            // As `bench` counts: the prompt gives the first, so many come after it.
            max_tokens: self.n_gen + 1,
            ignore_eos: true,
            kv: choice.kv.clone(),
            ..GenerateRequest::default()
        }
    }

    /// Loads the model, and runs it once without counting.
    fn prepare(&self, choice: &Choice, number: usize) -> Result<Loaded, BenchError> {
        let is_anew = env::reset_peak_rss();
        let backend = self.load(choice)?;
        let loading = env::peak_rss_bytes().filter(|_| is_anew);
        let request = self.request(&*backend, choice, number);
        let max_tokens = request.max_tokens.min(WARMING);
        let (_, warm) = timed(&*backend, GenerateRequest { max_tokens, ..request }, self.stop)?;
        let (choice, peak_rss_bytes) = (choice.clone(), loading.max(warm));
        Ok(Loaded { backend, choice, number, peak_rss_bytes })
    }

    /// The default's predictions of the text.
    fn predict(
        &self,
        case: &Apartness,
        words: &Words,
        how: &mut How<'_>,
    ) -> Result<Predictions, BenchError> {
        let setup = self.scoring(&self.choices[0], words);
        let backend = NativeBackend::load(self.path, &setup, &mut |_, _| {}).map_err(failed)?;
        let requests = case.requests(&words.tokens, backend.info().bos, None)?;
        let (of, observer) = (requests.len(), &mut *how.observer);
        Predictions::of(&backend, &requests, how.stop, &mut |done| observer.chunk(done, of, 0.0))
    }

    /// How a setting is loaded to score the text: threads and batches change no answer.
    fn scoring(&self, choice: &Choice, words: &Words) -> Setup {
        Setup { cache: choice.cache, ..self.choices[0].setup(Some(words.n_ctx)) }
    }
}

impl Candidates for Models<'_> {
    fn run(&mut self, index: usize, number: usize) -> Result<Ran, BenchError> {
        self.predictions = None;
        let choices = self.choices;
        let choice = &choices[index];
        let loaded = match self.loaded.take() {
            Some(loaded) if loaded.number == number && loaded.choice.shares_load(choice) => loaded,
            other => {
                // It goes before the next one comes.
                drop(other);
                self.prepare(choice, number)?
            }
        };
        let backend = &*loaded.backend;
        let (sample, running) = timed(backend, self.request(backend, choice, number), self.stop)?;
        let peak_rss_bytes = loaded.peak_rss_bytes.max(running);
        let model = describe(&backend.info());
        self.loaded = Some(loaded);
        Ok(Ran { model, sample, peak_rss_bytes })
    }

    fn distances(&mut self, index: usize, how: &mut How<'_>) -> Result<Distances, BenchError> {
        let choices = self.choices;
        let choice = &choices[index];
        let words = self.words.ok_or(BenchError::Mismatch { experiment: Distance.name() })?;
        let chunks = Chunks {
            n_ctx: words.n_ctx,
            max_chunks: Some(words.max_chunks),
            setup: self.scoring(choice, words),
            file: words.file.clone(),
        };
        let case = Apartness {
            chunks,
            kv: choice.kv.clone(),
            reference: self.source.to_owned(),
            reference_cache: self.choices[0].cache.names(),
        };
        let predictions = match self.predictions.take() {
            Some(known) => known,
            None => self.predict(&case, words, how)?,
        };
        let (file, setup) = (self.file(choice)?, self.scoring(choice, words));
        let backend = NativeBackend::load(&file, &setup, &mut |_, _| {}).map_err(failed)?;
        let n_bytes = |id| words.tokenizer.token_bytes(id).map_or(0, |bytes| bytes.len());
        let text = Text { backend: &backend, tokens: &words.tokens, n_bytes: &n_bytes };
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
