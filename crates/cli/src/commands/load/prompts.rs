//! Where prompts come from: who counts their tokens, and which source the flags mean.

use super::Args;
use super::options::Output;
use crate::exit::UsageError;
use crate::{hub, input};
use anyhow::{Context, Result};
use pacemark_load::api::Api;
use pacemark_load::prompt::{
    Cache, Encoder, Listed, ListedOptions, Replay, Source, Synthetic, SyntheticOptions, Talks,
    lines, share_gpt, trace,
};
use pacemark_load::{Endpoint, Lengths, Settings};
use pacemark_modelfile::ModelFile;
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use std::sync::Arc;

/// Answers of made-up prompts, where nothing else is said.
const OUTPUT: Lengths = Lengths::Fixed(64);

/// Who counts, and in which words that is told.
pub(super) struct Counter {
    pub encoder: Option<Arc<dyn Encoder>>,
    pub name: String,
}

/// The tokenizer of `--tokenizer`, else the server's own, else nobody.
pub(super) fn counter(args: &Args, settings: &Settings) -> Result<Counter> {
    if let Some(model) = &args.tokenizer {
        let file = ModelFile::open(hub::resolve(model)?)?;
        let tokenizer = Tokenizer::from_metadata(file.metadata())?;
        let encode = move |text: &str, special: bool| {
            tokenizer
                .encode(text, if special { EncodeOptions::SPECIAL } else { EncodeOptions::PLAIN })
        };
        return Ok(Counter { encoder: Some(Arc::new(encode)), name: model.clone() });
    }
    let api = Api::new(settings)?;
    Ok(match api.encoder() {
        Ok(encoder) => {
            Counter { encoder: Some(Arc::new(encoder)), name: "/tokenize of the server".into() }
        }
        Err(_) => Counter { encoder: None, name: "nobody".into() },
    })
}

/// What the flags ask for.
pub(super) struct Wanted {
    pub source: Box<dyn Source>,
    /// Of a trace: when each session is due.
    pub arrivals: Option<Vec<u64>>,
    /// Entries of the file that hold nothing to send.
    pub skipped: u64,
    /// Something says how long answers are to be: a flag, or the file.
    pub given_lengths: bool,
}

/// The source of one row; `row` makes its prompts others than those of the row before.
pub(super) fn wanted(args: &Args, counter: &Counter, nonce: u64, row: u64) -> Result<Wanted> {
    let special = args.endpoint() == Endpoint::Completions;
    let output = match args.output_tokens {
        Some(Output::Any) => None,
        Some(Output::Exact(lengths)) => Some(lengths),
        None if args.dataset.is_some() || args.prompts.is_some() => None,
        None => Some(OUTPUT),
    };
    let cache = cache(args);
    let nonce = if cache == Cache::Warm { args.seed } else { nonce.wrapping_add(row) };
    let encoder = counter.encoder.clone();
    let options = SyntheticOptions {
        input: args.input_tokens,
        output,
        cache,
        turns: args.turns,
        ids: args.prompt_ids,
        special,
        seed: args.seed,
        nonce,
    };
    if let Some(path) = &args.trace {
        let name = path.display().to_string();
        let arrived = trace(&name, &input::read_file(path)?)?;
        if args.prompt_ids && arrived.iter().any(|arrived| arrived.prompt.is_some()) {
            return Err(UsageError(format!("--prompt-ids: {name} holds prompts as text")).into());
        }
        let words = Synthetic::new(options, encoder.clone())?;
        let arrivals = arrived.iter().map(|arrived| arrived.at_ns).collect();
        let source = Replay::new(arrived, output, words, encoder);
        return Ok(Wanted {
            source: Box::new(source),
            arrivals: Some(arrivals),
            skipped: 0,
            given_lengths: true,
        });
    }
    let Talks { talks, skipped } = match (&args.dataset, &args.prompts) {
        (Some(path), _) => share_gpt(&path.display().to_string(), &input::read_file(path)?)?,
        (None, Some(path)) => lines(&path.display().to_string(), &input::read_file(path)?)?,
        (None, None) => {
            let source = Synthetic::new(options, encoder).context("cannot make prompts")?;
            return Ok(Wanted {
                source: Box::new(source),
                arrivals: None,
                skipped: 0,
                given_lengths: true,
            });
        }
    };
    let options =
        ListedOptions { turns: args.turns, output, cache, special, seed: args.seed, nonce };
    let source = Listed::new(talks, options, encoder);
    let given_lengths = args.output_tokens.is_some() || source.tells_lengths();
    Ok(Wanted { source: Box::new(source), arrivals: None, skipped, given_lengths })
}

/// What `--cache` and `--shared-prefix` mean together.
pub(super) fn cache(args: &Args) -> Cache {
    match (args.shared_prefix, args.cache) {
        (Some(prefix), _) | (None, Cache::Shared { prefix, .. }) => {
            Cache::Shared { prefix, groups: args.prefix_groups }
        }
        (None, cache) => cache,
    }
}
