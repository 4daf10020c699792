//! One run of a model in a process of its own: what it is told, what it answers.

use crate::{fresh, setup};
use anyhow::{Context, Result};
use pacemark_backend::Backend;
use pacemark_backends::native::NativeBackend;
use pacemark_bench::{
    Case, Experiment, How, Repetitions, Silent, Subject, Test, Throughput, Warmups, describe,
};
use pacemark_record::{FreshRun, Model, env};
use pacemark_setup::Setup;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// What is to be run.
#[derive(Serialize, Deserialize)]
pub(super) struct Work {
    pub file: PathBuf,
    pub n_threads: usize,
    pub n_prompt: usize,
    pub n_gen: usize,
    pub seed: u64,
}

/// What ran, and what that took.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub model: Model,
    pub run: FreshRun,
}

/// The hidden command that the process is.
const COMMAND: &str = "quant-study-run";

/// Has another process do the work; `None` once `stop` is set, and it is ended.
pub(super) fn run(work: &Work, stop: &AtomicBool) -> Result<Option<Answer>> {
    fresh::ask(COMMAND, work, stop).with_context(|| work.file.display().to_string())
}

/// The process: reads the work, does it twice and tells of the second time. The first one touches
/// what is then warm.
pub(crate) fn child() -> Result<()> {
    let work: Work = fresh::told()?;
    let setup = setup::check_native(Setup {
        threads: setup::threads(Some(work.n_threads), None),
        // A test generates one more token than it times.
        n_ctx: Some(work.n_prompt.saturating_add(work.n_gen).saturating_add(1)),
        ..Setup::default()
    })?;
    let backend = NativeBackend::load(&work.file, &setup, &mut |_, _| {})?;
    let loaded_rss_bytes = env::rss_bytes();
    let test = Test { n_prompt: work.n_prompt, n_gen: work.n_gen, setup, ..Test::default() };
    let mut how = How {
        repetitions: Repetitions::exactly(2),
        warmup: Warmups::None,
        seed: work.seed,
        observer: &mut Silent,
        stop: &AtomicBool::new(false),
    };
    let subject = &mut Subject::Backends(&[&backend]);
    let trials =
        Throughput.measure(&Case::Test(test), subject, &mut how).map_err(|cut| cut.error)?;
    let samples = trials.first().map_or(&[][..], |trial| trial.samples());
    let sample = samples.last().cloned().context("nothing was measured")?;
    let run = FreshRun {
        load_ns: backend.load_time().as_nanos() as u64,
        loaded_rss_bytes,
        peak_rss_bytes: env::peak_rss_bytes(),
        n_prompt: work.n_prompt as u64,
        sample,
    };
    fresh::answer(&Answer { model: describe(&backend.info()), run })
}
