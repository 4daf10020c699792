//! `pacemark bench --cold`: fresh processes, timed from their start to the first token.
//!
//! Ours is a hidden command of this program ([`child`]) that is told the same command line; another
//! engine's is whatever `--cold-command` says, run by the shell. Both are timed from outside, by the
//! first byte that they print. The page cache is made warm or cold before each start ([`page_cache`]).

mod child;
mod page_cache;

use super::plan::Plan;
use super::{Args, synthetic};
use crate::exit::{Exit, UsageError};
use crate::fresh::{self, Told};
use crate::output::{Input, Output, Record};
use crate::{hub, interrupt, machine};
use anyhow::{Context, Result};
pub(crate) use child::{ChildArgs, child};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_bench::cold::{Launch, Launched, Launcher, Launches};
use pacemark_bench::{
    BenchError, Case, ColdStart, Experiment, How, Observer, Params, Phase, Repetitions, Subject,
    Warmups,
};
use pacemark_modelfile::synth::PREFIX;
use pacemark_modelfile::{ModelFile, OpenOptions};
use pacemark_record::Start;
use pacemark_setup::Setup;
use page_cache::PageCache;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Starts of each, where nothing is said.
const STARTS: usize = 5;

/// How processes are started.
#[derive(clap::Args, Debug)]
pub(super) struct ColdArgs {
    /// Start a fresh process for each run: time from its start to the first token (cold TTFT), load
    /// time, memory. A prompt of -p tokens, -n generated
    #[arg(long, conflicts_with_all = ["npl", "pg", "n_depth", "experiment", "until", "no_warmup", "warmups", "output_err", "no_roof",
        "delay", "progress", "verbose"])]
    pub cold: bool,
    /// With --cold: another engine's command line, run by the shell in turn with ours; may be
    /// repeated
    #[arg(long, value_name = "CMD", requires = "cold")]
    pub cold_command: Vec<String>,
    /// With --cold: whether the system holds the files of -m in memory when a process starts
    #[arg(
        long,
        value_name = "STATE",
        value_delimiter = ',',
        requires = "cold",
        default_value = "warm,cold"
    )]
    pub page_cache: Vec<PageCache>,
}

/// One way to start a process.
struct Way {
    /// Number of our test; a command line of another engine otherwise.
    what: Result<usize, String>,
    page_cache: PageCache,
    /// Files that it reads, as far as that is known.
    files: Vec<PathBuf>,
    /// Bytes of its weights by type, the largest first.
    weights: Vec<(String, u64)>,
}

/// Starts them.
struct Starter {
    ways: Vec<Way>,
}

/// Runs `pacemark bench --cold`.
pub(super) fn run(args: &Args, plan: &Plan) -> Result<Exit> {
    if cfg!(debug_assertions) {
        eprintln!("warning: debug build, times are not those of a release build");
    }
    if let Some(test) = plan.tests.iter().find(|test| test.n_prompt == 0 || test.n_gen == 0) {
        let (p, n) = (test.n_prompt, test.n_gen);
        let why = "a process that is started has a prompt and answers it";
        return Err(UsageError(format!("--cold -p {p} -n {n}: at least 1 of each: {why}")).into());
    }
    if plan.backends.len() > 1 {
        let why = "one backend at a time; `compare` has two records beside each other";
        return Err(UsageError(format!(
            "--backend {}: --cold takes {why}",
            args.backend.join(",")
        ))
        .into());
    }
    crate::server::refuse(plan.backends[0], "--cold")?;
    let mut paths = HashMap::new();
    for test in &plan.tests {
        paths.insert(test.model.clone(), hub::resolve(&test.model)?);
    }
    let reader = args.backend.iter().find(|name| name.as_str() != "native");
    if let Some(reader) = reader.filter(|_| paths.keys().any(|model| model.starts_with(PREFIX))) {
        let why = "it would be written anew for each start; `pacemark models synth` writes a file";
        return Err(
            UsageError(format!("--backend {reader} --cold of a synth: model: {why}")).into()
        );
    }
    let inputs: Vec<Input<'_>> = paths.values().map(|path| Input::Model(path)).collect();
    let record = Record::create(args.save.as_deref(), &inputs)?;
    let archive = args.history.archive();
    let mut output = Output::new(&ColdStart, machine::env(), &args.output, record, archive)
        .varying(&plan.varied);
    let ways = ways(args, plan, &paths)?;
    let launches = Launches(ways.iter().map(|way| way.launch(plan)).collect());
    let n_starts = args.repetitions.map_or(STARTS, NonZeroUsize::get);
    let mut watch = Watch::new(n_starts);
    let mut how = How {
        repetitions: Repetitions::exactly(n_starts),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut watch,
        stop: interrupt::flag(),
    };
    let mut starter = Starter { ways };
    let mut subject = Subject::Launcher(&mut starter);
    let result = ColdStart.measure(&Case::Launches(launches), &mut subject, &mut how);
    drop(watch);
    let (mut trials, error) = match result {
        Ok(trials) => (trials, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    for test in &plan.tests {
        synthetic::restore_name(&test.model, &mut trials);
    }
    output.rows(trials)?;
    output.end(Vec::new())?;
    match error {
        None => Ok(Exit::Fine),
        Some(BenchError::Interrupted) => {
            eprintln!("interrupted: the figures are of the starts until then");
            Ok(Exit::Failed)
        }
        Some(error) => Err(error.into()),
    }
}

/// Every test and every command, in each state of the page cache.
fn ways(args: &Args, plan: &Plan, paths: &HashMap<String, PathBuf>) -> Result<Vec<Way>> {
    let file = |model: &String| paths.get(model).filter(|path| path.exists()).cloned();
    let mut states: Vec<PageCache> = Vec::new();
    for state in &args.cold.page_cache {
        if !states.contains(state) {
            states.push(*state);
        }
    }
    let mut ways = Vec::new();
    for (index, test) in plan.tests.iter().enumerate() {
        let files: Vec<PathBuf> = file(&test.model).into_iter().collect();
        let weights = weights(&paths[&test.model], &test.setup)?;
        // Weights that are made and not read are in no cache.
        let n_states = if files.is_empty() { 1 } else { states.len() };
        let way = |state: &PageCache| Way {
            what: Ok(index),
            page_cache: *state,
            files: files.clone(),
            weights: weights.clone(),
        };
        ways.extend(states.iter().take(n_states).map(way));
    }
    let all: Vec<PathBuf> = paths.keys().filter_map(file).collect();
    for command in &args.cold.cold_command {
        let way = |state: &PageCache| Way {
            what: Err(command.clone()),
            page_cache: *state,
            files: all.clone(),
            weights: Vec::new(),
        };
        ways.extend(states.iter().map(way));
    }
    Ok(ways)
}

/// Bytes of the weights by type, the largest first.
fn weights(path: &Path, setup: &Setup) -> Result<Vec<(String, u64)>> {
    let options = OpenOptions { weights: setup.weights.quantize, ..OpenOptions::default() };
    let file = ModelFile::open_with(path, options)?;
    let mut types: Vec<(String, u64)> = Vec::new();
    for tensor in file.tensors() {
        let name = tensor.dtype.info().name;
        match types.iter_mut().find(|(known, _)| known == name) {
            Some((_, bytes)) => *bytes = bytes.saturating_add(tensor.n_bytes()),
            None => types.push((name.to_owned(), tensor.n_bytes())),
        }
    }
    types.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok(types)
}

impl Way {
    fn launch(&self, plan: &Plan) -> Launch {
        let (name, params) = match &self.what {
            Ok(index) => (plan.tests[*index].model.clone(), plan.tests[*index].params()),
            Err(command) => (command.clone(), Params::new()),
        };
        let page_cache = if self.files.is_empty() { "-" } else { self.page_cache.name() };
        Launch { name, is_command: self.what.is_err(), page_cache, params }
    }

    fn command(&self) -> Result<Command> {
        Ok(match &self.what {
            Ok(index) => {
                let mut command = fresh::itself()?;
                command.arg(child::COMMAND).arg(index.to_string()).arg("--");
                command.args(std::env::args_os().skip(1));
                command
            }
            Err(line) => {
                let mut command = Command::new("/bin/sh");
                command.arg("-c").arg(line);
                command
            }
        })
    }

    /// `None` once it was interrupted.
    fn start(&self) -> Result<Option<Launched>> {
        self.files.iter().try_for_each(|file| self.page_cache.bring(file))?;
        let told = if self.what.is_ok() { Told::Line("") } else { Told::Nothing };
        let Some(ended) = fresh::run(&mut self.command()?, &told, interrupt::flag())? else {
            return Ok(None);
        };
        ended.check().with_context(|| match &self.what {
            Ok(_) => "the process that was started".to_owned(),
            Err(line) => format!("--cold-command {}", pacemark_files::excerpt(line)),
        })?;
        let mut start = Start {
            first_ns: ended.first.map(|time| time.as_nanos() as u64),
            ended_ns: ended.took.as_nanos() as u64,
            ..Start::default()
        };
        if self.what.is_err() {
            return Ok(Some(Launched { start, ..Launched::default() }));
        }
        let told = child::answer(&ended.out).context("the process did not answer")?;
        let bytes: u64 = self.files.iter().map(|file| page_cache::n_bytes(file)).sum();
        let is_known = !self.files.is_empty();
        let notes = self.page_cache.doubts(told.storage_bytes, bytes).filter(|_| is_known);
        start.storage_bytes = told.storage_bytes;
        start.inside = Some(told.inside);
        let weights = self.weights.clone();
        let notes = notes.into_iter().collect();
        Ok(Some(Launched { model: told.model, weights, start, notes }))
    }
}

impl Launcher for Starter {
    fn launch(&mut self, index: usize) -> Result<Launched, BenchError> {
        match self.ways[index].start() {
            Ok(Some(launched)) => Ok(launched),
            Ok(None) => Err(BenchError::Interrupted),
            Err(error) => Err(BenchError::Machine(format!("{error:#}"))),
        }
    }
}

/// What is started, as a line on a terminal.
struct Watch {
    bar: ProgressBar,
    n_rounds: usize,
    round: usize,
}

impl Watch {
    fn new(n_rounds: usize) -> Watch {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Watch { bar, n_rounds, round: 0 }
    }
}

impl Observer for Watch {
    fn phase(&mut self, phase: Phase) {
        if let Phase::Repetition(round) = phase {
            self.round = round;
        }
    }

    fn turn(&mut self, what: &str) {
        let what = pacemark_files::excerpt(what);
        self.bar.set_message(format!("round {}/{}: {what}", self.round, self.n_rounds));
        self.bar.tick();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
