//! `pacemark eval`: how good a model's answers are: perplexity of a text, by llama.cpp's recipe, or
//! of its first tokens as one sequence (`stream`); how far its predictions are from a reference's
//! (`kld`); tasks that are right or wrong (`tasks`).

pub(super) mod kld;
mod stream;
mod tasks;

use crate::exit::{Exit, UsageError};
use crate::experiments::help_of;
use crate::history::HistoryArgs;
use crate::output::{self, Input, Output, Record};
use crate::until::UntilArgs;
use crate::{hub, input, interrupt, machine, setup};
use anyhow::{Result, bail};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget};
use pacemark_backend::{Backend, TokenId};
use pacemark_backends::native::NativeBackend;
use pacemark_bench::experiment::Text;
use pacemark_bench::perplexity::Chunks;
use pacemark_bench::{
    Accuracy, BenchError, Case, Distance, Experiment, How, Observer, Perplexity, Retrieval, Subject,
};
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{ModelFile, synth};
use pacemark_setup::Setup;
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Measure how well the model predicts a text: the lower, the better
    ///
    /// The text is cut to chunks of -c tokens. The first half of each is context, the tokens of the
    /// second half are scored: perplexity is e to the mean of their negative log-probabilities, as
    /// in llama.cpp. It can be compared between files of one model only; bits per byte of text can
    /// be compared between all models.
    #[command(after_help = "Examples:\n  pacemark eval perplexity -f book.txt\n  \
        pacemark eval perplexity -m model.gguf -f wiki.test.raw -c 2048\n  \
        pacemark eval perplexity -f book.txt --chunks 8 -o json | jq .ppl\n  \
        pacemark eval perplexity -f book.txt --stream 2000 --kv streaming:4+508")]
    Perplexity(Box<PerplexityArgs>),
    /// Measure how far the model's predictions are from a reference's: the lower, the better
    ///
    /// The text is cut as for perplexity. Of each scored token: the KL divergence of the
    /// reference's prediction to the model's in nats, whether both have the same most likely token,
    /// and the difference in the probability of the token that came; llama.cpp's definitions
    /// (llama-perplexity --kl-divergence), without its rounding of the reference. With `--reference
    /// exact` it says what quantized arithmetic and the KV cache's types cost on these weights; with
    /// a file of higher precision, what quantizing the weights costs, too.
    #[command(after_help = KLD, after_long_help = help_of(KLD, &Distance))]
    Kld(Box<kld::Args>),
    /// Measure how often the most likely of several continuations is the right one
    ///
    /// Multiple choice by the rules of lm-eval: acc takes the choice whose tokens have the largest sum
    /// of log-probabilities, acc_norm divides that by the choice's characters. Several settings of the
    /// KV cache are compared on the same items.
    #[command(after_help = ACCURACY, after_long_help = help_of(ACCURACY, &Accuracy))]
    Accuracy(Box<tasks::AccuracyArgs>),
    /// Measure whether a sentence is found again, by its depth in a book and the prompt's length
    #[command(after_help = NEEDLE, after_long_help = help_of(NEEDLE, &Retrieval))]
    Needle(Box<tasks::NeedleArgs>),
    /// Measure whether a number is found again among sentences that say nothing
    #[command(after_help = PASSKEY, after_long_help = help_of(PASSKEY, &Retrieval))]
    Passkey(Box<tasks::PasskeyArgs>),
    /// Measure RULER's tasks that need no data: niah_single_1, niah_multikey_1, vt, cwe, fwe
    #[command(after_help = RULER, after_long_help = help_of(RULER, &Retrieval))]
    Ruler(Box<tasks::RulerArgs>),
}

const KLD: &str = "Examples:
  pacemark eval kld -f book.txt --chunks 8
  pacemark eval kld -m model-q4.gguf --reference model-f16.gguf -f book.txt
  pacemark eval kld -f book.txt -ctk q8_0 -ctv q8_0 -o json | jq '.[0].kld_mean'
  pacemark eval kld -m model.gguf --reference model.gguf --kv snapkv:128 -f book.txt";

const ACCURACY: &str = "Examples:
  pacemark eval accuracy -m qwen2.5-coder-1.5b
  pacemark eval accuracy --dataset truthfulqa-mc1 --limit 20
  pacemark eval accuracy -f items.jsonl -ctk f16,q8_0,q4_0 -ctv f16,q8_0,q4_0
  pacemark eval accuracy --kv full,streaming:4+60 --save run.json; pacemark show run.json -o csv";

const NEEDLE: &str = "Examples:
  pacemark eval needle -m qwen2.5-coder-1.5b --lengths 512,1024,2048
  pacemark eval needle --kv full,streaming:4+508,snapkv:512 --svg needle.svg
  pacemark eval needle --kv full,snapkv:256 --question outside --depths 10,50,90 --trials 10";

const PASSKEY: &str = "Examples:
  pacemark eval passkey --lengths 1024,2048
  pacemark eval passkey --kv full --kv tova:256 --png passkey.png
  pacemark eval passkey -ctk f16,q4_0 -ctv f16,q4_0 --trials 10";

const RULER: &str = "Examples:
  pacemark eval ruler --lengths 1024,4096 --trials 10
  pacemark eval ruler --task niah_single_1,vt --kv full,h2o:256+256
  pacemark eval ruler --task fwe --save run.json; pacemark show run.json -o json";

#[derive(clap::Args, Debug)]
struct PerplexityArgs {
    /// File, Hugging Face directory, catalog name or hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    weights: setup::WeightType,
    /// Text to predict, UTF-8
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Tokens of a chunk; even
    #[arg(short = 'c', long, value_name = "N", default_value_t = 512)]
    ctx_size: usize,
    /// Read the first N tokens as one sequence, in place of chunks, and score every token from the
    /// second on
    #[arg(long, value_name = "N", conflicts_with_all = ["ctx_size", "chunks", "until"])]
    stream: Option<NonZeroUsize>,
    #[command(flatten)]
    keep: setup::KeepArgs,
    /// With --stream: the first N tokens are a prompt, which is not scored; policies that work on
    /// prompts work at its end
    #[arg(long, value_name = "N", requires = "stream")]
    prompt: Option<NonZeroUsize>,
    /// With --stream: tell each token's negative log-probability (-o json)
    #[arg(long, requires = "stream")]
    per_token: bool,
    /// Chunks at most [default: all]
    #[arg(long, value_name = "N")]
    chunks: Option<NonZeroUsize>,
    /// Threads that compute [default: all processors]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    kv: setup::KvArgs,
    #[command(flatten)]
    until: UntilArgs,
    /// How to print it; text is as llama.cpp does, then more
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = output::formats(&[]))]
    output: String,
    /// Write the record, with every token's score, as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
}

/// Runs `pacemark eval`.
pub(super) fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Perplexity(args) => match args.stream {
            Some(n) => stream::run(&args, n.get()),
            None => perplexity(&args),
        },
        Command::Kld(args) => kld::run(&args),
        Command::Accuracy(args) => tasks::accuracy(&args),
        Command::Needle(args) => tasks::needle(&args),
        Command::Passkey(args) => tasks::passkey(&args),
        Command::Ruler(args) => tasks::ruler(&args),
    }
}

fn perplexity(args: &PerplexityArgs) -> Result<Exit> {
    if args.keep.spec().is_some() {
        return Err(UsageError(
            "--kv: it takes --stream N: chunks are short texts of their own".into(),
        )
        .into());
    }
    let n_ctx = args.ctx_size;
    check_chunks(n_ctx)?;
    let text = read_text(&args.file)?;
    let setup = setup::check_native(Setup {
        threads: setup::threads(args.threads.map(usize::from), None),
        weights: args.weights.residence(),
        n_ctx: Some(n_ctx),
        cache: args.kv.types(),
        ..Setup::default()
    })?;
    let path = hub::resolve(&args.model)?;
    let tokenizer = check_model(&path, n_ctx)?;
    let tokens = tokens_of(&tokenizer, &text, &args.file, n_ctx)?;
    let record =
        Record::create(args.save.as_deref(), &[Input::File(&args.file), Input::Model(&path)])?;
    let stop = interrupt::flag();
    let backend = NativeBackend::load(&path, &setup, &mut |_, _| {})?;
    input::warn(&backend.info());
    let tells = output::renderer(&args.output).is_some_and(|renderer| renderer.tells);
    let mut output =
        Output::new(&Perplexity, machine::env(), &args.output, record, args.history.archive());
    let mut running = Running { show: tells, bar: Bar::default() };
    let n_bytes = |id| tokenizer.token_bytes(id).map_or(0, |bytes| bytes.len());
    let text = Text { backend: &backend, tokens: &tokens, n_bytes: &n_bytes };
    let chunks = Chunks {
        n_ctx,
        max_chunks: args.chunks.map(usize::from),
        setup,
        file: args.file.display().to_string(),
    };
    let mut how = How {
        repetitions: args.until.repetitions(1),
        warmup: false,
        seed: 0,
        observer: &mut running,
        stop,
    };
    let result = Perplexity.measure(&Case::Chunks(chunks), &mut Subject::Text(text), &mut how);
    drop(running);
    let (trials, error) = match result {
        Ok(trials) => (trials, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    let scored = trials.first().and_then(|trial| trial.scores());
    let scored = scored.map(|scores| (scores.chunks.len(), scores.n_chunks));
    let any = !trials.is_empty();
    output.rows(trials)?;
    // The record is kept, whether or not anybody reads on.
    if tells && any {
        writeln!(std::io::stdout())?;
    }
    output.end(Vec::new())?;
    match (error, scored) {
        (None, _) => Ok(Exit::Fine),
        (Some(BenchError::Interrupted), Some((done, of))) => {
            eprintln!("interrupted: {done} of {of} chunks are scored");
            Ok(Exit::Failed)
        }
        (Some(error), _) => Err(error.into()),
    }
}

/// Refuses chunks that do not halve.
pub(super) fn check_chunks(n_ctx: usize) -> Result<(), UsageError> {
    if n_ctx < 4 || n_ctx % 2 == 1 {
        let why = "a chunk has two halves, so it must be even and at least 4";
        return Err(UsageError(format!("-c {n_ctx}: {why}")));
    }
    Ok(())
}

/// A text that is to be cut to chunks.
pub(super) fn read_text(file: &Path) -> Result<String> {
    let mut text = input::read_file(file)?;
    if text.ends_with('\n') {
        text.pop(); // as llama.cpp does with a file's last line
    }
    Ok(text)
}

/// Its tokens, if there is a chunk of them.
pub(super) fn tokens_of(
    tokenizer: &Tokenizer,
    text: &str,
    file: &Path,
    n_ctx: usize,
) -> Result<Vec<TokenId>> {
    let tokens = tokenizer.encode(text, EncodeOptions { add_special: true, parse_special: false });
    if tokens.len() < n_ctx {
        let found = tokens.len();
        bail!("{}: {}", file.display(), BenchError::TextTooShort { found, n_ctx });
    }
    Ok(tokens)
}

/// The exit code, once what was measured is told: figures of `whole`, where it was interrupted.
pub(super) fn ended(error: Option<BenchError>, whole: &str) -> Result<Exit> {
    match error {
        None => Ok(Exit::Fine),
        Some(BenchError::Interrupted) => {
            eprintln!("interrupted: the figures are of {whole}");
            Ok(Exit::Failed)
        }
        Some(error) => Err(error.into()),
    }
}

/// How far a measurement is, on standard error.
#[derive(Default)]
struct Bar(Option<ProgressBar>);

impl Bar {
    fn set(&mut self, done: usize, of: usize) {
        let bar = self.0.get_or_insert_with(|| {
            ProgressBar::with_draw_target(Some(of as u64), ProgressDrawTarget::stderr())
        });
        bar.set_position(done as u64);
    }
}

impl Observer for Bar {
    fn computed(&mut self, done: usize, of: usize) {
        self.set(done, of);
    }
    fn chunk(&mut self, done: usize, of: usize, _: f64) {
        self.set(done, of);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// The model's tokenizer; refuses a synthetic model.
fn tokenizer(path: &Path) -> Result<Tokenizer> {
    let file = ModelFile::open(path)?;
    refuse_synthetic(path, &file)?;
    Ok(Tokenizer::from_metadata(file.metadata())?)
}

/// Refuses a synthetic model.
fn refuse_synthetic(path: &Path, file: &ModelFile) -> Result<(), UsageError> {
    if !synth::is_synthetic(file.metadata()) {
        return Ok(());
    }
    let what = "its weights are random, so there is no quality to measure";
    Err(UsageError(format!("{} is a synthetic model: {what}", path.display())))
}

/// The same; refuses a chunk that is longer than the model can attend to, too.
pub(super) fn check_model(path: &Path, n_ctx: usize) -> Result<Tokenizer> {
    let file = ModelFile::open(path)?;
    let longest = Summary::of(&file)?.context_length;
    if let Some(longest) = longest.filter(|&longest| n_ctx as u64 > longest) {
        return Err(UsageError(format!(
            "-c {n_ctx}: {} has a context of {longest} tokens",
            path.display()
        ))
        .into());
    }
    tokenizer(path)
}

/// The perplexity after each chunk: llama.cpp's line on stdout, or a bar on stderr beside JSON.
struct Running {
    show: bool,
    bar: Bar,
}

impl Observer for Running {
    fn chunk(&mut self, done: usize, of: usize, running: f64) {
        if self.show {
            let mut out = std::io::stdout().lock();
            // A reader that has gone is noticed when the result is written.
            let _ = write!(out, "[{done}]{running:.4},").and_then(|()| out.flush());
            return;
        }
        self.bar.set(done, of);
    }
}
