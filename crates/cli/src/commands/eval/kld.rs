//! `pacemark eval kld`: how far a model's predictions are from a reference's.

use super::{Bar, check_chunks, check_model, ended, read_text, tokens_of};
use crate::commands::bench::backend;
use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::offload::DeviceArgs;
use crate::output::{self, Input, Output, Record};
use crate::{hub, input, interrupt, machine, setup};
use anyhow::{Result, anyhow};
use pacemark_backends::native::NativeBackend;
use pacemark_bench::distance::{Apartness, Reference};
use pacemark_bench::experiment::Text;
use pacemark_bench::perplexity::Chunks;
use pacemark_bench::{Case, Distance, Experiment, How, Repetitions, Subject, Warmups};
use pacemark_files::quoted;
use pacemark_modelfile::ModelFile;
use pacemark_setup::{CacheTypes, DType, Residence, Setup};
use pacemark_tokenizer::Tokenizer;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// File, Hugging Face directory, catalog name or hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    weights: setup::WeightType,
    /// What it is compared with: a model of the same vocabulary, with all keys and values in f16;
    /// or `exact`, the model's own weights dequantized, computed in single precision throughout
    #[arg(long, value_name = "MODEL|exact", default_value = EXACT)]
    reference: String,
    /// Text to predict, UTF-8
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Tokens of a chunk; even
    #[arg(short = 'c', long, value_name = "N", default_value_t = 512)]
    ctx_size: usize,
    /// Chunks at most [default: all]
    #[arg(long, value_name = "N")]
    chunks: Option<NonZeroUsize>,
    /// The engine that runs the model; the reference is always run by Pacemark's own
    #[arg(long, value_name = "NAME", default_value = pacemark_backends::native::NAME)]
    backend: String,
    #[command(flatten)]
    devices: DeviceArgs,
    /// Compute from the file's rows instead of packing them, which is how llama.cpp's workers compute
    #[arg(long)]
    no_pack: bool,
    /// Threads that compute [default: all processors]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    kv: setup::KvArgs,
    #[command(flatten)]
    keep: setup::KeepArgs,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = output::formats(&[]))]
    output: String,
    /// Write the record, with every token's values, as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
}

/// The reference that is no other model.
const EXACT: &str = "exact";

/// Measures it.
pub(super) fn run(args: &Args) -> Result<Exit> {
    check_chunks(args.ctx_size)?;
    let entry = backend(&args.backend)?;
    crate::server::refuse(entry, "eval kld")?;
    let load = entry.load.map_err(|why| UsageError(format!("--backend {}: {why}", entry.name)))?;
    let kv = args.keep.spec();
    if kv.is_some() && !entry.kv_policies {
        let why = "it keeps all keys and values";
        return Err(UsageError(format!("--kv: not with --backend {}: {why}", entry.name)).into());
    }
    let candidate = Setup {
        threads: setup::threads(args.threads.map(usize::from), None),
        weights: Residence { pack: !args.no_pack, ..args.weights.residence() },
        n_ctx: Some(args.ctx_size),
        cache: args.kv.types(),
        offload: args.devices.offload()?,
        precision: args.devices.precision(),
        ..Setup::default()
    };
    let candidate = setup::check(entry, candidate)?;
    let text = read_text(&args.file)?;
    let path = hub::resolve(&args.model)?;
    let tokenizer = check_model(&path, args.ctx_size)?;
    let tokens = tokens_of(&tokenizer, &text, &args.file, args.ctx_size)?;
    check_room(&tokenizer, args.ctx_size, 1)?;
    let (reference_path, reference_setup) = reference(args, &path, &candidate)?;
    let inputs = [Input::File(&args.file), Input::Model(&path), Input::Model(&reference_path)];
    let record = Record::create(args.save.as_deref(), &inputs)?;
    let stop = interrupt::flag();
    let reference = NativeBackend::load(&reference_path, &reference_setup, &mut |_, _| {})?;
    // The error of a library names the file.
    let model = load(&path, &candidate, &mut |_, _| {}).map_err(|error| anyhow!(error))?;
    input::warn(&model.info());
    let mut output =
        Output::new(&Distance, machine::env(), &args.output, record, args.history.archive());
    let case = Apartness {
        chunks: Chunks {
            n_ctx: args.ctx_size,
            max_chunks: args.chunks.map(usize::from),
            setup: candidate,
            file: args.file.display().to_string(),
        },
        kv,
        reference: args.reference.clone(),
        reference_cache: reference_setup.cache.names(),
    };
    let n_bytes = |id| tokenizer.token_bytes(id).map_or(0, |bytes| bytes.len());
    let text = Text { backend: &*model, tokens: &tokens, n_bytes: &n_bytes };
    let mut bar = Bar::default();
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut bar,
        stop,
    };
    let subject = &mut Subject::Pair(Reference::Live(&reference), text);
    let result = Distance.measure(&Case::Distance(Box::new(case)), subject, &mut how);
    drop(bar);
    let (trials, error) = match result {
        Ok(trials) => (trials, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    output.rows(trials)?;
    output.end(Vec::new())?;
    ended(error, "the chunks until then")
}

/// The reference's file, and how it is run.
fn reference(args: &Args, model: &Path, candidate: &Setup) -> Result<(PathBuf, Setup)> {
    let setup = Setup { threads: candidate.threads, n_ctx: candidate.n_ctx, ..Setup::default() };
    if args.reference == EXACT {
        let weights = Residence { exact: true, ..candidate.weights };
        let cache = CacheTypes::both(DType::F32);
        return Ok((model.to_owned(), Setup { weights, cache, ..setup }));
    }
    let path = hub::resolve(&args.reference)?;
    check_model(&path, args.ctx_size)?;
    same_vocabulary(&path, model)?;
    Ok((path, setup))
}

/// Refuses chunks whose predictions the memory cannot hold: a logit for each token of the vocabulary
/// and each scored token.
pub(in crate::commands) fn check_room(
    tokenizer: &Tokenizer,
    n_ctx: usize,
    n_chunks: usize,
) -> Result<()> {
    let logits = [tokenizer.vocab_size(), n_ctx / 2, n_chunks, size_of::<f32>()];
    let bytes = logits.into_iter().fold(1, |product: u64, n| product.saturating_mul(n as u64));
    machine::check_memory(bytes, "to hold what the reference predicts")
}

/// Refuses a reference that means other tokens by the same numbers.
fn same_vocabulary(reference: &Path, model: &Path) -> Result<()> {
    const TOKENS: &str = "tokenizer.ggml.tokens";
    let (theirs, ours) = (ModelFile::open(reference)?, ModelFile::open(model)?);
    let (theirs, ours) =
        (theirs.metadata().opt_strings(TOKENS)?, ours.metadata().opt_strings(TOKENS)?);
    let (Some(theirs), Some(ours)) = (theirs, ours) else { return Ok(()) };
    let refusal = |expected: String, found: String| {
        Err(UsageError(format!(
            "--reference {}: its vocabulary is another: expected {expected} as {} has, found {found}",
            reference.display(),
            model.display()
        ))
        .into())
    };
    if theirs.len() != ours.len() {
        return refusal(format!("{} tokens", ours.len()), theirs.len().to_string());
    }
    match theirs.iter().zip(ours.iter()).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(i) => {
            let token = |of: Option<&str>| quoted(of.unwrap_or_default());
            refusal(format!("token {i} to be {}", token(ours.get(i))), token(theirs.get(i)))
        }
    }
}
