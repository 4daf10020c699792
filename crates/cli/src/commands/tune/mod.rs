//! `pacemark tune`: the best of several settings under targets, found by racing them.

mod axes;
mod choice;
mod subject;
mod watch;

use super::eval;
use super::quant_study::files::{self, Files};
use crate::exit::{Exit, UsageError};
use crate::experiments::help_of;
use crate::history::HistoryArgs;
use crate::output::{self, Input, Output, Record};
use crate::texts::{self, Text};
use crate::until::{Time, width};
use crate::{hub, interrupt, machine};
use anyhow::{Result, anyhow};
use axes::AxisArgs;
use choice::{Choice, Named};
use pacemark_bench::tune::{
    Aim, CONFIRMING_PAIRS, LEAST_ROUNDS, Rules, Search, Verdict, outcome, panels,
};
use pacemark_bench::{BenchError, Case, Experiment, How, Repetitions, Subject, Tune, Warmups};
use pacemark_engine::{Policy, model_config};
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{ModelFile, synth};
use pacemark_record::{Objective, Trial};
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use subject::{Models, Words};
use watch::Watch;

const EXAMPLES: &str = "Examples:
  pacemark tune -m model.gguf                    half the threads, smaller batches, q8_0 keys and values
  pacemark tune -m model.gguf --target 'ttft_ms.p95<300' --maximize throughput --confirm
  pacemark tune -t 1,2,4 -ub 64,128,256,512 --maximize prefill_tps -p 2048 -n 16
  pacemark tune -m model-f16.gguf --weights Q8_0,Q4_K_M --max-kld 0.02 --svg pareto.svg
  pacemark tune --kv streaming:4+508,snapkv:512 -p 1024 -n 64 -c 1024
  pacemark tune --speculate 2,4,8 --maximize decode_tps --write best.sh
  pacemark tune -m model.gguf -o json | jq -r .command

Settings run in turn, a run of each in every round. One is dropped when it is shown to be worse than the \
best, to miss a target, or when its answers are not shown to be near enough to the default's; that no \
difference can be shown is an answer (docs/tune.md).

Exit codes: 0 a setting is recommended and meets the targets, 1 failed or the race was not over, 2 wrong \
usage, 3 no setting meets the targets, or the best is not shown to.";

/// Find the best setting for a model on this machine, under targets
///
/// Threads, batch sizes, types of KV cache and of weights, policies and speculation are raced against
/// the default; those that are shown to be worse drop out. Where nothing matters it says so. The
/// result is a command line.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = help_of(EXAMPLES, &Tune))]
pub(super) struct Args {
    /// Model: a GGUF file, a Hugging Face directory, a name of `pacemark models list`,
    /// hf:ORG/REPO/FILE or synth:SHAPE:TYPE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    /// What must be kept, e.g. 'ttft_ms.p95<300' or 'decode_tps>30'; again for several
    #[arg(long = "target", value_name = "FIGURE<LIMIT", value_parser = str::parse::<Aim>)]
    targets: Vec<Aim>,
    /// What is to be as large as it can be: throughput (prompt and generated tokens over the time of
    /// both), decode_tps or prefill_tps
    #[arg(long, value_name = "RATE", default_value = "throughput", value_parser = objective)]
    maximize: Objective,
    /// The largest mean KL divergence from the default's predictions, nats
    #[arg(long, value_name = "X", default_value_t = 0.05)]
    max_kld: f64,
    /// Tokens of a run's prompt
    #[arg(short = 'p', long, value_name = "N", default_value = "512")]
    n_prompt: NonZeroUsize,
    /// Tokens generated after it, at least 2
    #[arg(short = 'n', long, value_name = "N", default_value_t = 128)]
    n_gen: usize,
    /// Differences below this share are of no consequence
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = width)]
    resolution: f64,
    /// Rounds before anything is decided, at least 4
    #[arg(long, value_name = "N", default_value_t = 6)]
    min_rounds: usize,
    /// Rounds at most
    #[arg(long, value_name = "N", default_value_t = 40)]
    max_rounds: usize,
    /// End the race by then, with what is known, e.g. 10m
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = str::parse::<Time>)]
    max_time: Time,
    /// Run the winner once more, N pairs in turn with the default, or where that is the winner with the
    /// next best; at least 16
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "16")]
    confirm: Option<usize>,
    /// Text that prompts are cut of and answers compared on, UTF-8 [default: The Tempest, which comes
    /// with Pacemark]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Tokens of a chunk of the text that answers are compared on; even
    #[arg(short = 'c', long, value_name = "N", default_value_t = 512)]
    ctx_size: usize,
    /// Chunks at most
    #[arg(long, value_name = "N", default_value = "6")]
    chunks: NonZeroUsize,
    #[command(flatten)]
    axes: AxisArgs,
    /// Write the command line of the recommended setting to this file, too
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    #[command(flatten)]
    pictures: output::PictureArgs,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "md", value_parser = output::formats(&[]))]
    output: String,
    /// Write the record, with every run, as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
}

fn objective(name: &str) -> Result<Objective, String> {
    let names = Objective::ALL.map(|(name, _)| name);
    Objective::find(name).ok_or_else(|| {
        let near = pacemark_files::nearest(name, names);
        let near = near.map_or(String::new(), |near| format!(", did you mean {near}?"));
        format!("expected one of {}{near}", names.join(", "))
    })
}

impl Args {
    fn check(&self) -> Result<(), UsageError> {
        eval::check_chunks(self.ctx_size)?;
        if self.n_gen < 2 {
            let why = "at least 2 tokens: the rate is that of those after the first";
            return Err(UsageError(format!("-n {}: {why}", self.n_gen)));
        }
        if !(self.max_kld.is_finite() && self.max_kld >= 0.0) {
            return Err(UsageError(format!("--max-kld {}: not a divergence", self.max_kld)));
        }
        if self.min_rounds < LEAST_ROUNDS {
            let why = "fewer rounds say nothing of the spread";
            return Err(UsageError(format!("--min-rounds {}: {why}", self.min_rounds)));
        }
        if self.max_rounds < self.min_rounds || self.max_rounds > 10_000 {
            let least = self.min_rounds;
            let found = self.max_rounds;
            return Err(UsageError(format!("--max-rounds {found}: from {least} to 10000")));
        }
        let pairs = CONFIRMING_PAIRS..=10_000;
        match self.confirm.filter(|n| !pairs.contains(n)) {
            Some(n) => Err(UsageError(format!("--confirm {n}: from {CONFIRMING_PAIRS} to 10000"))),
            None => Ok(()),
        }
    }

    fn rules(&self) -> Rules {
        Rules {
            objective: self.maximize,
            aims: self.targets.clone(),
            max_kld: self.max_kld,
            resolution: self.resolution,
            min_rounds: self.min_rounds,
            max_rounds: self.max_rounds,
            max_time: self.max_time.0,
        }
    }

    /// Refuses what the model cannot do, before anything is loaded.
    fn check_model(&self, model: &ModelFile, choices: &[Choice]) -> Result<()> {
        let asked = self.n_prompt.get().saturating_add(self.n_gen).saturating_add(1);
        if let Some(longest) = Summary::of(model)?.context_length.filter(|n| asked as u64 > *n) {
            return Err(UsageError(format!(
                "-p {} and -n {}: {} has a context of {longest} tokens",
                self.n_prompt, self.n_gen, self.model
            ))
            .into());
        }
        let config = model_config(model)?;
        for spec in choices.iter().filter_map(|choice| choice.kv.as_ref()) {
            let policy = Policy::parse(spec).and_then(|p| p.map(|p| p.on(&config)).transpose());
            policy.map_err(|error| UsageError(format!("--kv {error}")))?;
        }
        if !synth::is_synthetic(model.metadata()) {
            return Ok(());
        }
        let why = if choices.iter().any(|choice| choice.weights.is_some()) {
            "--weights: the weights of a synthetic model are drawn in the type of its name"
        } else if choices.iter().any(|choice| choice.speculate > 0) {
            "--speculate: a synthetic model repeats itself, so guesses are worth nothing"
        } else if self.file.is_some() {
            "-f: a synthetic model has no tokenizer, its prompts are random"
        } else {
            return Ok(());
        };
        Err(UsageError(why.into()).into())
    }

    /// The text, where the model can read it.
    fn words(&self, model: &ModelFile, path: &Path, compares: bool) -> Result<Option<Words>> {
        if synth::is_synthetic(model.metadata()) {
            return Ok(None);
        }
        let Text { text, name } = match &self.file {
            Some(file) => Text { text: eval::read_text(file)?, name: file.display().to_string() },
            None => texts::book(),
        };
        let tokenizer = if compares {
            eval::check_model(path, self.ctx_size)?
        } else {
            Tokenizer::from_metadata(model.metadata())?
        };
        let options = EncodeOptions { add_special: true, parse_special: false };
        let tokens = tokenizer.encode(&text, options);
        let needed =
            if compares { self.n_prompt.get().max(self.ctx_size) } else { self.n_prompt.get() };
        if tokens.len() < needed {
            let found = tokens.len();
            return Err(anyhow!("{name}: the text has {found} tokens: expected at least {needed}"));
        }
        if compares {
            let n_chunks = self.chunks.get().min(tokens.len() / self.ctx_size);
            eval::kld::check_room(&tokenizer, self.ctx_size, n_chunks)?;
        }
        let (n_ctx, max_chunks) = (self.ctx_size, self.chunks.get());
        Ok(Some(Words { tokenizer, tokens, file: name, n_ctx, max_chunks }))
    }

    fn search(&self, choices: &[Choice], words: Option<&Words>) -> Search {
        let named = Named {
            model: &self.model,
            n_prompt: self.n_prompt.get(),
            n_gen: self.n_gen,
            allow_requantize: self.axes.allow_requantize,
        };
        let first = |choice: &Choice| choices.iter().position(|other| other.answers_as(choice));
        let setting = |choice: &Choice| choice.described(&named, first(choice).unwrap_or(0));
        let file = words.map_or("random tokens", |words| &words.file);
        let params: [(&str, serde_json::Value); 5] = [
            ("source", self.model.as_str().into()),
            ("n_prompt", self.n_prompt.get().into()),
            ("n_gen", self.n_gen.into()),
            ("n_ctx", self.ctx_size.into()),
            ("file", file.into()),
        ];
        Search {
            settings: choices.iter().map(setting).collect(),
            rules: self.rules(),
            has_quality: words.is_some(),
            confirm: self.confirm,
            params: params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// Runs `pacemark tune`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    args.check()?;
    let choices = args.axes.choices()?;
    let path = hub::resolve(&args.model)?;
    let model = ModelFile::open(&path)?;
    args.check_model(&model, &choices)?;
    let compares = choices.iter().any(|choice| !choice.answers_as(&choices[0]));
    let words = args.words(&model, &path, compares)?;
    let read = [Some(Input::Model(&path)), args.file.as_deref().map(Input::File)];
    let mut inputs: Vec<Input<'_>> = read.into_iter().flatten().collect();
    let record = Record::create(args.save.as_deref(), &inputs)?;
    inputs.extend(args.save.as_deref().map(Input::Output));
    let write = args.write.as_deref();
    let script = write.map(|path| output::create("--write", path, &inputs)).transpose()?;
    inputs.extend(write.map(Input::Output));
    let pictures = args.pictures.create(&inputs)?;
    let stop = interrupt::flag();
    let files = weights(args, &model)?;
    drop(model);
    let search = args.search(&choices, words.as_ref());
    let mut output =
        Output::new(&Tune, machine::env(), &args.output, record, args.history.archive());
    let mut models = Models {
        path: &path,
        source: &args.model,
        files: files.as_ref(),
        choices: &choices,
        n_prompt: args.n_prompt.get(),
        n_gen: args.n_gen,
        words: words.as_ref(),
        stop,
        loaded: None,
        predictions: None,
    };
    let mut watch = Watch::new(&mut output);
    let mut how = How {
        repetitions: Repetitions::exactly(args.max_rounds),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut watch,
        stop,
    };
    let case = Case::Search(Box::new(search));
    let result = Tune.measure(&case, &mut Subject::Settings(&mut models), &mut how);
    drop(watch);
    drop(models);
    let (trials, error) = match result {
        Ok(trials) => (trials, None),
        Err(cut) => (cut.partial, Some(cut.error)),
    };
    if trials.is_empty() {
        return Err(error.map_or_else(|| anyhow!("nothing was measured"), Into::into));
    }
    let drawn = pictures.draw(&panels(&trials));
    output.rows(trials)?;
    output.end(Vec::new())?;
    drawn?;
    ended(error, output.trials(), script)
}

/// The model in each type of `--weights`.
fn weights(args: &Args, model: &ModelFile) -> Result<Option<Files>> {
    let types = &args.axes.weights;
    if types.is_empty() {
        return Ok(None);
    }
    let threads = Choice::default().threads;
    let how = (args.axes.allow_requantize, false);
    Files::write(model, types, &files::paths(types, None), how, threads).map(Some)
}

/// What is written at the end, and the exit code.
fn ended(
    error: Option<BenchError>,
    trials: &[Trial],
    script: Option<pacemark_files::Output>,
) -> Result<Exit> {
    let is_over = error.is_none();
    if script.is_some() && !(is_over && outcome(trials).recommended.is_some()) {
        eprintln!("--write: no setting is recommended; the file is as it was");
    }
    match error {
        Some(BenchError::Interrupted) => {
            eprintln!("interrupted: the figures are of what was measured until then");
            return Ok(Exit::Failed);
        }
        Some(error) => return Err(error.into()),
        None => {}
    }
    let found = outcome(trials);
    let command = found.recommended.and_then(|index| trials[index].params.get("command")?.as_str());
    if let (Some(mut script), Some(command)) = (script, command) {
        writeln!(script, "{command}")?;
        script.finish()?;
    }
    match found.verdict {
        Verdict::NotOver => {
            eprintln!("the race was not over: --max-time left no room for --min-rounds");
            Ok(Exit::Failed)
        }
        Verdict::NoneMeets => Ok(Exit::Missed),
        Verdict::Winner | Verdict::NoDifference => Ok(Exit::held_to(&found.not_met)),
    }
}
