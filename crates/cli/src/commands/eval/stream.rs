//! `pacemark eval perplexity --stream`: a text's first tokens as one sequence, of which a policy
//! keeps a part.

use super::perplexity::Args;
use super::{Bar, ended, tokenizer};
use crate::backend;
use crate::exit::{Exit, UsageError};
use crate::output::{Input, Output, Record};
use crate::{hub, input, interrupt, machine, setup};
use anyhow::{Result, bail};
use pacemark_bench::experiment::Text;
use pacemark_bench::kv::Stream;
use pacemark_bench::{Case, Experiment, How, Repetitions, Subject, TextStream, Warmups};
use pacemark_engine::Policy;
use pacemark_setup::{Residence, Setup};
use pacemark_tokenizer::EncodeOptions;

/// Refuses what could say nothing.
fn check(kv: Option<&str>, n_prompt: Option<usize>, n_tokens: usize) -> Result<(), UsageError> {
    if n_tokens < 2 {
        let why = "at least 2 tokens, the second is the first scored";
        return Err(UsageError(format!("--stream: {why}")));
    }
    if let Some(n) = n_prompt.filter(|n| *n >= n_tokens) {
        return Err(UsageError(format!(
            "--prompt {n}: it leaves nothing of --stream {n_tokens} to score"
        )));
    }
    let policy =
        kv.map(Policy::parse).transpose().map_err(|error| UsageError(error.to_string()))?;
    match policy.flatten() {
        Some(policy) if policy.needs_prompt() && n_prompt.is_none() => Err(UsageError(format!(
            "--kv {}: it works when a prompt ends, so none of these tokens would feel it; --prompt N \
             says where that is, every=E in the spec has it work on",
            policy.spec()
        ))),
        _ => Ok(()),
    }
}

/// Runs it on the first `n_tokens` tokens.
pub(super) fn run(args: &Args, n_tokens: usize) -> Result<Exit> {
    let kv = args.keep.spec();
    let n_prompt = args.prompt.map(usize::from);
    check(kv.as_deref(), n_prompt, n_tokens)?;
    if args.per_token && !["json", "jsonl"].contains(&args.output.as_str()) {
        return Err(UsageError("--per-token: it takes -o json or jsonl".into()).into());
    }
    let text = input::read_file(&args.file)?;
    let path = hub::resolve(&args.model)?;
    let tokenizer = tokenizer(&path)?;
    let tokens = tokenizer.encode(&text, EncodeOptions { add_special: true, parse_special: false });
    if tokens.len() < n_tokens {
        let found = tokens.len();
        bail!("{}: it has {found} tokens, --stream asks for {n_tokens}", args.file.display());
    }
    let entry = args.backend.entry()?;
    backend::check_policy(entry, args.keep.spec().as_deref())?;
    let setup = Setup {
        threads: setup::threads(args.threads.map(usize::from), None),
        weights: Residence { pack: !args.no_pack, ..args.weights.residence() },
        // Memory is taken as tokens come: under a policy that is less.
        n_ctx: Some(n_tokens),
        cache: args.kv.types(),
        offload: args.backend.placed(args.devices.offload()?),
        server: args.server.server(&[entry])?,
        ..Setup::default()
    };
    let setup = setup::check(entry, setup)?;
    let record =
        Record::create(args.save.as_deref(), &[Input::File(&args.file), Input::Model(&path)])?;
    let stop = interrupt::flag();
    let backend = backend::load(entry, &path, &setup)?;
    input::warn(&backend.info());
    let mut output =
        Output::new(&TextStream, machine::env(), &args.output, record, args.history.archive());
    let n_bytes = |_| 0;
    let text = Text { backend: &*backend, tokens: &tokens, n_bytes: &n_bytes };
    let file = args.file.display().to_string();
    let per_token = args.per_token;
    let stream = Stream { n_tokens, n_prompt, kv, per_token, setup, file };
    let mut bar = Bar::default();
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut bar,
        stop,
    };
    let result = TextStream.measure(&Case::Stream(stream), &mut Subject::Text(text), &mut how);
    drop(bar);
    let (trials, error) = match result {
        Ok(trials) => (trials, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    output.rows(trials)?;
    output.end(Vec::new())?;
    ended(error, "the tokens until then")
}
