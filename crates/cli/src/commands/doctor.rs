//! `pacemark doctor`: what this machine can do at best, and what about it makes figures doubtful.

use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::output::{self, Output, Record};
use crate::{devices, interrupt, machine};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_backends::side::Found;
use pacemark_backends::{BACKENDS, look};
use pacemark_bench::doctor::Machine;
use pacemark_bench::{Case, Doctor, Experiment, How, Repetitions, Silent, Subject, Warmups};
use pacemark_kernels::{Roof, Team};
use pacemark_limits::{Memory, Processors, System};
use pacemark_record::env::{self, StealWatch};
use pacemark_record::host::Host;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  pacemark doctor               the machine, and its roofs with 1 to all threads
  pacemark doctor -t 1,4        with these numbers of threads
  pacemark doctor -o json       for a program to read
  PACEMARK_PYTHON=venv/bin/python3 pacemark doctor      with the Python packages of another environment

The roofs are the best that was seen within --seconds for each figure. On a shared machine they swing from minute to
minute: compare a figure only with a roof taken beside it.";

/// Memory that is read for the bandwidth; larger than the last cache of any machine that is not a
/// server.
const MEMORY: u64 = 512 << 20;

/// Shows what this machine is, which backends are usable on it, and measures its limits.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Numbers of threads to measure with [default: 1, 2, 4, … and all]
    #[arg(short, long, value_delimiter = ',', value_name = "N,…")]
    threads: Vec<usize>,
    /// Time for each figure
    #[arg(long, default_value_t = 0.5, value_name = "SECONDS")]
    seconds: f64,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = output::formats(&[]))]
    output: String,
    /// Write the record as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
}

pub(super) fn run(args: Args) -> Result<Exit> {
    let all = pacemark_limits::processors();
    let mut threads = args.threads;
    if threads.is_empty() {
        threads = (0..).map(|i| 1 << i).take_while(|n| *n < all).chain([all]).collect();
    }
    if let Some(wrong) = threads.iter().find(|n| !(1..=1024).contains(*n)) {
        return Err(UsageError(format!("-t {wrong}: expected 1 to 1024 threads")).into());
    }
    if !(args.seconds > 0.0 && args.seconds <= 60.0) {
        return Err(UsageError(format!(
            "--seconds {}: expected more than 0 and at most 60",
            args.seconds
        ))
        .into());
    }
    machine::note_threads("-t", threads.iter().copied());
    let record = Record::create(args.save.as_deref(), &[])?;
    let mut output =
        Output::new(&Doctor, machine::env(), &args.output, record, args.history.archive());
    let mut asked = Asked { time: Duration::from_secs_f64(args.seconds), roof: None };
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut Silent,
        stop: interrupt::flag(),
    };
    let steal = StealWatch::begin();
    let cases = std::iter::once(None).chain(threads.into_iter().map(Some)).map(Case::Machine);
    let mut error = None;
    for case in cases.take_while(|_| !interrupt::flag().load(Relaxed)) {
        match Doctor.measure(&case, &mut Subject::Machine(&mut asked), &mut how) {
            Ok(trials) => output.rows(trials)?,
            Err(cut) => {
                error = Some(cut.error);
                break;
            }
        }
    }
    output.env_mut().steal_share = steal.share();
    output.end(Vec::new())?;
    match error {
        Some(error) => Err(error.into()),
        None if interrupt::flag().load(Relaxed) => Ok(Exit::Failed),
        None => Ok(Exit::Fine),
    }
}

/// The machine, as this process can ask it.
struct Asked {
    time: Duration,
    /// Has the memory that is read; made when it is first needed.
    roof: Option<Roof>,
}

impl Machine for Asked {
    fn facts(&mut self) -> Result<Map<String, Value>, String> {
        let host = Host::read();
        let (memory, processors) = (Memory::of(&System::here()), Processors::of(&System::here()));
        let kernels = pacemark_kernels::kernels().map_err(|error| error.to_string())?;
        let available: Vec<&str> =
            pacemark_kernels::available().map(|set| set.isa.name()).collect();
        let [devices, devices_absent] = devices::facts();
        let facts = json!({
            "cpu_model": env::cpu_model(),
            "logical_cpus": processors.usable,
            "cpu_quota": processors.quota.as_ref().map(|(share, _)| share),
            "cpu_quota_by": processors.quota.as_ref().map(|(_, by)| by),
            "memory_bytes": env::memory_bytes(),
            "memory_available_bytes": memory.available,
            "memory_limit_bytes": memory.limit.as_ref().map(|limit| limit.bytes),
            "memory_limit_by": memory.limit.as_ref().map(|limit| &limit.by),
            "kernel": env::kernel(),
            "isa": kernels.isa.name(),
            "isa_available": available,
            "caches": host.caches,
            "governor": host.governor,
            "huge_pages": host.huge_pages,
            "memory_nodes": host.memory_nodes,
            "backends": backends(),
            "devices": devices,
            "devices_absent": devices_absent,
        });
        Ok(facts.as_object().cloned().unwrap_or_default())
    }

    fn limits(&mut self, n_threads: usize) -> Result<Map<String, Value>, String> {
        let roof = match self.roof.take() {
            Some(roof) => roof,
            None => roof().map_err(|error| format!("{error:#}"))?,
        };
        let team = Team::new(n_threads)
            .map_err(|error| format!("cannot start {n_threads} threads: {error}"))?;
        let time = self.time;
        let limits = json!({
            "read_gb_per_s": roof.read_bytes_per_s(&team, time) / 1e9,
            "int8_gops": roof.int8_operations_per_s(&team, time) / 1e9,
            "bf16_gflops": roof.bf16_operations_per_s(&team, time).map(|flops| flops / 1e9),
            "f32_gflops": roof.f32_operations_per_s(&team, time) / 1e9,
        });
        self.roof = Some(roof);
        Ok(limits.as_object().cloned().unwrap_or_default())
    }
}

/// What of each backend is here.
fn backends() -> Vec<Value> {
    let stop = interrupt::flag();
    let bar = progress();
    let told = BACKENDS.iter().map(|entry| {
        bar.set_message(format!("looking for {}", entry.name));
        bar.tick();
        let Found { versions, devices, lacking } = look(entry, stop);
        let (cause, mend) = lacking.map(|lacking| (lacking.cause, lacking.mend)).unzip();
        json!({
            "name": entry.name,
            "help": entry.help,
            "usable": cause.is_none(),
            "versions": versions,
            "devices": devices,
            "cause": cause,
            "mend": mend,
        })
    });
    let told = told.collect();
    bar.finish_and_clear();
    told
}

fn progress() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg}");
    bar.with_style(style.expect("a template without fields of its own"))
}

fn roof() -> Result<Roof> {
    // What a container has left is not all taken: its other processes live on.
    let bytes =
        Memory::of(&System::here()).available.map_or(MEMORY, |available| MEMORY.min(available / 2));
    Roof::new(pacemark_kernels::kernels()?, bytes as usize)
        .context("no memory to measure the bandwidth with")
}
