//! The model itself, in a process of its own: what it takes of memory is its own then, and nobody
//! else's.

use super::plan::{n_gen, n_prompt};
use super::subject::Model;
use crate::{fresh, interrupt};
use anyhow::{Context, Result};
use pacemark_backend::Backend;
use pacemark_backends::native::NativeBackend;
use pacemark_bench::fit::Setting;
use pacemark_bench::{Batched, Case, Experiment, How, Repetitions, Silent, Subject, Test, Warmups};
use pacemark_record::{Proof, ProofRun, env};
use pacemark_setup::{CacheTypes, DType, Recipe, Residence, Setup, Threads};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// The hidden command that the process is.
pub(crate) const COMMAND: &str = "fit-proof";
/// Repetitions of what is short.
const SHORT: usize = 3;

/// What the process is told.
#[derive(Serialize, Deserialize)]
struct Work {
    path: PathBuf,
    quantize: Option<String>,
    n_threads: usize,
    n_ctx: usize,
    n_seqs: usize,
    types: [String; 2],
    kv: Option<String>,
    n_chunk: usize,
}

/// Has the process run a setting.
pub(super) fn run(model: &Model, setting: &Setting, threads: Threads) -> Result<Proof> {
    let work = Work {
        path: model.path.clone(),
        quantize: model.weights.quantize.map(|recipe| recipe.info().name.to_owned()),
        n_threads: threads.in_all(),
        n_ctx: setting.n_ctx,
        n_seqs: setting.n_parallel,
        types: setting.types.clone(),
        kv: (setting.kv != "full").then(|| setting.kv.clone()),
        n_chunk: setting.fit.n_chunk as usize,
    };
    let proof = fresh::ask(COMMAND, &work, interrupt::flag())?;
    proof.context("interrupted")
}

/// The process: reads its work, loads and runs the model, tells what it took.
pub(crate) fn child() -> Result<()> {
    let work: Work = fresh::told()?;
    fresh::answer(&work.prove()?)
}

impl Work {
    fn prove(&self) -> Result<Proof> {
        let [k, v] = self.types.each_ref().map(|name| DType::from_name(name));
        let (k, v) = k.zip(v).context("types of keys and values")?;
        let quantize = self.quantize.as_deref().and_then(Recipe::from_name);
        let setup = Setup {
            threads: Threads::new(self.n_threads),
            weights: Residence { quantize, ..Residence::default() },
            n_ctx: Some(self.n_ctx),
            n_seqs: self.n_seqs,
            cache: CacheTypes { k, v },
            ..Setup::default()
        };
        let backend = NativeBackend::load(&self.path, &setup, &mut |_, _| {})?;
        let (loaded_bytes, loading_bytes) = (env::rss_bytes(), env::peak_rss_bytes());
        let is_anew = env::reset_peak_rss();
        let n_gen = n_gen(self.n_ctx);
        let full = self.run(&backend, &setup, (n_prompt(self.n_ctx), n_gen), 1)?;
        let running_bytes = env::rss_bytes();
        let peak_bytes = if is_anew { env::peak_rss_bytes() } else { None };
        let n_short = self.n_chunk.min(self.n_ctx - 1);
        let short = self.run(&backend, &setup, (n_short, 0), SHORT)?;
        let empty = self.run(&backend, &setup, (1, n_gen), SHORT)?;
        Ok(Proof { loaded_bytes, loading_bytes, running_bytes, peak_bytes, full, short, empty })
    }

    /// Prompts of so many tokens, and so many generated after each, all together.
    fn run(
        &self,
        backend: &dyn Backend,
        setup: &Setup,
        (n_prompt, n_gen): (usize, usize),
        n: usize,
    ) -> Result<ProofRun> {
        let test = Test {
            setup: setup.clone(),
            n_prompt,
            n_gen,
            n_parallel: Some(self.n_seqs),
            kv: self.kv.clone(),
            ..Test::default()
        };
        let mut how = How {
            repetitions: Repetitions::exactly(n),
            warmup: Warmups::None,
            seed: n as u64,
            observer: &mut Silent,
            stop: &AtomicBool::new(false),
        };
        let mut subject = Subject::Backends(&[backend]);
        let trials = Batched.measure(&Case::Test(test), &mut subject, &mut how);
        let trials = trials.map_err(|cut| cut.error)?;
        let samples = trials.first().map_or(Vec::new(), |trial| trial.samples().to_vec());
        Ok(ProofRun { n_prompt: n_prompt as u64, n_gen: n_gen as u64, samples })
    }
}
