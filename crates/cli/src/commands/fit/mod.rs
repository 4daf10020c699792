//! `pacemark fit`: what this machine will do with a model, before it runs: memory, rates, and what
//! fits.

mod machine;
mod plan;
mod process;
mod size;
mod subject;
mod watch;

use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::output::{self, Input, Output, Record};
use crate::{interrupt, machine as system, setup};
use anyhow::Result;
use machine::Slices;
use pacemark_bench::fit::nothing_fits;
use pacemark_bench::{BenchError, Case, Experiment, FitModel, How, Repetitions, Subject, Warmups};
use pacemark_setup::DType;
use plan::Plan;
pub(crate) use process::child;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use subject::Model;
use watch::Watch;

const EXAMPLES: &str = "Examples:
  pacemark fit -m model.gguf                                  memory and rates at 4096 tokens
  pacemark fit -m model.gguf -c 4096,32768 --parallel 1,8     at each context, alone and with eight
  pacemark fit -m model.gguf -ctk f16,q8_0 -ctv f16,q8_0      what smaller keys and values give
  pacemark fit -m model.gguf --kv full --kv streaming:4+1020  and keeping a part of them
  pacemark fit -m synth:llama3.2-3b:Q4_K_M --budget 4GiB      a model that is not here, in 4 GiB
  pacemark fit -m model.gguf --prove                          and then: is it so?

The weights are not read: memory follows from the header, rates from passes over a few layers of its \
shapes and types, with weights that are drawn (docs/fit.md). A model of the catalog need not have been \
pulled.

Exit codes: 0 fine, 1 failed, or the header lacks what a prediction needs, 2 wrong usage, 3 nothing \
fits in the memory there is.";

/// Tell what this machine will do with a model before it runs: memory, rates, what fits
///
/// For each context, number of sequences, type of keys and values, and policy: the memory that the
/// process will take, whether that fits, and prompt and generated tokens a second with the interval
/// that they will lie in. --prove runs the model, and shows what came of it beside what was said.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Model: a GGUF file, a Hugging Face directory, a name of `pacemark models list`,
    /// hf:ORG/REPO/FILE that was pulled, or synth:SHAPE:TYPE
    #[arg(short, long, value_name = "MODEL", default_value = crate::hub::DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    weights: setup::WeightType,
    /// Tokens of each sequence [default: 4096, or the trained context where that is less]
    #[arg(short, long, value_name = "LIST", value_delimiter = ',')]
    ctx_size: Vec<NonZeroUsize>,
    /// Sequences at a time
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1")]
    parallel: Vec<NonZeroUsize>,
    /// Types of keys (-ctk): f32, f16, q8_0, q4_0; those of -ctk and -ctv pair by pair
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "f16", value_parser = setup::kv_type)]
    cache_type_k: Vec<DType>,
    /// Types of values (-ctv); one goes with all of the other list
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "f16", value_parser = setup::kv_type)]
    cache_type_v: Vec<DType>,
    /// Keep a part of the keys and values only, as `pacemark kv --list` has it; may be repeated
    /// [default: full]
    #[arg(long, value_name = "SPEC", value_parser = setup::policy)]
    kv: Vec<String>,
    /// Threads that compute [default: all processors]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Memory that the model may take, e.g. 8GiB or 500MB [default: what the system has left]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    budget: Option<u64>,
    /// Load and run the model too, in a process of its own
    #[arg(long)]
    prove: bool,
    /// Rounds of passes that are timed; an interval needs 5
    #[arg(short, long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "md", value_parser = output::formats(&[]))]
    output: String,
    /// Write the record as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
}

/// Runs `pacemark fit`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    if cfg!(debug_assertions) {
        eprintln!("warning: debug build, rates are not those of a release build");
    }
    let threads = setup::threads(args.threads.map(usize::from), None);
    let model = Model::open(&args.model, args.weights)?;
    let plan = Plan::of(args, &model, threads)?;
    let record = Record::create(args.save.as_deref(), &[Input::Model(&model.path)])?;
    let stop = interrupt::flag();
    let mut output =
        Output::new(&FitModel, system::env(), &args.output, record, args.history.archive());
    let mut slices = Slices::new(&model, threads);
    let mut watch = Watch::new(args.repetitions.get());
    let mut error = None;
    for setting in plan.settings {
        watch.setting(&setting.name());
        let mut how = How {
            repetitions: Repetitions::exactly(args.repetitions.get()),
            warmup: Warmups::None,
            seed: 0,
            observer: &mut watch,
            stop,
        };
        let case = Case::Fit(Box::new(setting));
        match FitModel.measure(&case, &mut Subject::Fit(&mut slices), &mut how) {
            Ok(trials) => output.rows(trials)?,
            Err(cut) => {
                output.rows(cut.partial)?;
                error = Some(cut.error);
                break;
            }
        }
    }
    drop(watch);
    let lacking = nothing_fits(output.trials());
    output.end(Vec::new())?;
    match error {
        Some(BenchError::Interrupted) => {
            eprintln!("interrupted: the figures are of what was measured until then");
            Ok(Exit::Failed)
        }
        Some(error) => Err(error.into()),
        None if plan.is_unknown => Ok(Exit::Failed),
        None => Ok(lacking.map_or(Exit::Fine, |lacking| {
            eprintln!("error: {lacking}");
            Exit::Missed
        })),
    }
}

/// A wrong value of a flag.
fn wrong(flag: &str, value: impl std::fmt::Display, why: &str) -> anyhow::Error {
    UsageError(format!("{flag} {value}: {why}")).into()
}
