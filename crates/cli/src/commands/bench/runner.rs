//! Loads the models, runs the tests and writes each row when it is measured, so that no later
//! failure loses it.

use super::backends::{Load, count, open};
use super::progress::Progress;
use super::roof::Probe;
use super::{Args, Plan, synthetic};
use crate::exit::Exit;
use crate::{hub, interrupt, machine};
use anyhow::{Context, Result};
use pacemark_backend::Backend;
use pacemark_bench::{
    BATCH_METRICS, Batched, BenchError, METRICS, Params, Throughput, Warning, compare, warnings,
};
use pacemark_record::env::CpuTime;
use pacemark_record::{Comparison, Env, Trial};
use pacemark_report::{Closing, Form, Layout, Render, Row, render};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Runs every test of `plan`.
pub fn run(args: &Args, plan: &Plan) -> Result<Exit> {
    if cfg!(debug_assertions) {
        eprintln!(
            "warning: debug build, performance may be affected: cargo run --release -- bench"
        );
    }
    // All names are looked up before anything runs: a wrong one should not end a long benchmark
    // half-way.
    let mut paths = HashMap::new();
    for test in &plan.tests {
        let model = Load::of(test).model;
        if let Entry::Vacant(unknown) = paths.entry(model) {
            let path = hub::resolve(unknown.key())?;
            unknown.insert(path);
        }
    }
    let _files = synthetic::write_needed(&args.backend, &mut paths, hub::Cache::from_env)?;
    // From here on Ctrl-C keeps what was measured; until here it just ends the process.
    let stop = interrupt::flag();
    let layout = if plan.batched {
        Layout { varied: &plan.varied, metrics: BATCH_METRICS, form: Form::BatchedBench }
    } else {
        Layout { varied: &plan.varied, metrics: METRICS, form: Form::LlamaBench }
    };
    let mut output = Output::new(args, layout, machine::env());
    let before = CpuTime::now();
    let progress =
        Progress::new(plan.tests.len(), args.repetitions.get(), args.progress, args.verbose);
    let result = measure(args, plan, &paths, &mut output, progress);
    output.env.steal_share =
        before.zip(CpuTime::now()).and_then(|(before, now)| before.steal_share_until(now));
    output.end()?;
    if !stop.load(Ordering::Relaxed) {
        return result.map(|()| Exit::Fine);
    }
    let asked = plan.tests.len() * args.backend.len();
    let done =
        output.trials.iter().filter(|trial| trial.samples.len() == trial.repetitions).count();
    eprintln!("interrupted: {done} of {asked} rows are complete");
    for trial in output.trials.iter().filter(|trial| trial.samples.len() < trial.repetitions) {
        eprintln!(
            "{} ({}): {} of {} repetitions",
            trial.test_name(),
            trial.model.backend,
            trial.samples.len(),
            trial.repetitions
        );
    }
    Ok(Exit::Failed)
}

fn measure(
    args: &Args,
    plan: &Plan,
    paths: &HashMap<String, PathBuf>,
    output: &mut Output<'_>,
    mut progress: Progress,
) -> Result<()> {
    let stop = interrupt::flag();
    let (repetitions, warmup) = (args.repetitions.get(), !args.no_warmup);
    let throughput = Throughput { repetitions, warmup, seed: 0 };
    let batched = Batched { repetitions, warmup, seed: 0 };
    let mut probe = Probe::new(args.no_roof);
    for tests in plan.tests.chunk_by(|a, b| Load::of(a) == Load::of(b)) {
        let mut load = Load::of(&tests[0]);
        load.options.weights = args.weights.get();
        if stop.load(Ordering::Relaxed) {
            return Err(BenchError::Interrupted.into());
        }
        let n_seqs = tests.iter().map(|test| count(test, "n_parallel")).max().unwrap_or(0).max(1);
        let n_ctx = longest(tests);
        probe.next_load(&load.options)?;
        let opened = open(&args.backend, &load, &paths[&load.model], (n_ctx, n_seqs), &progress)?;
        let backends: Vec<&dyn Backend> = opened.iter().map(|backend| &**backend).collect();
        for test in tests {
            pause(args.delay);
            probe.before(&load.options)?;
            let result = if plan.batched {
                let mut test = test.clone();
                test.insert("n_kv_max".to_owned(), (n_ctx * n_seqs).into());
                batched.run(&backends, &test, &mut progress, stop)
            } else {
                throughput.run(&backends, test, &mut progress, stop)
            };
            let (mut trials, error) = match result {
                Ok(trials) => (trials, None),
                Err(cut) => (cut.partial, Some(cut.error)),
            };
            synthetic::restore_name(&load.model, &mut trials);
            probe.after(&load.options, &mut trials)?;
            progress.suspend(|| output.rows(trials))?;
            if let Some(error) = error {
                return Err(error).with_context(|| {
                    format!("{}: {}", load.model, pacemark_record::test_name(test))
                });
            }
        }
    }
    Ok(())
}

/// Tokens of the longest of `tests`. One more than they compute: the token that a prompt gives
/// (bench's throughput module).
fn longest(tests: &[Params]) -> usize {
    let lengths = tests
        .iter()
        .map(|t| ["n_depth", "n_prompt", "n_gen"].map(|name| count(t, name)).iter().sum::<usize>());
    lengths.max().unwrap_or(0) + 1
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

/// The formats asked for and the rows that were written.
struct Output<'a> {
    layout: Layout<'a>,
    sinks: Vec<Sink>,
    env: Env,
    trials: Vec<Trial>,
    comparisons: Vec<Comparison>,
}

/// One format on one stream.
struct Sink {
    render: Box<dyn Render>,
    to_stderr: bool,
    /// Rows are written as they come; otherwise all at the end.
    streams: bool,
    /// It shows comparisons and notes.
    tells: bool,
    text: String,
}

impl Sink {
    fn write(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        if self.to_stderr {
            return io::stderr().write_all(text.as_bytes());
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl<'a> Output<'a> {
    fn new(args: &Args, layout: Layout<'a>, env: Env) -> Output<'a> {
        let wanted = [(&args.output, false), (&args.output_err, true)];
        let sinks = wanted.into_iter().filter_map(|(name, to_stderr)| {
            let renderer = render::find(name)?;
            let text = String::new();
            Some(Sink {
                render: (renderer.new)(),
                to_stderr,
                streams: renderer.streams,
                tells: renderer.tells,
                text,
            })
        });
        Output { layout, sinks: sinks.collect(), env, trials: Vec::new(), comparisons: Vec::new() }
    }

    /// Writes the rows of one test, a trial for each backend.
    fn rows(&mut self, trials: Vec<Trial>) -> io::Result<()> {
        let comparisons = compare(&trials);
        for (trial, comparisons) in trials.into_iter().zip(comparisons) {
            for sink in &mut self.sinks {
                if self.trials.is_empty() {
                    sink.text += &sink.render.begin(&self.layout);
                }
                let row = Row { env: &self.env, trial: &trial, comparisons: &comparisons };
                sink.text += &sink.render.row(&self.layout, &row);
                if sink.streams {
                    sink.write()?;
                }
            }
            self.trials.push(trial);
            self.comparisons.extend(comparisons);
        }
        Ok(())
    }

    /// Completes what was begun; without a row nothing was. What no format tells its reader goes to
    /// stderr.
    fn end(&mut self) -> io::Result<()> {
        let warnings =
            if self.trials.is_empty() { Vec::new() } else { warnings(&self.env, &self.trials) };
        let notes: Vec<String> = warnings.iter().map(Warning::to_string).collect();
        let closing = Closing { env: &self.env, comparisons: &self.comparisons, notes: &notes };
        for sink in &mut self.sinks {
            if !self.trials.is_empty() {
                sink.text += &sink.render.end(&self.layout, &closing);
            }
            sink.write()?;
        }
        if !self.sinks.iter().any(|sink| sink.tells) {
            notes.iter().for_each(|note| eprintln!("warning: {note}"));
        }
        Ok(())
    }
}
