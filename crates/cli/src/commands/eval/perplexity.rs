//! `pacemark eval perplexity`: chunks of a text, by llama.cpp's recipe and in its words; one sequence
//! is `stream`'s.

use super::{Bar, check_chunks, check_model, read_text, tokens_of};
use crate::backend::{self, BackendArgs};
use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::offload::DeviceArgs;
use crate::output::{self, Input, Output, Record};
use crate::server::ServerArgs;
use crate::until::UntilArgs;
use crate::{hub, input, interrupt, machine, setup};
use anyhow::Result;
use pacemark_bench::experiment::Text;
use pacemark_bench::perplexity::Chunks;
use pacemark_bench::{BenchError, Case, Experiment, How, Observer, Perplexity, Subject, Warmups};
use pacemark_setup::{Residence, Setup};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// File, Hugging Face directory, catalog name or hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    pub(super) model: String,
    #[command(flatten)]
    pub(super) weights: setup::WeightType,
    /// Text to predict, UTF-8
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Tokens of a chunk; even
    #[arg(short = 'c', long, value_name = "N", default_value_t = 512)]
    pub(super) ctx_size: usize,
    /// Read the first N tokens as one sequence, in place of chunks, and score every token from the
    /// second on
    #[arg(long, value_name = "N", conflicts_with_all = ["ctx_size", "chunks", "until"])]
    pub(super) stream: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) keep: setup::KeepArgs,
    /// With --stream: the first N tokens are a prompt, which is not scored; policies that work on
    /// prompts work at its end
    #[arg(long, value_name = "N", requires = "stream")]
    pub(super) prompt: Option<NonZeroUsize>,
    /// With --stream: tell each token's negative log-probability (-o json)
    #[arg(long, requires = "stream")]
    pub(super) per_token: bool,
    /// Chunks at most [default: all]
    #[arg(long, value_name = "N")]
    pub(super) chunks: Option<NonZeroUsize>,
    /// Threads that compute [default: all processors]
    #[arg(short, long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) backend: BackendArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) devices: DeviceArgs,
    /// Compute from the file's rows instead of packing them, which is how llama.cpp's workers compute
    #[arg(long)]
    pub(super) no_pack: bool,
    #[command(flatten)]
    pub(super) kv: setup::KvArgs,
    #[command(flatten)]
    pub(super) until: UntilArgs,
    /// How to print it; text is as llama.cpp does, then more
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = output::formats(&[]))]
    pub(super) output: String,
    /// Write the record, with every token's score, as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    #[command(flatten)]
    pub(super) history: HistoryArgs,
}

/// Runs `pacemark eval perplexity`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    if args.keep.spec().is_some() {
        return Err(UsageError(
            "--kv: it takes --stream N: chunks are short texts of their own".into(),
        )
        .into());
    }
    let n_ctx = args.ctx_size;
    check_chunks(n_ctx)?;
    let text = read_text(&args.file)?;
    let entry = args.backend.entry()?;
    let setup = Setup {
        threads: setup::threads(args.threads.map(usize::from), None),
        weights: Residence { pack: !args.no_pack, ..args.weights.residence() },
        n_ctx: Some(n_ctx),
        cache: args.kv.types(),
        offload: args.backend.placed(args.devices.offload()?),
        precision: args.devices.precision(),
        server: args.server.server(&[entry])?,
        ..Setup::default()
    };
    let setup = setup::check(entry, setup)?;
    let path = hub::resolve(&args.model)?;
    let tokenizer = check_model(&path, n_ctx)?;
    let tokens = tokens_of(&tokenizer, &text, &args.file, n_ctx)?;
    let record =
        Record::create(args.save.as_deref(), &[Input::File(&args.file), Input::Model(&path)])?;
    let stop = interrupt::flag();
    let backend = backend::load(entry, &path, &setup)?;
    input::warn(&backend.info());
    let tells = output::renderer(&args.output).is_some_and(|renderer| renderer.tells);
    let mut output =
        Output::new(&Perplexity, machine::env(), &args.output, record, args.history.archive());
    let mut running = Running { show: tells, bar: Bar::default() };
    let n_bytes = |id| tokenizer.token_bytes(id).map_or(0, |bytes| bytes.len());
    let text = Text { backend: &*backend, tokens: &tokens, n_bytes: &n_bytes };
    let chunks = Chunks {
        n_ctx,
        max_chunks: args.chunks.map(usize::from),
        setup,
        file: args.file.display().to_string(),
    };
    let mut how = How {
        repetitions: args.until.repetitions(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut running,
        stop,
    };
    let result = Perplexity.measure(&Case::Chunks(chunks), &mut Subject::Text(text), &mut how);
    drop(running);
    let (mut trials, error) = match result {
        Ok(trials) => (trials, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    trials.iter_mut().for_each(|trial| trial.notes.extend(args.backend.notes()));
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
