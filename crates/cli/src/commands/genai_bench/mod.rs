//! `pacemark genai-bench`: benchmark_genai's flags and lines, on our engine; with `--report` what its
//! lines do not tell.

mod lines;
mod spent;
mod watch;

use crate::backend::{BackendArgs, is_native};
use crate::engine::{Engine, no_tokenizer};
use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::offload::PrecisionArgs;
use crate::output::{self, Input, Output, Record};
use crate::server::ServerArgs;
use crate::{experiments, hub, input, interrupt, machine, setup};
use anyhow::{Context, Result, bail};
use lines::{Sample, lines};
use pacemark_backends::BackendEntry;
use pacemark_bench::genai::{GRADES, Perf, Prompted, Writer};
use pacemark_bench::{
    BenchError, Case, CutShort, Experiment, Genai, How, Repetitions, Subject, Test, Warmups,
};
use pacemark_files::excerpt;
use pacemark_record::{Env, Grades, Measured, Trial};
use pacemark_setup::{Offload, Setup};
use pacemark_tokenizer::EncodeOptions;
use spent::Spent;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use watch::Watch;

const EXAMPLES: &str = r#"Examples:
  pacemark genai-bench                                             one warm-up, three iterations of 20 tokens
  pacemark genai-bench -m DIR -d CPU -p "The Sky is blue because" --nw 0 --mt 20 -n 1
  pacemark genai-bench -m model.gguf -F prompt.txt -N 2 -n 10 -M 128
  pacemark genai-bench -n 5 --report                               every iteration, breakdown, grade and trend below
  pacemark genai-bench -n 5 --report -o json --save run.json
  pacemark genai-bench --backend openvino -d AUTO -n 5             OpenVINO GenAI's own engine, by the same clock

The lines are those of benchmark_genai (OpenVINO GenAI), by its definitions. Generate time: from the prompt's text to the
answer's, tokenization and detokenization included. TTFT: from the text, too. TPOT: the times between tokens, those of
all iterations together. Throughput: 1000 / TPOT, so tokens after the first. Behind ± is the standard deviation of the
population (n in the denominator), of Throughput by propagation, 1000 σ / μ². A dash stands for what an answer has not:
of one token, TPOT. Tables (-o, --report) have Pacemark's own dispersion: of the sample, with 95 % intervals from five
iterations on. No chat template, nothing kept from one iteration for the next, the most likely token each time; the model
may end its answer early. docs/genai-bench.md has every line."#;

/// What is asked, where nothing is.
const PROMPT: &str = "The Sky is blue because";

/// benchmark_genai's lines.
const LINES: &str = "lines";

/// Repeat a prompt as benchmark_genai does
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = experiments::help_of(EXAMPLES, &Genai))]
pub(super) struct Args {
    /// Model: a GGUF file, a Hugging Face directory, a name of `pacemark models list`, or
    /// hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    weights: setup::WeightType,
    /// The prompt [default: The Sky is blue because]
    #[arg(short, long, value_name = "TEXT", conflicts_with = "prompt_file")]
    prompt: Option<String>,
    /// Read the prompt from a file (-pf)
    #[arg(short = 'F', long, value_name = "FILE", alias = "pf")]
    prompt_file: Option<PathBuf>,
    /// Iterations that are not counted (-nw)
    #[arg(short = 'N', long, value_name = "N", alias = "nw", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    num_warmup: u32,
    /// Iterations
    #[arg(short, long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    num_iter: u32,
    /// Tokens to generate at most (-mt)
    #[arg(short = 'M', long, value_name = "N", alias = "mt", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: u32,
    #[command(flatten)]
    backend: BackendArgs,
    /// What computes: CPU; with --backend openvino GPU, NPU and AUTO too
    #[arg(short, long, value_name = "DEVICE", default_value = CPU)]
    device: String,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    dtype: PrecisionArgs,
    #[command(flatten)]
    kv: setup::KvArgs,
    /// Threads [default: all cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Context in tokens [default: what the model was trained for, at most 8192]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    ctx_size: Option<u32>,
    /// The lines of benchmark_genai.py in place of those of the C++ program
    #[arg(long)]
    python: bool,
    /// Tell below what the lines do not: every iteration, their spread and stability, where the
    /// process's time went, grade, and whether the speed changed
    #[arg(long)]
    report: bool,
    /// Thresholds of the grades excellent, good, usable and slow: tokens a second / ms to the first
    /// token, the worse decides
    #[arg(long, value_name = "STEPS", value_parser = str::parse::<Grades>, default_value_t, requires = "report")]
    grades: Grades,
    /// Write the record: when each token of each iteration came
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
    /// Format on standard output; `lines` are benchmark_genai's
    #[arg(short, long, value_name = "FORMAT", default_value = LINES, value_parser = output::formats(&[LINES]))]
    output: String,
}

const CPU: &str = "CPU";

impl Args {
    fn setup(&self, entry: &BackendEntry) -> Result<Setup, UsageError> {
        let is_cpu = self.device.eq_ignore_ascii_case(CPU);
        if is_native(entry) && !is_cpu {
            let name = excerpt(&self.device);
            let why = format!("{name} is not here: Pacemark's engine computes on the {CPU}");
            return Err(UsageError(format!("-d: {why}; --backend openvino has GPU, NPU, AUTO")));
        }
        // The processors are what every engine takes if nothing is said.
        let devices = (!is_cpu).then(|| vec![self.device.clone()]);
        setup::check(
            entry,
            Setup {
                offload: self.backend.placed(Offload { devices, ..Offload::default() }),
                precision: self.dtype.get(),
                server: self.server.server(&[entry])?,
                cache: self.kv.types(),
                threads: setup::threads(self.threads.map(usize::from), None),
                weights: self.weights.residence(),
                n_ctx: self.ctx_size.map(|n| n as usize),
                // One sequence: no more is ever computed at once.
                n_batch: N_UBATCH,
                n_ubatch: N_UBATCH,
                ..Setup::default()
            },
        )
    }

    fn prompt(&self) -> Result<String> {
        let text = match (&self.prompt, &self.prompt_file) {
            (_, Some(file)) => input::read_file(file)?,
            (Some(text), None) => text.clone(),
            (None, None) => PROMPT.to_owned(),
        };
        if text.is_empty() {
            return Err(match &self.prompt_file {
                Some(file) => UsageError(format!("{}: the prompt is empty", file.display())),
                None => UsageError("-p: the prompt is empty".into()),
            }
            .into());
        }
        Ok(text)
    }

    /// What the record keeps of how it was measured. The text of a prompt is not among it: its
    /// length decides the times.
    fn prompted(&self, prompt: String, setup: Setup) -> Prompted {
        let max_tokens = self.max_new_tokens as usize;
        let test = Test { model: self.model.clone(), setup, n_gen: max_tokens, ..Test::default() };
        let mut params = test.params();
        if self.grades != Grades::default() {
            params.insert(GRADES.to_owned(), self.grades.to_string().into());
        }
        Prompted { prompt, max_tokens, params }
    }
}

/// Tokens of the prompt computed at once.
const N_UBATCH: usize = 512;

/// Runs the command.
pub(super) fn run(args: Args) -> Result<Exit> {
    let mut spent = Spent::begin();
    if cfg!(debug_assertions) {
        eprintln!("warning: debug build, times are not those of a release build");
    }
    if args.python && args.output != LINES {
        let why = "these lines are no format of tables";
        return Err(UsageError(format!("--python -o {}: {why}", args.output)).into());
    }
    let entry = args.backend.entry()?;
    let setup = args.setup(entry)?;
    let prompt = args.prompt()?;
    let path = hub::resolve(&args.model)?;
    let file = args.prompt_file.as_deref().map(Input::File);
    let inputs: Vec<_> = file.into_iter().chain([Input::Model(&path)]).collect();
    let record = Record::create(args.save.as_deref(), &inputs)?;
    let env = machine::env();
    let mut watch = Watch::new(args.num_iter);
    let engine = spent.load(|| Engine::load(entry, &path, &setup))?;
    input::warn(&engine.backend().info());
    let (mut trials, interrupted) =
        measure(&args, &engine, &path, args.prompted(prompt, setup), &mut watch)?;
    trials.iter_mut().for_each(|trial| trial.notes.extend(args.backend.notes()));
    drop((engine, watch));
    show(&args, env, record, trials, &spent)?;
    if interrupted {
        eprintln!("interrupted");
        return Ok(Exit::Failed);
    }
    Ok(Exit::Fine)
}

/// The iterations, and whether Ctrl-C ended them early.
fn measure(
    args: &Args,
    engine: &Engine,
    path: &Path,
    prompted: Prompted,
    watch: &mut Watch,
) -> Result<(Vec<Trial>, bool)> {
    let Some(tokenizer) = engine.tokenizer() else { bail!(no_tokenizer(path)) };
    let encode = |text: &str| tokenizer.encode(text, EncodeOptions::SPECIAL);
    let mut subject = Subject::Writer(Writer { backend: engine.backend(), encode: &encode });
    let mut how = How {
        repetitions: Repetitions::exactly(args.num_iter as usize),
        warmup: Warmups::Exactly(args.num_warmup as usize),
        seed: 0,
        observer: watch,
        stop: interrupt::flag(),
    };
    match Genai.measure(&Case::Prompted(Box::new(prompted)), &mut subject, &mut how) {
        Ok(trials) => Ok((trials, false)),
        Err(CutShort { partial, error: BenchError::Interrupted }) => Ok((partial, true)),
        Err(cut) => Err(cut.error.into()),
    }
}

/// All that goes out, in this order: the record, the lines, the tables.
fn show(
    args: &Args,
    env: Env,
    record: Option<Record>,
    trials: Vec<Trial>,
    spent: &Spent,
) -> Result<()> {
    let Some(trial) = trials.first() else { return Ok(()) };
    let is_lines = args.output == LINES;
    let told = is_lines.then(|| {
        let sample = if args.python { Sample::Python } else { Sample::Cpp };
        lines(&Perf::of(trial), &env, &trial.model, sample)
    });
    let whole = args.report.then(|| Trial {
        measured: Measured::Facts { facts: spent.facts(trial) },
        ..trial.clone()
    });
    let format = match (is_lines, args.report) {
        (true, true) => "table",
        (true, false) => output::NONE,
        (false, _) => args.output.as_str(),
    };
    let mut output = Output::new(&Genai, env, format, record, args.history.archive());
    output.rows(trials)?;
    output.rows(whole.into_iter().collect())?;
    if let Some(told) = told {
        let between = if args.report { "\n" } else { "" };
        let mut out = stdout().lock();
        let written = write!(out, "{told}{between}").and_then(|()| out.flush());
        written.context("cannot write to standard output")?;
    }
    output.end(Vec::new())
}
