//! `pacemark models quantize`: flags to choices, progress, and the summary of what was made.
//!
//! The rules and the conversion are `modelfile::quantize`'s.

use super::{InfoFormat, summary_to};
use crate::exit::{Exit, UsageError};
use crate::progress::Progress;
use crate::setup::recipe;
use crate::{hub, interrupt, machine};
use anyhow::{Context, Result};
use indicatif::DecimalBytes;
use pacemark_modelfile::quantize::{self, Choices, Job, Plan, QuantizeError, RECIPES, Recipe};
use pacemark_modelfile::{DType, ModelFile};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// File, catalog name or hf:ORG/REPO/FILE[@REV]
    #[arg(value_name = "IN")]
    input: String,
    /// The GGUF file to write
    #[arg(value_name = "OUT")]
    output_file: PathBuf,
    /// What to make of it; the list is below
    #[arg(long = "type", value_name = "TYPE", value_parser = recipe)]
    recipe: Recipe,
    /// Quantize tensors that are quantized already: loses more than quantizing the original
    #[arg(long)]
    allow_requantize: bool,
    /// All matrices in the one type, no mixture
    #[arg(long)]
    pure: bool,
    /// The type of the output matrix
    #[arg(long, value_name = "TYPE", value_parser = dtype)]
    output_tensor_type: Option<DType>,
    /// The type of the token embeddings
    #[arg(long, value_name = "TYPE", value_parser = dtype)]
    token_embedding_type: Option<DType>,
    /// Threads that compute [default: all processors]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = InfoFormat::Text)]
    output: InfoFormat,
}

/// The help's end: every recipe, and examples.
pub(super) fn examples() -> String {
    let types: String =
        RECIPES.iter().map(|info| format!("  {:10} {}\n", info.name, info.help)).collect();
    format!(
        "Types:\n{types}\nExamples:\n  pacemark models quantize model-f16.gguf model-q4.gguf --type Q4_K_M\n  \
         pacemark models quantize gemma3-270m gemma-f16.gguf --type F16 --allow-requantize\n  \
         pacemark models quantize in.gguf out.gguf --type Q8_0 -o json | jq .fallbacks"
    )
}

fn dtype(name: &str) -> Result<DType, String> {
    DType::from_name(name).ok_or_else(|| format!("not one of {}", DType::names()))
}

/// Runs `pacemark models quantize`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let path = hub::resolve(&args.input)?;
    let model = ModelFile::open(&path)?;
    if model.is_read_from(&args.output_file) {
        return Err(
            UsageError(format!("{} is part of the input", args.output_file.display())).into()
        );
    }
    let choices = Choices {
        recipe: args.recipe,
        pure: args.pure,
        output: args.output_tensor_type,
        embedding: args.token_embedding_type,
    };
    let plan =
        quantize::plan(&model, &choices, args.allow_requantize).map_err(|error| match error {
            QuantizeError::Requantize { .. } => {
                UsageError(format!("{error} (--allow-requantize does it)")).into()
            }
            error => anyhow::Error::from(error),
        })?;
    if args.recipe == Recipe::Q2KS {
        eprintln!(
            "warning: Q2_K_S is meant to be made with an importance matrix, which is not used here; prefer Q2_K"
        );
    }
    let n_threads = args.threads.map_or_else(pacemark_limits::processors, usize::from);
    machine::note_threads("-t", args.threads.map(usize::from));
    machine::check_memory(plan.memory_bytes(&model, n_threads), "to quantize this model")?;
    let stop = interrupt::flag();
    let (bar, start) = (Progress::new(Some(model.n_bytes())), Instant::now());
    let written = quantize::write(
        &model,
        &plan,
        &args.output_file,
        n_threads,
        &mut |done| bar.set(done),
        stop,
    );
    drop(bar);
    let file_bytes =
        written.with_context(|| format!("{} was not written", args.output_file.display()))?;
    let made = Made { model: &model, plan: &plan, args, duration: start.elapsed() };
    let mut out = summary_to(&args.output_file);
    match args.output {
        InfoFormat::Json => writeln!(out, "{:#}", made.json(file_bytes))?,
        InfoFormat::Text => made.write(&mut out, file_bytes)?,
    }
    Ok(Exit::Fine)
}

/// What was made, for either form of the summary.
struct Made<'a> {
    model: &'a ModelFile,
    plan: &'a Plan,
    args: &'a Args,
    duration: Duration,
}

/// Tensors of one type: how many, their bytes before and after.
type Change = (usize, u64, u64);

impl Made<'_> {
    fn bytes_after(job: &Job) -> u64 {
        let info = job.target.dtype.info();
        job.tensor.n_elements() / info.block_len as u64 * info.block_bytes as u64
    }

    /// Old and new type of tensors, and what that does to their size.
    fn changes(&self) -> BTreeMap<(DType, DType), Change> {
        let mut changes = BTreeMap::new();
        for job in &self.plan.jobs {
            let change: &mut Change =
                changes.entry((job.tensor.dtype, job.target.dtype)).or_default();
            change.0 += 1;
            change.1 += job.tensor.n_bytes();
            change.2 += Self::bytes_after(job);
        }
        changes
    }

    fn fallbacks(&self) -> impl Iterator<Item = (&Job, DType)> {
        self.plan.jobs.iter().filter_map(|job| Some((job, job.target.instead_of?)))
    }

    fn bits_per_weight(&self) -> f64 {
        let bytes: u64 = self.plan.jobs.iter().map(Self::bytes_after).sum();
        bytes as f64 * 8.0 / (self.model.n_params() as f64).max(1.0)
    }

    fn json(&self, file_bytes: u64) -> Value {
        let changes = self.changes().into_iter().map(|((from, to), (n, before, after))| {
            json!({"from": from.name(), "to": to.name(), "n_tensors": n, "bytes_in": before, "bytes_out": after})
        });
        let fallbacks = self.fallbacks().map(|(job, wanted)| {
            json!({
                "tensor": job.tensor.name, "row_length": job.tensor.dims[0],
                "wanted": wanted.name(), "used": job.target.dtype.name(),
            })
        });
        json!({
            "input": self.model.path(),
            "output": self.args.output_file,
            "type": self.args.recipe.info().name,
            "file_bytes_in": self.model.file_bytes(),
            "file_bytes_out": file_bytes,
            "bits_per_weight": self.bits_per_weight(),
            "types": changes.collect::<Vec<_>>(),
            "fallbacks": fallbacks.collect::<Vec<_>>(),
            "duration_s": self.duration.as_secs_f64(),
        })
    }

    fn write(&self, out: &mut dyn Write, file_bytes: u64) -> io::Result<()> {
        writeln!(
            out,
            "{:6} {:6} {:>7} {:>14} {:>14}",
            "from", "to", "tensors", "bytes before", "after"
        )?;
        for ((from, to), (n, before, after)) in self.changes() {
            writeln!(out, "{:6} {:6} {n:>7} {before:>14} {after:>14}", from.name(), to.name())?;
        }
        let mut fallbacks: BTreeMap<(DType, DType, u64), usize> = BTreeMap::new();
        for (job, wanted) in self.fallbacks() {
            *fallbacks.entry((wanted, job.target.dtype, job.tensor.dims[0])).or_default() += 1;
        }
        for ((wanted, used, row), n) in fallbacks {
            let (wanted_name, block) = (wanted.name(), wanted.info().block_len);
            let used = used.name();
            writeln!(
                out,
                "fallback: {n} tensors with rows of {row} are {used}, not {wanted_name} (blocks of {block})"
            )?;
        }
        let (path, size) = (self.args.output_file.display(), DecimalBytes(file_bytes));
        let (bits, seconds) = (self.bits_per_weight(), self.duration.as_secs_f64());
        writeln!(out, "\n{path}: {size}, {bits:.2} bits a weight, in {seconds:.1} s")
    }
}
