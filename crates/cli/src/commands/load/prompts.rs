//! Where prompts come from: who counts their tokens, and which source the flags mean.

use super::Args;
use super::options::Output;
use crate::{hub, input};
use anyhow::{Context, Result};
use pacemark_load::api::Api;
use pacemark_load::prompt::{
    Arrived, Cache, Encoder, Listed, Prompt, Session, Source, Synthetic, SyntheticOptions, Turn, lines, share_gpt,
    trace,
};
use pacemark_load::{Endpoint, Lengths, Settings};
use pacemark_modelfile::ModelFile;
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use std::sync::Arc;

/// Answers of made-up prompts, where nothing else is said.
const OUTPUT: Lengths = Lengths::Fixed(64);

/// Who counts, and in which words that is told.
pub struct Counter {
    pub encoder: Option<Arc<dyn Encoder>>,
    pub name: String,
}

/// The tokenizer of `--tokenizer`, else the server's own, else nobody.
pub fn counter(args: &Args, settings: &Settings) -> Result<Counter> {
    if let Some(model) = &args.tokenizer {
        let file = ModelFile::open(hub::resolve(model)?)?;
        let tokenizer = Tokenizer::from_metadata(file.metadata())?;
        let encode = move |text: &str, special: bool| {
            tokenizer.encode(text, if special { EncodeOptions::SPECIAL } else { EncodeOptions::PLAIN })
        };
        return Ok(Counter { encoder: Some(Arc::new(encode)), name: model.clone() });
    }
    let api = Api::new(settings)?;
    Ok(match api.encoder() {
        Ok(encoder) => Counter { encoder: Some(Arc::new(encoder)), name: "/tokenize of the server".into() },
        Err(_) => Counter { encoder: None, name: "nobody".into() },
    })
}

/// What the flags ask for.
pub struct Wanted {
    pub source: Box<dyn Source>,
    /// Of a trace: when each session is due.
    pub arrivals: Option<Vec<u64>>,
    /// Prompt tokens are known before they are sent.
    pub exact: bool,
}

/// The source of one row; `row` makes its prompts others than those of the row before.
pub fn wanted(args: &Args, counter: &Counter, nonce: u64, row: u64) -> Result<Wanted> {
    let special = args.endpoint == Endpoint::Completions;
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
        let mut words = Synthetic::new(options, encoder)?;
        let exact = words.is_exact();
        let arrivals = arrived.iter().map(|arrived| arrived.at_ns).collect();
        let sessions: Result<Vec<Session>> = arrived.into_iter().map(|a| replayed(a, output, &mut words)).collect();
        return Ok(Wanted { source: Box::new(InOrder(sessions?.into_iter())), arrivals: Some(arrivals), exact });
    }
    let sessions = match (&args.dataset, &args.prompts) {
        (Some(path), _) => share_gpt(&path.display().to_string(), &input::read_file(path)?, encoder.as_deref())?,
        (None, Some(path)) => lines(&path.display().to_string(), &input::read_file(path)?)?,
        (None, None) => {
            let source = Synthetic::new(options, encoder).context("cannot make prompts")?;
            let exact = source.is_exact();
            return Ok(Wanted { source: Box::new(source), arrivals: None, exact });
        }
    };
    let exact = encoder.as_ref().is_some_and(|encoder| !encoder.is_remote());
    let source = Listed::new(sessions, args.turns, output, cache, encoder, special, (args.seed, nonce));
    Ok(Wanted { source: Box::new(source), arrivals: None, exact })
}

/// What `--cache` and `--shared-prefix` mean together.
pub fn cache(args: &Args) -> Cache {
    match (args.shared_prefix, args.cache) {
        (Some(prefix), _) | (None, Cache::Shared { prefix, .. }) => {
            Cache::Shared { prefix, groups: args.prefix_groups }
        }
        (None, cache) => cache,
    }
}

/// A request of a trace, with its own prompt or one of its length.
fn replayed(arrived: Arrived, output: Option<Lengths>, words: &mut Synthetic) -> Result<Session> {
    let fixed = match output {
        Some(Lengths::Fixed(n)) => Some(n),
        _ => None,
    };
    let output_tokens = arrived.output_tokens.or(fixed);
    if let Some(prompt) = arrived.prompt {
        let prompt = Prompt::Text(prompt);
        return Ok(Session { turns: vec![Turn { prompt, prompt_tokens: None, output_tokens }] });
    }
    Ok(words.of_length(arrived.input_tokens.unwrap_or(1), output_tokens)?)
}

/// Sessions in the order of a trace.
struct InOrder(std::vec::IntoIter<Session>);

impl Source for InOrder {
    fn next(&mut self) -> Option<Session> {
        self.0.next()
    }
}
