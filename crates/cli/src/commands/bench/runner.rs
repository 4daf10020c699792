//! Loads the models, runs the tests and writes each row when it is measured, so that no later
//! failure loses it.

use super::backends::{Reload, open};
use super::plan::Plan;
use super::progress::Progress;
use super::roof::Probe;
use super::{Args, synthetic};
use crate::devices::Meters;
use crate::exit::Exit;
use crate::output::{Input, Output, Record};
use crate::{hub, interrupt, machine};
use anyhow::{Context, Result};
use pacemark_backend::{Backend, Computes};
use pacemark_backends::{native, openai};
use pacemark_bench::{BenchError, Case, CutShort, Experiment, How, Subject, Test, reloaded};
use pacemark_record::Trial;
use pacemark_record::env::StealWatch;
use pacemark_setup::Setup;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Runs every test of `plan`.
pub(super) fn run(args: &Args, plan: &Plan) -> Result<Exit> {
    if cfg!(debug_assertions) {
        eprintln!(
            "warning: debug build, performance may be affected: cargo run --release -- bench"
        );
    }
    // All names are looked up before anything runs: a wrong one should not end a long benchmark
    // half-way.
    let mut paths = HashMap::new();
    for test in &plan.tests {
        if let Entry::Vacant(unknown) = paths.entry(test.model.clone()) {
            let path = hub::resolve(unknown.key())?;
            unknown.insert(path);
        }
    }
    let _files = synthetic::write_needed(&args.backend, &mut paths, hub::Cache::from_env)?;
    // From here on Ctrl-C keeps what was measured; until here it just ends the process.
    let stop = interrupt::flag();
    let inputs: Vec<Input<'_>> = paths.values().map(|path| Input::Model(path)).collect();
    let record = Record::create(args.save.as_deref(), &inputs)?;
    let mut output =
        Output::new(plan.experiment, machine::env(), &args.output, record, args.history.archive())
            .varying(&plan.varied)
            .and_stderr(&args.output_err);
    let names: Vec<String> = plan.tests.iter().map(Test::name).collect();
    output.expect("test", names.iter().map(String::as_str));
    let steal = StealWatch::begin();
    let progress =
        Progress::new(plan.tests.len(), args.repetitions().least, args.progress, args.verbose);
    let meters = Meters::new(!args.no_devices);
    if progress.is_verbose() {
        meters.absent.iter().for_each(|why| eprintln!("{why}"));
    }
    output.env_mut().devices_absent.clone_from(&meters.absent);
    let result = measure(args, plan, &paths, (&mut output, &meters), progress);
    output.env_mut().steal_share = steal.share();
    output.end(Vec::new())?;
    if !stop.load(Ordering::Relaxed) {
        return result.map(|()| Exit::Fine);
    }
    let asked = plan.tests.len() * args.backend.len();
    let is_complete = |trial: &&Trial| trial.samples().len() >= trial.repetitions;
    let done = output.trials().iter().filter(is_complete).count();
    eprintln!("interrupted: {done} of {asked} rows are complete");
    for trial in output.trials().iter().filter(|trial| !is_complete(trial)) {
        eprintln!(
            "{} ({}): {} of {} repetitions",
            trial.test_name(),
            trial.model.backend,
            trial.samples().len(),
            trial.repetitions
        );
    }
    Ok(Exit::Failed)
}

fn measure(
    args: &Args,
    plan: &Plan,
    paths: &HashMap<String, PathBuf>,
    (output, meters): (&mut Output<'_>, &Meters),
    mut progress: Progress,
) -> Result<()> {
    let stop = interrupt::flag();
    let mut probe = Probe::new(args.no_roof);
    for tests in plan.tests.chunk_by(Test::shares_load) {
        let Test { model, setup, .. } = &tests[0];
        if stop.load(Ordering::Relaxed) {
            return Err(BenchError::Interrupted.into());
        }
        let n_seqs = tests.iter().filter_map(|test| test.n_parallel).max().unwrap_or(1);
        let n_ctx = tests.iter().map(Test::n_ctx).max().unwrap_or(1);
        let setup = Setup { n_ctx: Some(n_ctx), n_seqs, ..setup.clone() };
        probe.next_load(setup.threads)?;
        let opened = open(&plan.backends, (model, &paths[model]), &setup, &progress)?;
        let mut copies = Copies::new(args, plan, &paths[model], &setup, opened);
        for test in tests {
            pause(args.delay);
            probe.before()?;
            let mut metered = meters.watch(&mut progress, copies.processes());
            let mut how = How {
                repetitions: args.repetitions(),
                warmup: args.warmups(),
                seed: 0,
                observer: &mut metered,
                stop,
            };
            // A batch is recorded with the room that it has in the KV cache.
            let n_kv_max = test.n_parallel.map(|_| n_ctx * n_seqs);
            let test = Test { n_kv_max, ..test.clone() };
            let (mut trials, error) = match copies.measure(plan.experiment, &test, &mut how) {
                Ok(trials) => (trials, None),
                Err(cut) => (cut.partial, Some(cut.error)),
            };
            metered.attach(&mut trials);
            trials.iter_mut().for_each(|trial| trial.notes.extend_from_slice(&plan.notes));
            // What this machine used is not what a server did, wherever it is.
            let asked = trials.iter_mut().filter(|trial| trial.model.backend == openai::NAME);
            asked.for_each(|trial| trial.devices.clear());
            synthetic::restore_name(model, &mut trials);
            probe.after(&mut trials)?;
            progress.suspend(|| output.rows(trials))?;
            if let Some(error) = error {
                return Err(error).with_context(|| format!("{model}: {}", test.name()));
            }
        }
    }
    Ok(())
}

/// A model in the backends of a command.
enum Copies<'a> {
    /// Loaded once.
    Kept(Vec<Box<dyn Backend>>),
    /// Loaded anew for each pair of runs.
    Anew(Reload<'a>),
}

impl<'a> Copies<'a> {
    fn new(
        args: &Args,
        plan: &'a Plan,
        path: &'a Path,
        setup: &'a Setup,
        opened: Vec<Box<dyn Backend>>,
    ) -> Copies<'a> {
        if plan.backends.len() == 1 || args.keep_loaded {
            return Copies::Kept(opened);
        }
        Copies::Anew(Reload { backends: &plan.backends, path, setup, first: Some(opened) })
    }

    /// The processes that compute; `None` of a server, which may be anywhere, and of what is loaded anew.
    fn processes(&self) -> Vec<Option<u32>> {
        let of = |backend: &dyn Backend| match backend.computes() {
            Computes::Here => Some(std::process::id()),
            Computes::Process(process) => Some(process),
            Computes::Elsewhere => None,
        };
        match self {
            Copies::Kept(opened) => opened.iter().map(|backend| of(&**backend)).collect(),
            Copies::Anew(reload) => {
                let is_here = |name: &str| name == native::NAME || name == "llama-cpp";
                let here = |name: &str| is_here(name).then(std::process::id);
                reload.backends.iter().map(|backend| here(backend.name)).collect()
            }
        }
    }

    fn measure(
        &mut self,
        experiment: &dyn Experiment,
        test: &Test,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        match self {
            Copies::Anew(reload) => reloaded(experiment, test, reload, how),
            Copies::Kept(opened) => {
                let backends: Vec<&dyn Backend> = opened.iter().map(|one| &**one).collect();
                let case = Case::Test(test.clone());
                experiment.measure(&case, &mut Subject::Backends(&backends), how)
            }
        }
    }
}

/// Waits, but not past an interrupt.
fn pause(seconds: u64) {
    let stop = interrupt::flag();
    for _ in 0..seconds.saturating_mul(10) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
