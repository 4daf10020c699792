//! One run of an engine in a process of its own: what it is told, what it answers.

use super::spec::{Task, Work};
use crate::fresh;
use anyhow::{Context, Result, anyhow};
use pacemark_backend::{Backend, BackendInfo, Computes};
use pacemark_backends::ModelText;
use pacemark_bench::experiment::Text;
use pacemark_bench::perplexity::{Chunks, Perplexity};
use pacemark_bench::{
    Batched, Case, Experiment, How, Repetitions, Silent, Subject, Test, Throughput, Warmups,
    describe, memory,
};
use pacemark_record::{EngineRun, FreshRun, Model, Sample, Scores, env};
use pacemark_setup::Setup;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// What ran, and what that took.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) model: Model,
    pub(super) run: EngineRun,
    pub(super) terms: BTreeMap<String, String>,
    pub(super) lacks: BTreeMap<String, String>,
    pub(super) warnings: Vec<String>,
    /// Of a text; or why there are none.
    pub(super) scores: Option<Result<Scores, String>>,
}

/// Between the random prompts of one sequence and those of several.
const OF_BATCHES: u64 = 1 << 40;

/// The hidden command that the process is.
pub(super) const COMMAND: &str = "versus-run";

/// The process: reads the work, loads the engine, does it and tells of it.
pub(crate) fn child() -> Result<()> {
    let work: Work = fresh::told()?;
    let (n_ctx, n_seqs) = match &work.task {
        // A test generates one more token than it times.
        Task::Run { n_prompt, n_gen, n_together, .. } => {
            (n_prompt.saturating_add(*n_gen).saturating_add(1), *n_together)
        }
        Task::Score { n_ctx, .. } => (*n_ctx, 1),
    };
    let setup =
        Setup { n_ctx: Some(n_ctx), n_seqs: n_seqs.max(1), ..work.spec.setup(work.n_threads)? };
    let load = work.spec.entry()?.load.map_err(|why| anyhow!("{why}"))?;
    let started = Instant::now();
    let backend = load(&work.file, &setup, &mut |_, _| {}).map_err(|error| anyhow!(error))?;
    let load_ns = started.elapsed().as_nanos() as u64;
    // Of a server it is how long it took to say hello.
    let load_ns = if backend.computes() == Computes::Elsewhere { 0 } else { load_ns };
    let mut answer = Answer {
        model: describe(&backend.info()),
        run: EngineRun::default(),
        terms: BTreeMap::new(),
        lacks: BTreeMap::new(),
        warnings: backend.info().warnings,
        scores: None,
    };
    match &work.task {
        Task::Score { .. } => answer.scores = Some(scored(&work, &setup, &*backend)?),
        Task::Run { .. } => ran(&work.task, &setup, &*backend, load_ns, &mut answer)?,
    }
    fresh::answer(&answer)
}

fn ran(
    task: &Task,
    setup: &Setup,
    backend: &dyn Backend,
    load_ns: u64,
    answer: &mut Answer,
) -> Result<()> {
    let Task::Run { n_prompt, n_gen, n_together, seed } = *task else { return Ok(()) };
    let loaded_rss_bytes = match backend.computes() {
        Computes::Here => env::rss_bytes(),
        Computes::Process(_) | Computes::Elsewhere => None,
    };
    let test = Test { n_prompt, n_gen, setup: setup.clone(), ..Test::default() };
    let alone = last(&Throughput, &test, backend, seed)?;
    let n_out = alone.gaps_ns.len() + 1;
    let lacks = &mut answer.lacks;
    let together = if n_together < 2 {
        None
    } else if !backend.capabilities().batch {
        lacks.insert("batch".into(), "it does not compute several at once".into());
        None
    } else {
        let test = Test { n_parallel: Some(n_together), ..test };
        // Others than what was just computed, which a cache may hold.
        Some(last(&Batched, &test, backend, seed.wrapping_add(OF_BATCHES))?)
    };
    let peak_rss_bytes = memory::peak_rss_bytes(backend);
    match backend.computes() {
        Computes::Elsewhere => {
            lacks.insert("memory".into(), "a server's memory is not seen from here".into());
            lacks.insert("load".into(), "the server had loaded the model before".into());
        }
        _ if peak_rss_bytes.is_none() => {
            lacks.insert("memory".into(), "the system does not tell".into());
        }
        _ => {}
    }
    answer.terms = terms(&backend.info(), seed, (n_out, n_gen + 1));
    if backend.computes() != Computes::Elsewhere {
        // Backends say their own name before it.
        let device = backend.info().device;
        let device = device.rsplit(' ').next().unwrap_or_default().to_uppercase();
        answer.terms.insert("device".into(), device);
    }
    answer.run = EngineRun {
        alone: FreshRun {
            load_ns,
            loaded_rss_bytes,
            peak_rss_bytes,
            n_prompt: n_prompt as u64,
            sample: alone,
        },
        together,
        n_parallel: n_together as u64,
        n_gen: n_gen as u64,
    };
    Ok(())
}

/// What a test takes when it is done twice: the first time touches what is then warm.
fn last(
    experiment: &dyn Experiment,
    test: &Test,
    backend: &dyn Backend,
    seed: u64,
) -> Result<Sample> {
    let mut how = How {
        repetitions: Repetitions::exactly(2),
        warmup: Warmups::None,
        seed,
        observer: &mut Silent,
        stop: &AtomicBool::new(false),
    };
    let case = Case::Test(test.clone());
    let trials = experiment
        .measure(&case, &mut Subject::Backends(&[backend]), &mut how)
        .map_err(|cut| cut.error)?;
    let samples = trials.first().map_or(&[][..], |trial| trial.samples());
    samples.last().cloned().context("nothing was measured")
}

/// What has to be the same for a comparison of the engines alone.
fn terms(
    info: &BackendInfo,
    seed: u64,
    (found, asked): (usize, usize),
) -> BTreeMap<String, String> {
    let bos = info.bos.map_or("no BOS".to_owned(), |bos| format!("BOS {bos}"));
    // Prompts are drawn from the seed: the same for all who have the same vocabulary.
    let prompts = format!("seed {seed}, {} tokens, {bos}", info.vocab_size);
    let n_threads = if info.n_threads > 0 { info.n_threads.to_string() } else { String::new() };
    let all = [
        ("threads", n_threads),
        ("precision", info.precision.clone()),
        ("keys and values", info.kv_types.clone()),
        ("prompts", prompts),
        ("output tokens", format!("{found} of {asked}")),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(term, value)| (term.to_owned(), value))
        .collect()
}

fn scored(work: &Work, setup: &Setup, backend: &dyn Backend) -> Result<Result<Scores, String>> {
    let Task::Score { tokens, n_ctx, max_chunks, text } = &work.task else {
        return Ok(Err("nothing was to be scored".into()));
    };
    if !backend.capabilities().score {
        return Ok(Err("it does not score texts".into()));
    }
    let words = ModelText::open(&work.file)?.context("the model has no tokenizer")?;
    let n_bytes = |id| words.tokenizer().token_bytes(id).map_or(0, |bytes| bytes.len());
    let chunks = Chunks {
        n_ctx: *n_ctx,
        max_chunks: Some(*max_chunks),
        setup: setup.clone(),
        file: text.clone(),
    };
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut Silent,
        stop: &AtomicBool::new(false),
    };
    let subject = &mut Subject::Text(Text { backend, tokens, n_bytes: &n_bytes });
    let measured = Perplexity.measure(&Case::Chunks(chunks), subject, &mut how);
    let trials = measured.map_err(|cut| cut.error)?;
    let scores = trials.first().and_then(|trial| trial.scores()).cloned();
    Ok(scores.ok_or_else(|| "nothing was scored".to_owned()))
}
