//! What the flags of `pacemark load` ask for: the plan, its levels, and who counts tokens.

use super::Args;
use crate::exit::UsageError;
use crate::{hub, input};
use anyhow::{Context, Result, anyhow};
use pacemark_load::api::Api;
use pacemark_load::plan::{Counter, Level, LoadPlan, Origin, Prompts, STREAMS, Share, fresh_nonce};
use pacemark_load::prompt::{Cache, lines, share_gpt, trace};
use pacemark_load::{Settings, Target, Timeouts, Trust};
use pacemark_modelfile::ModelFile;
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use std::path::Path;
use std::sync::Arc;

/// A load of the server at `target`.
pub(super) fn plan(args: &Args, targets: Vec<Target>, share: Share) -> Result<LoadPlan> {
    let settings = settings(args, targets)?;
    let counter = counter(args, &settings)?;
    let origin = origin(args)?;
    if let Some(n) = origin.entries().filter(|n| (*n as u64) < share.of) {
        let file = origin.file().unwrap_or_default();
        let why = format!("--workers: {file} has {n} entries, fewer than there are workers");
        return Err(UsageError(why).into());
    }
    Ok(LoadPlan {
        settings,
        requests: args.requests,
        duration: args.duration.map(|duration| duration.0),
        until: args.until(),
        arrival: args.arrival,
        max_in_flight: args.max_in_flight,
        warmup: args.warmup,
        prompts: Prompts {
            origin: origin.shared(share),
            input: args.input_tokens,
            answers: args.output_tokens,
            cache: args.cache(),
            turns: args.turns,
            ids: args.prompt_ids,
            seed: share.derived(args.seed),
        },
        counter,
        nonce: share.derived(args.nonce.unwrap_or_else(fresh_nonce)),
        grades: args.grades.clone(),
        slo: args.slo.clone(),
        share,
        server_side: !args.no_server_metrics && share.index == 0,
    })
}

/// The rows that the flags name, in order; of a sweep the first.
pub(super) fn levels(args: &Args) -> Vec<Level> {
    if args.trace.is_some() {
        return vec![Level::Trace];
    }
    if let Some(ramp) = args.ramp {
        return vec![Level::Ramp(ramp)];
    }
    if !args.rate.is_empty() {
        return args.rate.iter().map(|rate| Level::Rate(*rate)).collect();
    }
    match (&args.concurrency[..], args.sweep) {
        ([], true) => vec![Level::Streams(args.crew().len().max(1))],
        ([], false) => vec![Level::Streams(STREAMS)],
        (given, _) => given.iter().map(|n| Level::Streams(*n)).collect(),
    }
}

/// What the flags say of server and client.
fn settings(args: &Args, mut targets: Vec<Target>) -> Result<Settings> {
    let target = if targets.is_empty() { None } else { Some(targets.remove(0)) };
    let target = target.context("clap asked for a server")?;
    let mut settings =
        Settings::new(target, args.endpoint(), args.model.clone().unwrap_or_default());
    settings.others = targets;
    settings.trust = match &args.cacert {
        Some(path) => Trust::File(path.clone()),
        None if args.insecure => Trust::Anybody,
        None => Trust::System,
    };
    settings.stream = !args.no_stream;
    settings.connections = args.connections;
    settings.timeouts = Timeouts {
        connect: args.connect_timeout.0,
        first_byte: args.first_byte_timeout.0,
        stall: args.stall_timeout.0,
        total: args.timeout.0,
    };
    settings.api_key.clone_from(&args.api_key);
    settings.headers.clone_from(&args.header);
    settings.kernel_stamps = args.kernel_stamps();
    if let Some(body) = &args.body {
        settings.extra_body.clone_from(&body.0);
    }
    if args.model.is_none() {
        settings.model = model(&settings)?;
    }
    Ok(settings)
}

/// What the first server that answers calls its model: of several, one may be down.
fn model(settings: &Settings) -> Result<String> {
    let ask = |target: &Target| Api::new(&settings.at(target))?.models();
    let mut answers = settings.targets().map(ask);
    let models = answers.next().context("clap asked for a server")?;
    let models = models.or_else(|error| answers.find_map(Result::ok).ok_or(error));
    let models = models.map_err(|error| {
        let cause = format!("{error:#}");
        let cause = pacemark_files::excerpt(&cause);
        anyhow!("{cause} (asked for the name of its model, which --model tells)")
    })?;
    models.into_iter().next().context("the server has no model; name one with --model")
}

/// The tokenizer of `--tokenizer`, else the server's own, else nobody.
fn counter(args: &Args, settings: &Settings) -> Result<Counter> {
    if let Some(model) = &args.tokenizer {
        let file = ModelFile::open(hub::resolve(model)?)?;
        let tokenizer = Tokenizer::from_metadata(file.metadata())?;
        let encode = move |text: &str, special: bool| {
            let options = if special { EncodeOptions::SPECIAL } else { EncodeOptions::PLAIN };
            tokenizer.encode(text, options)
        };
        return Ok(Counter { encoder: Some(Arc::new(encode)), name: model.clone() });
    }
    let mut encoders =
        settings.targets().filter_map(|target| Api::new(&settings.at(target)).ok()?.encoder().ok());
    Ok(match encoders.next() {
        Some(encoder) => {
            Counter { encoder: Some(Arc::new(encoder)), name: "/tokenize of the server".into() }
        }
        None => Counter { encoder: None, name: "nobody".into() },
    })
}

/// Where prompts come from; a file is read here, once.
fn origin(args: &Args) -> Result<Origin> {
    let read = |path: &Path| -> Result<(String, String)> {
        Ok((path.display().to_string(), input::read_file(path)?))
    };
    if let Some(path) = &args.trace {
        let (file, text) = read(path)?;
        let arrived = trace(&file, &text)?;
        if args.prompt_ids && arrived.iter().any(|arrived| arrived.prompt.is_some()) {
            return Err(UsageError(format!("--prompt-ids: {file} holds prompts as text")).into());
        }
        return Ok(Origin::Trace { file, arrived });
    }
    let (path, parse): (_, fn(&str, &str) -> _) = match (&args.dataset, &args.prompts) {
        (Some(path), _) => (path, share_gpt),
        (None, Some(path)) => (path, lines),
        (None, None) => return Ok(Origin::Synthetic),
    };
    let (file, text) = read(path)?;
    let talks = parse(&file, &text)?;
    Ok(Origin::listed(file, talks))
}

impl Args {
    /// What `--cache` and `--shared-prefix` mean together.
    pub(crate) fn cache(&self) -> Cache {
        match (self.shared_prefix, self.cache) {
            (Some(prefix), _) | (None, Cache::Shared { prefix, .. }) => {
                Cache::Shared { prefix, groups: self.prefix_groups }
            }
            (None, cache) => cache,
        }
    }

    /// The kernel stamps what arrives.
    pub(crate) fn kernel_stamps(&self) -> bool {
        self.stamps == "kernel"
    }
}
