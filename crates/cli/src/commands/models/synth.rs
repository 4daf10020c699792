//! `pacemark models synth`: flags to a model's name, progress, and the line that says what was
//! made.
//!
//! Shapes and weights are `modelfile::synth`'s.

use crate::exit::{Exit, UsageError};
use crate::interrupt;
use crate::progress::Progress;
use crate::setup::recipe;
use anyhow::{Context, Result};
use indicatif::DecimalBytes;
use pacemark_files::look;
use pacemark_modelfile::quantize::{Plan, QuantizeError, Recipe, write};
use pacemark_modelfile::synth::{PREFIX, SHAPES, split};
use pacemark_modelfile::{DType, ModelFile};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A name of the list below, a JSON object of dimensions, or a .json file with one
    #[arg(value_name = "SHAPE[:TYPE]")]
    shape: String,
    /// The weights, as `models quantize` names them [default: Q4_K_M]
    #[arg(long = "type", value_name = "TYPE", value_parser = recipe)]
    recipe: Option<Recipe>,
    /// The GGUF file to write
    #[arg(short, long = "output", value_name = "FILE")]
    output_file: PathBuf,
}

/// The help's end: every shape, and examples.
pub(super) fn examples() -> String {
    let names: Vec<_> = SHAPES.iter().map(|row| row.0).collect();
    format!(
        "Shapes:\n  {}\n\nExamples:\n  pacemark models synth qwen3-0.6b --type Q4_K_M -o qwen3.gguf\n  \
         pacemark models synth gpt2:Q8_0 -o gpt2.gguf\n  \
         pacemark models synth '{{\"architecture\": \"llama\", \"n_embd\": 512, \"n_ff\": 1536, \"n_layers\": 8, \
         \"n_heads\": 8, \"n_vocab\": 32000}}' -o small.gguf",
        names.join(", ")
    )
}

/// Runs `pacemark models synth`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let name = match (split(&args.shape), args.recipe) {
        ((_, Some(named)), Some(recipe)) if Recipe::from_name(named) != Some(recipe) => {
            let given = recipe.info().name;
            return Err(UsageError(format!(
                "{} names a type, and --type {given} another",
                args.shape
            ))
            .into());
        }
        ((shape, _), Some(recipe)) => format!("{PREFIX}{shape}:{}", recipe.info().name),
        ((shape, Some(named)), None) => format!("{PREFIX}{shape}:{named}"),
        ((shape, None), None) => format!("{PREFIX}{shape}"),
    };
    let model = ModelFile::open(&name)?;
    if look::is_same(Path::new(split(&args.shape).0), &args.output_file) {
        return Err(UsageError(format!(
            "{} is the shape that is read",
            args.output_file.display()
        ))
        .into());
    }
    let start = Instant::now();
    let (path, size) =
        (args.output_file.display(), DecimalBytes(write_file(&model, &args.output_file)?));
    let bits = model.n_bytes() as f64 * 8.0 / (model.n_params() as f64).max(1.0);
    let mut types: BTreeMap<DType, usize> = BTreeMap::new();
    model.tensors().iter().for_each(|tensor| *types.entry(tensor.dtype).or_default() += 1);
    let types: Vec<_> = types.iter().map(|(dtype, n)| format!("{n} {}", dtype.name())).collect();
    let seconds = start.elapsed().as_secs_f64();
    let mut out = super::summary_to(&args.output_file);
    writeln!(
        out,
        "{path}: {size}, {bits:.2} bits a weight, tensors: {}, in {seconds:.1} s",
        types.join(", ")
    )?;
    Ok(Exit::Fine)
}

/// Writes a model to a file with a bar on a terminal, and tells its size. An error or Ctrl-C leaves
/// no file.
pub(in crate::commands) fn write_file(model: &ModelFile, path: &Path) -> Result<u64> {
    let stop = interrupt::flag();
    let bar = Progress::new(Some(model.n_bytes()));
    let written: Result<u64, QuantizeError> =
        write(model, &Plan::copy(model), path, 1, &mut |done| bar.set(done), stop);
    drop(bar);
    written.with_context(|| format!("{} was not written", path.display()))
}
