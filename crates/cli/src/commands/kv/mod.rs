//! `pacemark kv`: ways to keep keys and values compared, for what each costs in answers, time and
//! memory.

mod folder;
mod list;
mod methods;
mod plan;
mod watch;
mod what;

use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::output::{self, Output, Record};
use crate::{hub, input, interrupt, machine, setup, texts};
use anyhow::{Result, anyhow};
use folder::Folder;
use pacemark_backend::{Backend, TokenId};
use pacemark_backends::native::NativeBackend;
use pacemark_bench::experiment::Text;
use pacemark_bench::kv::Study;
use pacemark_bench::{BenchError, Case, Experiment, How, KvStudy, Repetitions, Subject, Warmups};
use pacemark_record::{Env, Run, SCHEMA, Trial};
use plan::Plan;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use watch::Watch;

const EXAMPLES: &str = "Examples:
  pacemark kv                                          the default model and policies
  pacemark kv --list                                   every policy, what it keeps, its paper
  pacemark kv -m model.gguf --policies baseline,streaming_llm,h2o,snapkv:512 --eval-prompt 1000
  pacemark kv --method streaming_llm --recent_sizes 252,508,1020 --start_size 4
  pacemark kv --policies baseline,streaming:4+508,fix_size_l2:512,keep=0.3 --no-controls -r 1

A name stands for a policy of each of the --recent-sizes, the first tokens added: streaming_llm, \
recent_only, fix_size_l2 and every name of --list. streaming_512 is one of them; a spec of --list \
is taken as it is. Files: DIR/{method}_{model}_{time}/ has results.json, record.json (`pacemark \
show` reads it), benchmark_comparison and pareto as .png and .svg.";

/// Compare policies of the KV cache: answers, time and memory
///
/// Each method scores the same stretches of a text (perplexity and next-token accuracy, exact, as if
/// token by token) and continues them (time to first token, time per token, memory). Methods take
/// turns, and every other round goes the other way. Controls show what a policy has to beat: tokens
/// at random, and all tokens in fewer bits.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Print every policy, what it keeps and where it comes from
    #[arg(long, exclusive = true)]
    list: bool,
    /// File, Hugging Face directory, catalog name or hf:ORG/REPO/FILE
    #[arg(short, long, alias = "model-id", value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    weights: setup::WeightType,
    #[command(flatten)]
    what: what::What,
    /// Text, UTF-8, or a folder whose .txt files are read in the order of their names [default: The
    /// Tempest, which comes with Pacemark]
    #[arg(long, value_name = "FILE|DIR")]
    text: Option<PathBuf>,
    /// Generations of each sample; times have intervals from 5 generations on
    #[arg(short, long, value_name = "N", default_value = "2")]
    repetitions: NonZeroUsize,
    /// Threads that compute [default: all processors]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    kv: setup::KvArgs,
    /// Where the folder of the results is made
    #[arg(long, value_name = "DIR", default_value = "results")]
    output_dir: PathBuf,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "md", value_parser = output::formats(&[]))]
    output: String,
    #[command(flatten)]
    history: HistoryArgs,
}

/// Runs `pacemark kv`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    if args.list {
        std::io::stdout().write_all(list::page().as_bytes())?;
        return Ok(Exit::Fine);
    }
    let text = texts::read(args.text.as_deref())?;
    let threads = setup::threads(args.threads.map(usize::from), None);
    let plan = Plan::of(&args.what, args.kv.types(), args.weights.residence(), threads)?;
    let path = hub::resolve(&args.model)?;
    let (plan, tokens) = plan.on(&path, &text)?;
    let env = machine::env();
    let name = folder::name(args.what.title(), &args.model, env.started_unix_s);
    let folder = Folder::create(&args.output_dir, &name)?;
    let measured = measure(args, &plan, &tokens, &path, &folder, env);
    if measured.is_err() {
        folder.remove_if_empty();
    }
    measured
}

/// Measures, pass by pass, and shows and writes what there is.
fn measure(
    args: &Args,
    plan: &Plan,
    tokens: &[TokenId],
    path: &std::path::Path,
    folder: &Folder,
    env: Env,
) -> Result<Exit> {
    let record = Record::create(Some(&folder.record()), &[])?;
    let mut output =
        Output::new(&KvStudy, env.clone(), &args.output, record, args.history.archive());
    let mut trials = Vec::new();
    let mut ended = None;
    for study in plan.passes() {
        let cut = pass(args, &study, tokens, path, &mut output, &mut trials)?;
        if cut.is_some() {
            ended = cut;
            break;
        }
    }
    if trials.is_empty() {
        return Err(ended.map_or_else(|| anyhow!("nothing was measured"), Into::into));
    }
    let run = Run { schema: SCHEMA, env, trials: trials.clone(), ..Run::default() };
    let kept = output.rows(trials);
    let shown = kept.and_then(|()| output.end(Vec::new()));
    let filled =
        folder.fill(&run, plan.config(&args.model, run.env.started_unix_s, args.repetitions.get()));
    eprintln!("results: {}", folder.path().display());
    shown?;
    filled?;
    match ended {
        None => Ok(Exit::Fine),
        Some(BenchError::Interrupted) => {
            eprintln!("interrupted: the figures are of what was measured until then");
            Ok(Exit::Failed)
        }
        Some(error) => Err(error.into()),
    }
}

/// One type of cache: its methods in turn, on a model of their own. Tells why it ended early.
fn pass(
    args: &Args,
    study: &Study,
    tokens: &[TokenId],
    path: &std::path::Path,
    output: &mut Output<'_>,
    trials: &mut Vec<Trial>,
) -> Result<Option<BenchError>> {
    let backend = NativeBackend::load(path, &study.setup, &mut |_, _| {})?;
    if trials.is_empty() {
        input::warn(&backend.info());
    }
    let n_bytes = |_| 0;
    let text = Text { backend: &backend, tokens, n_bytes: &n_bytes };
    let n = args.repetitions.get();
    let mut watch = Watch::new(output, trials.clone(), n.saturating_mul(study.n_samples));
    let mut how = How {
        repetitions: Repetitions::exactly(n),
        warmup: Warmups::UntilSettled,
        seed: 0,
        observer: &mut watch,
        stop: interrupt::flag(),
    };
    let result = KvStudy.measure(&Case::Study(study.clone()), &mut Subject::Text(text), &mut how);
    let (measured, cut) = match result {
        Ok(measured) => (measured, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    trials.extend(measured);
    Ok(cut)
}

/// A wrong value of a flag.
fn wrong(flag: &str, value: impl std::fmt::Display, why: &str) -> anyhow::Error {
    UsageError(format!("{flag} {value}: {why}")).into()
}
