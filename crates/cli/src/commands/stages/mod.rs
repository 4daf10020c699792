//! `pacemark stages`: the serving stack layer by layer, and what each layer costs.

mod ladder;
mod prompts;

use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::output::{self, Input, Output, Record};
use crate::until::UntilArgs;
use crate::{hub, input, interrupt, machine, setup};
use anyhow::{Context, Result, anyhow};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ladder::Rungs;
pub(super) use ladder::client;
use pacemark_backend::Service;
use pacemark_backends::native::{NativeService, ServiceOptions};
use pacemark_bench::stages::{Climb, STAGES};
use pacemark_bench::{Case, Experiment, How, Observer, Phase, Stages, Subject, Warmups, describe};
use pacemark_record::{Run, StageFigures, StageTarget, StageVerdict, stage_figures};
use pacemark_report::chart::svg;
use pacemark_setup::{Place, Setup, Threads};
use prompts::Prompts;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLES: &str = "Examples:
  pacemark stages                                     the default model, all ten stages
  pacemark stages -m model.gguf --target 95%          exit code 3 if a stage is not shown to reach 95 % of the decoder
  pacemark stages -m synth:qwen3-0.6b:Q4_K_M --target 80 --rounds 8
  pacemark stages --stages 0,5,9 -o json | jq '.stages[].own_us_per_token'
  pacemark stages --chart stages.svg

Stages: each goes through all layers of those before it.
  0 decoder   1 KV pages, sampling   2 batch assembly   3 stop, text, events   4 scheduler
  5 thread, queue   6 request to prompt   7 HTTP handler   8 HTTP server   9 SSE to a client process

Exit codes: 0 all stages meet the target, 1 failed, 2 wrong usage, 3 a stage missed it or could not be \
shown to meet it: undecided, or fewer than 5 rounds.";

/// Measure the serving stack layer by layer: what each layer costs
///
/// The same requests run through the decoder alone, then through one layer more each time, up to a
/// stream of server-sent events to another process. Rounds go up and down the ladder in turn; costs
/// are differences within a round, with 95 % intervals.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Model: a GGUF file, a Hugging Face directory, a name of `pacemark models list`,
    /// hf:ORG/REPO/FILE or synth:SHAPE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    weights: setup::WeightType,
    /// Requests of each run
    #[arg(long, value_name = "N", default_value = "40")]
    requests: NonZeroUsize,
    /// Requests at a time
    #[arg(long, value_name = "N", default_value = "8")]
    concurrency: NonZeroUsize,
    /// Tokens of each prompt; more where the model's chat template takes more
    #[arg(long, value_name = "N", default_value = "32")]
    prompt_tokens: NonZeroUsize,
    /// Tokens that each request generates
    #[arg(long, value_name = "N", default_value = "50")]
    gen_tokens: NonZeroUsize,
    /// Rounds that count; an interval needs 5
    #[arg(short, long, value_name = "N", default_value = "5")]
    rounds: NonZeroUsize,
    #[command(flatten)]
    until: UntilArgs,
    /// Stages to run, e.g. 0,4,9 [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..STAGES.len() as i64))]
    stages: Vec<u8>,
    /// What each stage must reach: a share of stage 0 (80%), or tokens a second (80)
    #[arg(long, value_name = "T", default_value = "80%", value_parser = target)]
    target: StageTarget,
    /// Threads that compute [default: all processors]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    kv: setup::KvArgs,
    /// Start of the random prompts
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write the record, with every round's time, as JSON
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
    /// Write the chart as SVG
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// How to print it; table is with a chart
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = output::formats(&[]))]
    output: String,
}

fn target(text: &str) -> Result<StageTarget, String> {
    let number = |text: &str| text.trim().parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0);
    let parsed = match text.strip_suffix('%') {
        Some(share) => number(share).map(|share| StageTarget::Share(share / 100.0)),
        None => number(text).map(StageTarget::TokensPerSecond),
    };
    parsed.ok_or_else(|| "expected a share such as 80%, or tokens a second such as 80".into())
}

/// Runs `pacemark stages`.
pub(super) fn run(args: Args) -> Result<Exit> {
    let mut numbers: Vec<usize> = args.stages.iter().map(|&stage| usize::from(stage)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        numbers = (0..STAGES.len()).collect();
    }
    let stop = interrupt::flag();
    let setup = args.setup()?;
    let env = machine::env();
    setup
        .threads
        .place
        .leave_leader()
        .context("cannot leave a processor to the thread that leads the computation")?;
    let path = hub::resolve(&args.model)?;
    let (record, chart) = outputs(&args, &path)?;
    let service = load(&args, &path, &setup)?;
    let prompts = Prompts::new(service.clone(), args.prompt_tokens.get())?;
    let n_prompt_tokens = prompts.n_tokens();
    let n_ctx = Service::info(&*service).n_ctx;
    if n_prompt_tokens + args.gen_tokens.get() > n_ctx {
        let asked = n_prompt_tokens + args.gen_tokens.get();
        return Err(UsageError(format!(
            "{asked} tokens a request: the model's context has {n_ctx}"
        ))
        .into());
    }
    let climb = Climb {
        stages: numbers,
        warmup_rounds: 1,
        n_requests: args.requests.get(),
        concurrency: args.concurrency.get(),
        n_prompt_tokens,
        n_gen_tokens: args.gen_tokens.get(),
        target: args.target,
        setup,
    };
    let model = describe(&Service::info(&*service));
    let mut rungs = Rungs {
        service,
        n_requests: climb.n_requests,
        concurrency: climb.concurrency,
        prompts,
        n_gen_tokens: climb.n_gen_tokens,
    };
    let mut watch = Watch::new(args.rounds.get());
    let mut output = Output::new(&Stages, env, &args.output, record, args.history.archive());
    let mut how = How {
        repetitions: args.until.repetitions(args.rounds.get()),
        warmup: Warmups::UntilSettled,
        seed: args.seed,
        observer: &mut watch,
        stop,
    };
    let mut subject = Subject::Ladder(&mut rungs, &model);
    let (trials, error) = match Stages.measure(&Case::Climb(climb), &mut subject, &mut how) {
        Ok(trials) => (trials, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    drop(watch);
    let figures = stage_figures(&trials, args.target);
    if let Some(file) = chart.filter(|_| !trials.is_empty()) {
        let run = Run { trials: trials.clone(), ..Run::default() };
        let document = Stages.document(&run, &[]);
        let drawn: String = document.charts.iter().map(svg).collect();
        file.write_whole(drawn.as_bytes())?;
    }
    output.rows(trials)?;
    output.end(Vec::new())?;
    if let Some(error) = error {
        return Err(anyhow!(error));
    }
    let not_met = not_met(&figures);
    not_met.iter().for_each(|why| eprintln!("warning: {why}"));
    Ok(Exit::held_to(&not_met))
}

/// Which stages missed the target, and of which it cannot be said.
fn not_met(figures: &[StageFigures]) -> Vec<String> {
    let those = |verdict, what: &str| {
        let stages =
            figures.iter().filter(|row| row.verdict == verdict).map(|row| row.stage.to_string());
        let stages: Vec<String> = stages.collect();
        (!stages.is_empty()).then(|| format!("{what}: stage {}", stages.join(", ")))
    };
    let undecided = if figures.iter().any(|row| row.interval.is_none()) {
        "target undecided, intervals need 5 rounds"
    } else {
        "target undecided, it lies within the interval (more --rounds narrow it)"
    };
    [those(StageVerdict::Missed, "target missed"), those(StageVerdict::Undecided, undecided)]
        .into_iter()
        .flatten()
        .collect()
}

/// The files that are asked for: record and chart.
fn outputs(args: &Args, model: &Path) -> Result<(Option<Record>, Option<pacemark_files::Output>)> {
    let model = Input::Model(model);
    let record = Record::create(args.save.as_deref(), &[model])?;
    let chart = args.chart.as_deref().map(|path| {
        let others: Vec<_> =
            [Some(model), args.save.as_deref().map(Input::Output)].into_iter().flatten().collect();
        output::create("--chart", path, &others)
    });
    Ok((record, chart.transpose()?))
}

impl Args {
    fn setup(&self) -> Result<Setup, UsageError> {
        let threads = setup::threads(self.threads.map(usize::from), None);
        // As in `serve`, of which the ladder is to tell.
        let place = Place::apart(threads.in_all());
        setup::check_native(Setup {
            threads: Threads { place, ..threads },
            weights: self.weights.residence(),
            cache: self.kv.types(),
            ..Setup::default()
        })
    }
}

fn load(args: &Args, path: &Path, setup: &Setup) -> Result<Arc<NativeService>> {
    // No two prompts share more than the template's own text, and what is found there would not be
    // computed by the stages above the scheduler only: so nothing is looked up.
    let service = ServiceOptions {
        max_num_seqs: args.concurrency.get(),
        prefix_cache: false,
        ..ServiceOptions::default()
    };
    let service = NativeService::load(path, setup, service, &mut |_, _| {})?;
    input::warn(&Service::info(&service));
    Ok(Arc::new(service))
}

/// One line on a terminal.
struct Watch {
    bar: ProgressBar,
    rounds: usize,
    stage: String,
}

impl Watch {
    fn new(rounds: usize) -> Watch {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Watch { bar, rounds, stage: String::new() }
    }
}

impl Observer for Watch {
    fn turn(&mut self, stage: &str) {
        stage.clone_into(&mut self.stage);
    }

    fn phase(&mut self, phase: Phase) {
        let which = match phase {
            Phase::Repetition(round) => format!("round {round}/{}", self.rounds),
            Phase::Warmup(_) | Phase::Depth => "warm-up".to_owned(),
        };
        self.bar.set_message(format!("{which}: {}", self.stage));
        self.bar.tick();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
