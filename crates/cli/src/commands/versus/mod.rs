//! `pacemark versus`: one model and one workload under many engines, side by side.

mod child;
mod engines;
mod spec;

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
use engines::Engines;
use pacemark_bench::versus::{Bout, failure, panels, unequal};
use pacemark_bench::{Case, Experiment, How, Repetitions, Subject, Versus, Warmups};
use pacemark_record::Trial;
use spec::Spec;
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  pacemark versus --engine native --engine openvino
  pacemark versus -m model.gguf --engine llama-cpp --engine native --engine native:t=1      the first is the baseline
  pacemark versus --engine native --engine openvino:dtype=f32,kv=f32 --fair                  exit 3 if the terms differ
  pacemark versus --engine native --engine openai:url=http://127.0.0.1:8000,as=vllm
  pacemark versus --engine native --engine transformers -r 5 --svg engines.svg --save run.json

Each run is in a fresh process: it loads the model, computes a prompt and its answer, then several sequences at once; engines take
turns, every other round the other way. Quality is the perplexity of a text, by llama.cpp's recipe. `pacemark doctor` says which engines are
usable here.";

/// Compare engines: speed, memory, loading and answers of one model
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = format!("{}\n{}", spec::help(), help_of(EXAMPLES, &Versus)))]
pub(super) struct Args {
    /// Model: a GGUF file, a Hugging Face directory, a name of `pacemark models list`, or hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    /// An engine, with settings if it is to have some: native, llama-cpp, openvino, transformers, openai;
    /// the first is what the others are compared with
    #[arg(long, value_name = "NAME[:KEY=VALUE,…]", required = true)]
    engine: Vec<String>,
    /// The name of the engine that the others are compared with [default: the first]
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// Tokens of the prompt of a run
    #[arg(short = 'p', long, value_name = "N", default_value = "512")]
    n_prompt: NonZeroUsize,
    /// Tokens generated after the first, at least 1
    #[arg(short = 'n', long, value_name = "N", default_value = "64")]
    n_gen: NonZeroUsize,
    /// Sequences computed at once, each such a prompt and answer; 1 for none (-npl)
    #[arg(long, value_name = "N", alias = "npl", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    n_parallel: u16,
    /// Rounds: runs of each engine; rates and ratios have intervals from 5 on
    #[arg(short, long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    /// Start of the random prompts [default: another one each time, so that no server's cache has them]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads of each engine [default: all processors]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Text that perplexity is measured on, UTF-8 [default: The Tempest, which comes with Pacemark]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Tokens of a chunk of the text; even
    #[arg(short = 'c', long, value_name = "N", default_value_t = 512)]
    ctx_size: usize,
    /// Chunks at most; 0 to measure no perplexity
    #[arg(long, value_name = "N", default_value_t = 4)]
    chunks: usize,
    /// Exit with 3 if threads, precision, types of keys and values, prompts or output lengths differ or are
    /// not known
    #[arg(long)]
    fair: bool,
    #[command(flatten)]
    pictures: output::PictureArgs,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "md", value_parser = output::formats(&[]))]
    output: String,
    /// Write the record, with every run and every token's score, as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
}

impl Args {
    /// The engines, the baseline first.
    fn specs(&self, n_threads: usize) -> Result<Vec<Spec>, UsageError> {
        let mut specs = spec::all(&self.engine)?;
        if let Some(baseline) = &self.baseline {
            let Some(at) = specs.iter().position(|spec| spec.name == *baseline) else {
                let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
                let why = format!("expected one of {}", names.join(", "));
                return Err(UsageError(format!("--baseline {baseline}: {why}")));
            };
            let first = specs.remove(at);
            specs.insert(0, first);
        }
        for spec in &specs {
            spec.setup(n_threads)?;
        }
        Ok(specs)
    }

    /// The text, where quality is measured on one.
    fn text(&self) -> Result<Option<Text>> {
        if self.chunks == 0 {
            return Ok(None);
        }
        eval::check_chunks(self.ctx_size)?;
        Ok(Some(match &self.file {
            Some(file) => Text { text: eval::read_text(file)?, name: file.display().to_string() },
            None => book(),
        }))
    }
}

/// Runs `pacemark versus`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let threads = setup::threads(args.threads.map(usize::from), None);
    let n_threads = threads.per_token();
    let specs = args.specs(n_threads)?;
    let text = args.text()?;
    let path = hub::resolve(&args.model)?;
    let read = [Some(Input::Model(&path)), args.file.as_deref().map(Input::File)];
    let inputs: Vec<Input<'_>> = read.into_iter().flatten().collect();
    let record = Record::create(args.save.as_deref(), &inputs)?;
    let save = args.save.as_deref().map(Input::Output);
    let pictures = args.pictures.create(&[inputs, save.into_iter().collect()].concat())?;
    let stop = interrupt::flag();
    let mut engines = Engines::prepare(args, &specs, &path, text.as_ref(), threads)?;
    let bout = Bout {
        names: specs.iter().map(|spec| spec.name.clone()).collect(),
        model: args.model.clone(),
        n_prompt: args.n_prompt.get(),
        n_gen: args.n_gen.get(),
        n_together: usize::from(args.n_parallel),
        seed: engines.seed(),
        n_ctx: args.ctx_size,
        text: engines.is_scored().then(|| text.map(|text| text.name)).flatten(),
    };
    let mut output =
        Output::new(&Versus, machine::env(), &args.output, record, args.history.archive());
    let mut watch = Watch::new(&mut output);
    let mut how = How {
        repetitions: Repetitions::exactly(args.repetitions.get()),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut watch,
        stop,
    };
    let case = Case::Bout(Box::new(bout));
    let result = Versus.measure(&case, &mut Subject::Contenders(&mut engines), &mut how);
    drop(watch);
    let (mut trials, error) = match result {
        Ok(trials) => (trials, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    if trials.is_empty() {
        return Err(error.map_or_else(|| anyhow!("nothing was measured"), Into::into));
    }
    trials.iter_mut().filter(|trial| !trial.model.path.is_empty()).for_each(|trial| {
        trial.model.path.clone_from(&args.model);
    });
    let drawn = pictures.draw(&panels(&trials));
    let (failed, differs) = judged(&trials);
    let is_there =
        |name: &str| trials.iter().any(|trial| Versus.compared_as(trial).as_deref() == Some(name));
    let names = specs.iter().map(|spec| spec.name.as_str());
    let absent: Vec<&str> = names.filter(|name| !is_there(name)).collect();
    output.rows(trials)?;
    output.end(Vec::new())?;
    drawn?;
    if error.is_some() {
        if !absent.is_empty() {
            eprintln!("not begun: {}", absent.join(", "));
        }
        return eval::ended(error, "what was measured until then");
    }
    Ok(match (failed, args.fair && differs) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Missed,
        (false, false) => Exit::Fine,
    })
}

/// Whether an engine failed, and whether the terms differ; both are in what is shown.
fn judged(trials: &[Trial]) -> (bool, bool) {
    (trials.iter().any(|trial| failure(trial).is_some()), !unequal(trials).is_empty())
}
