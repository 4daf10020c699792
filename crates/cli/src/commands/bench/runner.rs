//! Loads the models, runs the tests and writes each row when it is measured, so that no later failure loses it.

use super::progress::Progress;
use super::{Args, Plan};
use crate::exit::Exit;
use crate::{hub, interrupt};
use anyhow::{Context, Result};
use pacemark_backend::Backend;
use pacemark_backends::native::{NativeBackend, NativeOptions};
use pacemark_bench::{BenchError, METRICS, Params, Throughput, warnings};
use pacemark_record::env::{self, CpuTime};
use pacemark_record::{Env, Trial};
use pacemark_report::{Layout, Render, Row, render};
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What one load of a model serves.
#[derive(Clone, PartialEq, Eq)]
struct Load {
    model: String,
    n_ubatch: usize,
    n_threads: usize,
}

impl Load {
    fn of(test: &Params) -> Load {
        Load {
            model: test.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
            // llama.cpp's rule: a micro-batch is not larger than a batch.
            n_ubatch: count(test, "n_ubatch").min(count(test, "n_batch")),
            n_threads: count(test, "n_threads"),
        }
    }
}

fn count(test: &Params, name: &str) -> usize {
    test.get(name).and_then(Value::as_u64).unwrap_or(0) as usize
}

/// Runs every test of `plan`.
pub fn run(args: &Args, plan: &Plan) -> Result<Exit> {
    if cfg!(debug_assertions) {
        eprintln!("warning: debug build, performance may be affected: cargo run --release -- bench");
    }
    // All names are looked up before anything runs: a wrong one should not end a long benchmark half-way.
    let mut paths = HashMap::new();
    for test in &plan.tests {
        let model = Load::of(test).model;
        if let Entry::Vacant(unknown) = paths.entry(model) {
            let path = hub::resolve(unknown.key())?;
            unknown.insert(path);
        }
    }
    // From here on Ctrl-C keeps what was measured; until here it just ends the process.
    let stop = interrupt::flag();
    let layout = Layout { varied: &plan.varied, metrics: METRICS };
    let mut output = Output::new(args, layout, machine());
    let before = CpuTime::now();
    let progress = Progress::new(plan.tests.len(), args.repetitions.get(), args.progress, args.verbose);
    let result = measure(args, plan, &paths, &mut output, progress);
    output.end()?;
    if let (Some(before), Some(now)) = (before, CpuTime::now()) {
        output.env.steal_share = before.steal_share_until(now);
    }
    let worth_telling = if output.trials.is_empty() { Vec::new() } else { warnings(&output.env, &output.trials) };
    for warning in worth_telling {
        eprintln!("warning: {warning}");
    }
    if !stop.load(Ordering::Relaxed) {
        return result.map(|()| Exit::Fine);
    }
    let asked = plan.tests.len();
    let done = output.trials.iter().filter(|trial| trial.samples.len() == trial.repetitions).count();
    eprintln!("interrupted: {done} of {asked} tests are complete");
    for trial in output.trials.iter().filter(|trial| trial.samples.len() < trial.repetitions) {
        eprintln!("{}: {} of {} repetitions", trial.test_name(), trial.samples.len(), trial.repetitions);
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
    let experiment = Throughput { repetitions: args.repetitions.get(), warmup: !args.no_warmup, seed: 0 };
    for tests in plan.tests.chunk_by(|a, b| Load::of(a) == Load::of(b)) {
        let load = Load::of(&tests[0]);
        if stop.load(Ordering::Relaxed) {
            return Err(BenchError::Interrupted.into());
        }
        let backend = open(args, &load, &paths[&load.model], tests, &progress)?;
        for test in tests {
            pause(args.delay);
            let result = experiment.run(&backend, test, &mut progress, stop);
            let (trial, error) = match result {
                Ok(trial) => (Some(trial), None),
                Err(cut) => (cut.partial.map(|trial| *trial), Some(cut.error)),
            };
            if let Some(trial) = trial {
                progress.suspend(|| output.row(trial))?;
            }
            if let Some(error) = error {
                return Err(error).with_context(|| format!("{}: {}", load.model, pacemark_record::test_name(test)));
            }
        }
    }
    Ok(())
}

/// Loads a model with room for the longest of `tests`.
fn open(args: &Args, load: &Load, path: &Path, tests: &[Params], progress: &Progress) -> Result<NativeBackend> {
    // One more than the tokens of a test: the token that a prompt gives (bench's throughput module).
    let lengths =
        tests.iter().map(|t| ["n_depth", "n_prompt", "n_gen"].map(|name| count(t, name)).iter().sum::<usize>());
    let n_ctx = lengths.max().unwrap_or(0) + 1;
    let options = NativeOptions { n_threads: load.n_threads, n_ctx: Some(n_ctx), n_seqs: 1, n_ubatch: load.n_ubatch };
    // Where this does not work, the peak is that of the whole process.
    env::reset_peak_rss();
    let backend = NativeBackend::load(path, options, &mut |done, of| {
        progress.say(&format!("loading {}: layer {done}/{of}", load.model));
    })?;
    if args.verbose {
        let info = backend.info();
        let stages: Vec<_> =
            info.load.iter().map(|(stage, time)| format!("{stage} {:.1} ms", time.as_secs_f64() * 1e3)).collect();
        eprintln!(
            "{}: {}, {} threads, {}, n_ctx {n_ctx}, n_ubatch {}, load: {}",
            info.model_path,
            info.model_type,
            info.n_threads,
            info.isa,
            load.n_ubatch,
            stages.join(", ")
        );
    }
    Ok(backend)
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

/// What is known of the machine before the run.
fn machine() -> Env {
    Env {
        cpu_model: env::cpu_model(),
        logical_cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: env::memory_bytes(),
        kernel: env::kernel(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("PACEMARK_COMMIT").to_owned(),
        build_number: env!("PACEMARK_BUILD_NUMBER").parse().unwrap_or(0),
        started_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        load_average_1m: env::load_average_1m(),
        steal_share: None,
    }
}

/// The formats asked for and the rows that were written.
struct Output<'a> {
    layout: Layout<'a>,
    sinks: Vec<Sink>,
    env: Env,
    trials: Vec<Trial>,
}

/// One format on one stream.
struct Sink {
    render: Box<dyn Render>,
    to_stderr: bool,
    /// Rows are written as they come; otherwise all at the end.
    streams: bool,
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
            Some(Sink { render: (renderer.new)(), to_stderr, streams: renderer.streams, text })
        });
        Output { layout, sinks: sinks.collect(), env, trials: Vec::new() }
    }

    fn row(&mut self, trial: Trial) -> io::Result<()> {
        for sink in &mut self.sinks {
            if self.trials.is_empty() {
                sink.text += &sink.render.begin(&self.layout);
            }
            sink.text += &sink.render.row(&self.layout, &Row { env: &self.env, trial: &trial });
            if sink.streams {
                sink.write()?;
            }
        }
        self.trials.push(trial);
        Ok(())
    }

    /// Completes what was begun; without a row nothing was.
    fn end(&mut self) -> io::Result<()> {
        for sink in &mut self.sinks {
            if !self.trials.is_empty() {
                sink.text += &sink.render.end(&self.env);
            }
            sink.write()?;
        }
        Ok(())
    }
}
