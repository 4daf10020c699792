//! The process that `bench --cold` starts: it is told the command line of who started it and which
//! of its tests to run, prints the first token as soon as it knows it, and then what it took.

use super::super::plan::plan;
use crate::commands::{self, Command};
use crate::fresh;
use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use pacemark_backend::{Backend, Event, GenerateRequest, TokenId};
use pacemark_bench::{Test, describe};
use pacemark_record::rng::SplitMix64;
use pacemark_record::{Inside, Model, Sample, env};
use pacemark_setup::Setup;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::Write;
use std::time::Instant;

/// The hidden command that the process is.
pub(super) const COMMAND: &str = "cold-start";

/// Which test, and the command line that it is of.
#[derive(clap::Args, Debug)]
pub(crate) struct ChildArgs {
    test: usize,
    #[arg(last = true)]
    line: Vec<OsString>,
}

/// What the process says of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub model: Model,
    pub inside: Inside,
    pub storage_bytes: Option<u64>,
}

/// The answer at the end of a process's output.
pub(super) fn answer(output: &[u8]) -> Option<Answer> {
    serde_json::from_slice(output.rsplit(|byte| *byte == b'\n').next()?).ok()
}

/// The process.
pub(crate) fn child(args: ChildArgs) -> Result<()> {
    fresh::end_with_caller();
    let empty_rss_bytes = env::rss_bytes();
    let program = OsString::from("pacemark");
    let line = commands::long_options(std::iter::once(program).chain(args.line));
    let Command::Bench(args_of_bench) = commands::Cli::try_parse_from(line)?.command else {
        bail!("expected a command line of bench");
    };
    let plan = plan(&args_of_bench)?;
    let test = plan.tests.get(args.test).with_context(|| format!("no test {}", args.test))?;
    let path = crate::hub::resolve(&test.model)?;
    let setup = Setup { n_ctx: Some(test.n_ctx()), ..test.setup.clone() };
    let entry = plan.backends.first().context("no backend")?;
    let opening = Instant::now();
    let load = entry.load.map_err(|why| anyhow!("{}: {why}", entry.name))?;
    let backend = load(&path, &setup, &mut |_, _| {}).map_err(|error| anyhow!(error))?;
    let load_ns = opening.elapsed().as_nanos() as u64;
    let loaded_rss_bytes = env::rss_bytes();
    let (sample, kv_bytes) = generate(&*backend, test)?;
    let inside = Inside {
        load_ns,
        empty_rss_bytes,
        loaded_rss_bytes,
        generated_rss_bytes: env::rss_bytes(),
        peak_rss_bytes: env::peak_rss_bytes(),
        kv_bytes,
        sample,
    };
    let storage_bytes = env::storage_read_bytes();
    let model = describe(&backend.info());
    println!();
    fresh::answer(&Answer { model, inside, storage_bytes })
}

/// A prompt and what follows it; the first token is printed at once.
fn generate(backend: &dyn Backend, test: &Test) -> Result<(Sample, Option<u64>)> {
    let info = backend.info();
    let mut rng = SplitMix64::new(0);
    let n_vocab = info.vocab_size.max(2);
    let mut prompt: Vec<TokenId> =
        (0..test.n_prompt).map(|_| rng.below(n_vocab) as TokenId).collect();
    prompt[0] = info.bos.unwrap_or(prompt[0]);
    let request = GenerateRequest {
        prompt,
        max_tokens: test.n_gen,
        ignore_eos: true,
        kv: test.kv.clone(),
        ..GenerateRequest::default()
    };
    let (mut started, mut tokens, mut kv) = (None, Vec::new(), None);
    for event in backend.generate(request) {
        match event {
            Event::Started { at, .. } => started = Some(at),
            Event::Token { at, .. } => {
                if tokens.is_empty() {
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "first token").and_then(|()| out.flush())?;
                }
                tokens.push(at);
            }
            Event::Finished { usage, .. } => kv = usage.kv,
            Event::Failed(error) => return Err(anyhow!(error)),
            Event::Queued { .. } | Event::Prefill { .. } => {}
        }
    }
    let started = started.context("the backend did not say when it started")?;
    let ns = |from: Instant, to: Instant| to.saturating_duration_since(from).as_nanos() as u64;
    let sample = Sample {
        elapsed_ns: tokens.last().map_or(0, |last| ns(started, *last)),
        ttft_ns: tokens.first().map(|first| ns(started, *first)),
        gaps_ns: tokens.windows(2).map(|pair| ns(pair[0], pair[1])).collect(),
        ..Sample::default()
    };
    Ok((sample, kv.map(|held| held.page_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_the_last_line() {
        let told =
            Answer { model: Model::default(), inside: Inside::default(), storage_bytes: Some(3) };
        let line = serde_json::to_string(&told).unwrap();
        let found = answer(format!("first token\n\n{line}").as_bytes()).unwrap();
        assert_eq!((found.inside, found.storage_bytes), (told.inside, Some(3)));
        assert!(answer(b"first token\n").is_none());
    }
}
