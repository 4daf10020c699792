//! `pacemark bench`: how fast a model is on this machine, with llama-bench's flags and formats.
//!
//! Here the flags are; [`plan`] turns them to a list of tests, [`runner`] loads the models and runs
//! them through `bench`, `report` formats what comes out. The flags of llama-bench that steer how a
//! model is run, and those that have no meaning on a CPU, are in [`compat`].

mod argv;
mod backends;
mod cold;
mod compat;
mod lists;
mod plan;
mod planned;
mod progress;
pub(super) mod roof;
mod runner;
pub(super) mod synthetic;

use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::offload::{PrecisionArgs, WorkerArgs};
use crate::server::ServerArgs;
use crate::until::UntilArgs;
use crate::{experiments, hub, output, setup};
use anyhow::{Result, anyhow};
pub(crate) use argv::long_options;
pub(crate) use backends::{backend, check as check_backends};
pub(crate) use cold::{ChildArgs, child};
use compat::CompatFlags;
use lists::{Numbers, Pair};
use pacemark_backends::{BACKENDS, Device};
use pacemark_bench::{Repetitions, Test, Warmups};
use pacemark_setup::{Numa, Offload};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
pub(crate) use synthetic::write_needed;

const EXAMPLES: &str = "\
Examples:
  pacemark bench                                 the default model: 512 prompt tokens, 128 generated
  pacemark bench -m model.gguf -p 128-2048*2     prompts of 128, 256, 512, 1024 and 2048 tokens
  pacemark bench -m a.gguf,b.gguf -t 1-4 -r 10   two models, one to four threads, ten repetitions
  pacemark bench -p 0 -n 32 -d 0,1024,4096       generation after 0, 1024 and 4096 tokens of context
  pacemark bench -p 0 -n 0 -pg 1000,200          a prompt and its answer, timed as one
  pacemark bench -o json > result.json           llama-bench's fields, then Pacemark's own
  pacemark bench -npp 32 -ntg 50 -npl 1,2,4,8    several sequences at once, llama-batched-bench's table
  pacemark bench --backend native,llama-cpp      both in turn (A B B A), and who is faster for certain
  pacemark bench --backend llama-cpp -ngl 0,99 --rpc 10.0.0.2:50052      this machine alone, and with a worker
  pacemark bench --backend llama-cpp --plan 1gbit/1ms,10gbit/0.1ms       what links would make of it, before they are there
  pacemark bench --backend native,openai --url http://127.0.0.1:8000     this engine and a server, the same tokens to both
  pacemark bench --cold -p 16 -n 1               fresh processes: from their start to the first token, and memory
  pacemark bench --cold --cold-command 'llama-cli -m model.gguf -p Hi -n 1 -no-cnv'     another engine's, in turn

Lists are separated by commas or made by giving a flag again (a file whose name has commas is one model); ranges are first-last,
first-last+step and first-last*factor. Every combination is measured. Commands written for
llama-bench work as they are, its short options (-ngl, -fa, ...) too, where they do not ask for
what only a GPU can do.";

/// Repetitions where none are asked for: llama-bench's; and of backends that are compared, so many
/// that nine in ten differences of 3 % are found (docs/metrics.md, "How sure").
const ALONE: usize = 5;
const IN_TURN: usize = 16;

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = experiments::help_of_backends(EXAMPLES))]
pub(super) struct Args {
    /// Models: files, Hugging Face directories, catalog names or hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: Vec<String>,
    #[command(flatten)]
    weights: setup::WeightType,
    /// Repository of a model on the Hugging Face hub, with --hf-file (-hf, -hfr)
    #[arg(long, value_name = "ORG/REPO", value_delimiter = ',', conflicts_with = "model")]
    hf_repo: Vec<String>,
    /// Its file (-hff)
    #[arg(long, value_name = "FILE", value_delimiter = ',', requires = "hf_repo")]
    hf_file: Vec<String>,
    /// Backends to measure, in turn where there are several: native, openvino, transformers, openai, llama-cpp
    /// or openvino-capi, as `pacemark doctor` has them; alone also auto, which has a processor of graphics,
    /// else is native
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = BACKENDS[0].name)]
    backend: Vec<String>,
    /// Prompt lengths to measure; 0 for none
    #[arg(
        short = 'p',
        long,
        value_name = "N",
        default_value = "512",
        allow_negative_numbers = true
    )]
    n_prompt: Vec<Numbers>,
    /// Generated lengths to measure; 0 for none
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value = "128",
        allow_negative_numbers = true
    )]
    n_gen: Vec<Numbers>,
    /// Prompt followed by generation, timed as one (-pg)
    #[arg(long, value_name = "PP,TG")]
    pg: Vec<Pair>,
    /// Sequences computed together: llama-batched-bench's table in place of llama-bench's (-npl)
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with_all = ["n_prompt", "n_gen", "pg", "n_depth"])]
    npl: Vec<Numbers>,
    /// Prompt lengths of each sequence of --npl [default: 128] (-npp)
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "npl")]
    npp: Vec<Numbers>,
    /// Generated lengths of each sequence of --npl [default: 128] (-ntg)
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "npl")]
    ntg: Vec<Numbers>,
    /// Tokens that are in the KV cache before the timed ones
    #[arg(short = 'd', long, value_name = "N", default_value = "0", allow_negative_numbers = true)]
    n_depth: Vec<Numbers>,
    /// Bounds --ubatch-size from above, as in llama.cpp
    #[arg(
        short = 'b',
        long,
        value_name = "N",
        default_value = "2048",
        allow_negative_numbers = true
    )]
    batch_size: Vec<Numbers>,
    /// Prompt tokens computed at once (-ub)
    #[arg(long, value_name = "N", default_value = "512", allow_negative_numbers = true)]
    ubatch_size: Vec<Numbers>,
    /// Threads that compute one token [default: all processors]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    threads: Vec<Numbers>,
    /// Threads that compute prompts and batches [default: as many as -t] (-tb)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads_batch: Vec<Numbers>,
    /// Keep a part of the keys and values only: full, streaming:4+1020, … of `pacemark kv --list`
    #[arg(long, value_name = "SPEC")]
    kv: Vec<String>,
    /// Lock the weights in memory: never swapped out, refused where the process may not
    #[arg(long)]
    mlock: bool,
    /// Place threads by memory nodes: distribute, isolate or numactl
    #[arg(long, value_name = "HOW", value_parser = setup::numa)]
    numa: Option<Numa>,
    /// What to measure [default: throughput; with --npl, batched]
    #[arg(long, value_name = "NAME", value_parser = experiments::of_backends())]
    experiment: Option<String>,
    #[command(flatten)]
    cold: cold::ColdArgs,
    /// Repetitions of each test; with --until at least so many [default: 5; of several backends 16,
    /// which find a difference of 3 % among noise of 2 %]
    #[arg(short, long, value_name = "N")]
    repetitions: Option<NonZeroUsize>,
    #[command(flatten)]
    until: UntilArgs,
    /// Load several backends once, not anew for each pair of runs: sooner done, but then where their
    /// memory lies counts as a difference
    #[arg(long, conflicts_with = "cold")]
    keep_loaded: bool,
    /// Seconds to wait before each test
    #[arg(long, value_name = "S", default_value = "0")]
    delay: u64,
    /// Count from the first run on
    #[arg(long)]
    no_warmup: bool,
    /// Runs that are not counted [default: until two agree]
    #[arg(long, value_name = "N", conflicts_with = "no_warmup")]
    warmups: Option<usize>,
    /// Do not measure what the machine allows beside the tests: no % roof
    #[arg(long)]
    no_roof: bool,
    /// Do not sample graphics cards and energy during the tests: no J/token
    #[arg(long)]
    no_devices: bool,
    /// Format on standard output
    #[arg(short, long, value_name = "FORMAT", default_value = "md", value_parser = output::formats(&[]))]
    output: String,
    /// Format on standard error (-oe)
    #[arg(long, value_name = "FORMAT", default_value = "none", value_parser = output::formats(&["none"]))]
    output_err: String,
    /// Write the record, with every repetition's time, as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
    /// Say on standard error what is being done, a line for each step
    #[arg(long)]
    progress: bool,
    /// Tell about each model and warm-up on standard error
    #[arg(short, long)]
    verbose: bool,
    /// Show what can compute, and exit
    #[arg(long)]
    list_devices: bool,
    #[command(flatten)]
    dtype: PrecisionArgs,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    workers: WorkerArgs,
    #[command(flatten)]
    planned: planned::PlanArgs,
    #[command(flatten)]
    compat: CompatFlags,
}

/// Runs `pacemark bench`.
pub(super) fn run(mut args: Args) -> Result<Exit> {
    if args.list_devices {
        return list_devices(&args);
    }
    let chosen = backends::choose(&mut args)?;
    backends::check(&args.backend)?;
    if args.keep_loaded && args.backend.len() == 1 {
        let why = "one backend is loaded once anyway; it is for --backend A,B";
        return Err(UsageError(format!("--keep-loaded: {why}")).into());
    }
    let mut plan = plan::plan(&args)?;
    if plan.tests.is_empty() {
        return Err(
            UsageError("nothing to measure: -p, -n and -pg ask for no tokens".into()).into()
        );
    }
    if args.cold.cold {
        return cold::run(&args, &plan);
    }
    if let Some(choice) = chosen {
        for Test { setup, .. } in &mut plan.tests {
            setup.offload = choice.placed(std::mem::take(&mut setup.offload));
        }
        plan.notes.push(choice.told());
    }
    // They end with this function.
    let _workers = args.planned.start(&mut plan.tests)?;
    runner::run(&args, &plan)
}

/// What can compute: the processors, devices and workers.
fn list_devices(args: &Args) -> Result<Exit> {
    let mut offload = Offload::default();
    args.workers.set(&mut offload)?;
    let devices = pacemark_backends::devices(&offload).map_err(|error| anyhow!(error))?;
    let cpu = pacemark_record::env::cpu_model().unwrap_or_else(|| "unknown processor".into());
    let mut out = std::io::stdout();
    writeln!(out, "Available devices:\n  CPU: {cpu}")?;
    for Device { name, description, total_bytes, free_bytes } in devices {
        let (total, free) = (total_bytes >> 20, free_bytes >> 20);
        writeln!(out, "  {name}: {description} ({total} MiB, {free} MiB free)")?;
    }
    Ok(Exit::Fine)
}

impl Args {
    /// Runs that are not counted.
    fn warmups(&self) -> Warmups {
        match (self.no_warmup, self.warmups) {
            (true, _) => Warmups::None,
            (false, Some(n)) => Warmups::Exactly(n),
            (false, None) => Warmups::UntilSettled,
        }
    }

    /// How often each test is run.
    fn repetitions(&self) -> Repetitions {
        let default = if self.backend.len() > 1 { IN_TURN } else { ALONE };
        self.until.repetitions(self.repetitions.map_or(default, NonZeroUsize::get))
    }
}

#[cfg(test)]
mod tests;
