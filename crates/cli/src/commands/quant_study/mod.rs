//! `pacemark quant-study`: one model in several types of weights, for what each costs in answers,
//! time and memory.

mod child;
pub(super) mod files;
mod quality;

use super::eval;
use crate::exit::{Exit, UsageError};
use crate::experiments::help_of;
use crate::history::HistoryArgs;
use crate::output::{self, Input, Output, Record};
use crate::rounds::Watch;
use crate::texts::{Text, book};
use crate::{hub, interrupt, machine, setup};
use anyhow::{Result, anyhow};
pub(super) use child::child;
use files::Files;
use pacemark_bench::quant::{Limits, Types, panels};
use pacemark_bench::{Case, Experiment, How, QuantStudy, Repetitions, Subject, Warmups};
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::quantize::Recipe;
use pacemark_modelfile::summary::Summary;
use quality::Models;
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  pacemark quant-study -m model-f16.gguf
  pacemark quant-study -m model-f16.gguf --types Q8_0,Q4_K_M -r 3 --max-kld 0.02
  pacemark quant-study -m gemma3-270m --allow-requantize --svg types.svg
  pacemark quant-study -m model-f16.gguf -o json | jq -r .recommended_type

Every type is made of MODEL's own weights, which are also the reference of its quality, computed in \
single precision. Each run loads the file in a fresh process; types take turns. Needs disk space for \
all files, and memory for the weights in single precision.";

/// Compare types of weights: answers, time and memory
///
/// The model is quantized to each type; each is loaded and run in a process of its own (load time,
/// memory, prefill and decode rates), then its predictions are compared with those of the original
/// weights (perplexity, KL divergence, same most likely token). One type is recommended, with the
/// reason.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = help_of(EXAMPLES, &QuantStudy))]
pub(super) struct Args {
    /// The original: file, Hugging Face directory, catalog name or hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL")]
    model: String,
    /// Types, the first is what the others are compared with; `pacemark models quantize --help` has
    /// them all
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = setup::recipe,
        default_value = "F16,Q8_0,Q6_K,Q5_K_M,Q4_K_M,Q4_0,Q3_K_M,Q2_K")]
    types: Vec<Recipe>,
    /// The original may be quantized already: what it stands for is taken as the original
    #[arg(long)]
    allow_requantize: bool,
    /// Text that quality is measured on, UTF-8 [default: The Tempest, which comes with Pacemark]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Tokens of a chunk of the text; even
    #[arg(short = 'c', long, value_name = "N", default_value_t = 512)]
    ctx_size: usize,
    /// Chunks at most
    #[arg(long, value_name = "N", default_value = "8")]
    chunks: NonZeroUsize,
    /// Tokens of the prompt of a run
    #[arg(short = 'p', long, value_name = "N", default_value = "256")]
    n_prompt: NonZeroUsize,
    /// Tokens generated after it, at least 2
    #[arg(short = 'n', long, value_name = "N", default_value_t = 64)]
    n_gen: usize,
    /// Rounds: runs of each type; rates have intervals from 5 on
    #[arg(short, long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    /// The largest mean KL divergence that a recommended type may have, nats
    #[arg(long, value_name = "X", default_value_t = 0.05)]
    max_kld: f64,
    /// Threads that compute [default: all processors]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Keep the files of all types in this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    pictures: output::PictureArgs,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "md", value_parser = output::formats(&[]))]
    output: String,
    /// Write the record, with every run and every token's values, as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
}

impl Args {
    fn check(&self) -> Result<(), UsageError> {
        eval::check_chunks(self.ctx_size)?;
        if self.n_gen < 2 {
            let why = "at least 2 tokens: the rate is that of those after the first";
            return Err(UsageError(format!("-n {}: {why}", self.n_gen)));
        }
        let twice = |i: &usize| self.types[..*i].contains(&self.types[*i]);
        if let Some(i) = (0..self.types.len()).find(twice) {
            let name = self.types[i].info().name;
            return Err(UsageError(format!("--types: {name} is there twice")));
        }
        if !(self.max_kld.is_finite() && self.max_kld >= 0.0) {
            return Err(UsageError(format!("--max-kld {}: not a divergence", self.max_kld)));
        }
        Ok(())
    }
}

impl Args {
    /// Refuses a run that is longer than the model can attend to.
    fn check_run(&self, model: &ModelFile) -> Result<()> {
        let asked = self.n_prompt.get().saturating_add(self.n_gen);
        match Summary::of(model)?.context_length {
            Some(longest) if asked as u64 > longest => Err(UsageError(format!(
                "-p {} and -n {}: {} has a context of {longest} tokens",
                self.n_prompt, self.n_gen, self.model
            ))
            .into()),
            _ => Ok(()),
        }
    }
}

/// Runs `pacemark quant-study`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    args.check()?;
    let Text { text, name } = match &args.file {
        Some(file) => Text { text: eval::read_text(file)?, name: file.display().to_string() },
        None => book(),
    };
    let path = hub::resolve(&args.model)?;
    let tokenizer = eval::check_model(&path, args.ctx_size)?;
    let tokens = eval::tokens_of(&tokenizer, &text, name.as_ref(), args.ctx_size)?;
    let n_chunks = args.chunks.get().min(tokens.len() / args.ctx_size);
    eval::kld::check_room(&tokenizer, args.ctx_size, n_chunks)?;
    let read = [Some(Input::Model(&path)), args.file.as_deref().map(Input::File)];
    let paths = files::paths(&args.types, args.dir.as_deref());
    let made = paths.iter().map(|path| Input::Output(path));
    let inputs: Vec<Input<'_>> = read.into_iter().flatten().chain(made).collect();
    let record = Record::create(args.save.as_deref(), &inputs)?;
    let save = args.save.as_deref().map(Input::Output);
    let pictures = args.pictures.create(&[inputs, save.into_iter().collect()].concat())?;
    let threads = setup::threads(args.threads.map(usize::from), None);
    let n_threads = threads.per_batch();
    let model = ModelFile::open(&path)?;
    args.check_run(&model)?;
    let stop = interrupt::flag();
    let how = (args.allow_requantize, args.dir.is_some());
    let files = Files::write(&model, &args.types, &paths, how, n_threads)?;
    drop(model);
    let types = args.types.iter().zip(&files.written);
    let types = Types {
        types: types.map(|(t, (_, n_bytes))| (t.info().name.to_owned(), *n_bytes)).collect(),
        source: args.model.clone(),
        n_prompt: args.n_prompt.get(),
        n_gen: args.n_gen,
        n_ctx: args.ctx_size,
        n_threads,
        file: name,
        limits: Limits { max_kld: args.max_kld },
    };
    let mut output =
        Output::new(&QuantStudy, machine::env(), &args.output, record, args.history.archive());
    let mut models = Models {
        original: &path,
        files: &files,
        types: &types,
        tokens: &tokens,
        tokenizer: &tokenizer,
        max_chunks: args.chunks.get(),
        threads,
        stop,
        predictions: None,
    };
    let mut watch = Watch::new(&mut output);
    let mut how = How {
        repetitions: Repetitions::exactly(args.repetitions.get()),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut watch,
        stop,
    };
    let case = Case::Types(Box::new(types.clone()));
    let result = QuantStudy.measure(&case, &mut Subject::Types(&mut models), &mut how);
    drop(watch);
    let (trials, error) = match result {
        Ok(trials) => (trials, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    if trials.is_empty() {
        return Err(error.map_or_else(|| anyhow!("nothing was measured"), Into::into));
    }
    let drawn = pictures.draw(&panels(&trials));
    output.rows(trials)?;
    output.end(Vec::new())?;
    drawn?;
    eval::ended(error, "what was measured until then")
}
