//! `pacemark eval`: how good a model's answers are: perplexity of a text, by llama.cpp's recipe, or
//! of its first tokens as one sequence (`stream`); how far its predictions are from a reference's
//! (`kld`); tasks that are right or wrong (`tasks`).

pub(super) mod kld;
mod perplexity;
mod stream;
mod tasks;

use crate::exit::{Exit, UsageError};
use crate::experiments::help_of;
use crate::input;
use anyhow::{Result, bail};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget};
use pacemark_backend::TokenId;
use pacemark_bench::{Accuracy, BenchError, Distance, Observer, Retrieval};
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{ModelFile, synth};
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use std::path::Path;

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
    Perplexity(Box<perplexity::Args>),
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

/// Runs `pacemark eval`.
pub(super) fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Perplexity(args) => match args.stream {
            Some(n) => stream::run(&args, n.get()),
            None => perplexity::run(&args),
        },
        Command::Kld(args) => kld::run(&args),
        Command::Accuracy(args) => tasks::accuracy(&args),
        Command::Needle(args) => tasks::needle(&args),
        Command::Passkey(args) => tasks::passkey(&args),
        Command::Ruler(args) => tasks::ruler(&args),
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
    let file = ModelFile::describe(path)?;
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
    let file = ModelFile::describe(path)?;
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
