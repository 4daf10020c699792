//! `pacemark run`: one prompt, its text as it comes, and what it cost.

mod breakdown;

use crate::backend::{self, BackendArgs};
use crate::engine::{Engine, no_tokenizer};
use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::offload::DeviceArgs;
use crate::output::{self, Input, Output, Record};
use crate::server::ServerArgs;
use crate::{experiments, hub, input, interrupt, machine, setup, template};
use anyhow::{Context, Result, bail};
use breakdown::Breakdown;
use pacemark_backend::{Backend, BackendInfo, GenerateRequest, SamplingParams, TokenId};
use pacemark_backends::BackendEntry;
use pacemark_bench::generation::Generate;
use pacemark_bench::memory;
use pacemark_bench::parameter::{KV, TYPE_K, TYPE_V};
use pacemark_bench::{
    BenchError, Case, CutShort, Experiment, Generation, How, Observer, Params, Repetitions,
    Subject, Test, Warmups,
};
use pacemark_record::{Measured, Trial};
use pacemark_setup::{Setup, Threads};
use pacemark_tokenizer::{EncodeOptions, Message, RenderOptions, Tokenizer};
use serde_json::json;
use std::io::{self, StdoutLock, Write, stdout};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = r#"Examples:
  pacemark run -p "The Sky is blue because"
  pacemark run -m gemma3-270m -p "Once upon a time" -n 200 --temp 0.8 --seed 7
  pacemark run --chat --system "You are terse." -p "Name a colour."
  pacemark run --chat --chat-template mine.jinja -p "Name a colour."
  echo '[{"role": "user", "content": "Hi"}]' | pacemark run --chat --messages
  cat letter.txt | pacemark run -m model.gguf -n 32 --breakdown
  pacemark run --backend llama-cpp -m model.gguf -p "1, 2, 3,"    in a build with --features llama-cpp
  pacemark run --backend openai --url http://10.0.0.2:8000 -m model.gguf -p "1, 2, 3,"    a server, the model's file for its tokenizer
  pacemark run -p "1, 2, 3," --logprobs 5 -o json"#;

/// Generate text from a prompt
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = experiments::help_of(EXAMPLES, &Generation))]
pub(super) struct Args {
    /// Model: a GGUF file, a Hugging Face directory, a name of `pacemark models list`, or
    /// hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    weights: setup::WeightType,
    #[command(flatten)]
    backend: BackendArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// The prompt
    #[arg(short, long, value_name = "TEXT", conflicts_with = "file")]
    prompt: Option<String>,
    /// Read the prompt from a file; without -p and -f it is read from standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Put the prompt in the model's chat template, as a user's message
    #[arg(long)]
    chat: bool,
    /// The system message of the chat
    #[arg(long, value_name = "TEXT", requires = "chat")]
    system: Option<String>,
    /// The prompt is a chat: a JSON array of {"role": …, "content": …}
    #[arg(long, requires = "chat")]
    messages: bool,
    #[arg(long, value_name = "NAME|FILE", visible_alias = "chat-template-file", requires = "chat", help = template::HELP,
          long_help = template::LONG_HELP)]
    chat_template: Option<String>,
    /// Tokens to generate at most; -1 for as many as the context holds
    #[arg(short, long, value_name = "N", default_value_t = 128, allow_negative_numbers = true,
          value_parser = clap::value_parser!(i64).range(-1..))]
    n_predict: i64,
    /// Temperature; 0 takes the most likely token each time, so that runs repeat
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temp: f32,
    /// Only the K most likely tokens; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: usize,
    /// Only the smallest set of tokens with this probability together
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    top_p: f32,
    /// Only tokens at least this fraction as likely as the most likely
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    min_p: f32,
    /// Divide the logits of tokens already seen
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    repeat_penalty: f32,
    /// Lower the logits of tokens already generated, once
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    presence_penalty: f32,
    /// Lower the logits of tokens already generated, each time
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    frequency_penalty: f32,
    /// Start of the random sequence
    #[arg(short, long, default_value_t = 0)]
    seed: u64,
    /// Go on when the model ends its answer
    #[arg(long)]
    ignore_eos: bool,
    /// Threads that compute one token [default: all cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Threads that compute the prompt [default: as many as -t] (-tb)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads_batch: Option<u16>,
    /// Context in tokens [default: what the model was trained for, at most 8192]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    ctx_size: Option<u32>,
    #[command(flatten)]
    kv: setup::KvArgs,
    #[command(flatten)]
    keep: setup::KeepArgs,
    #[command(flatten)]
    host: setup::HostArgs,
    #[command(flatten)]
    devices: DeviceArgs,
    /// Prompt tokens computed at once
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    ubatch_size: u32,
    /// With -o json: the K most likely tokens and their natural log-probabilities at each position
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(0..=1000))]
    logprobs: Option<u16>,
    /// Show where the whole process's time went
    #[arg(long)]
    breakdown: bool,
    /// Write the record: prompt, answer, and when each token came
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
    /// What standard output carries: the text as it comes, with what it cost on standard error; or
    /// at the end what it cost, and in json and jsonl the text too
    #[arg(short, long, value_name = "FORMAT", default_value = TEXT, value_parser = output::formats_beside(TEXT))]
    output: String,
}

/// The text as it comes.
const TEXT: &str = "text";

impl Args {
    fn setup(&self, entry: &BackendEntry) -> Result<Setup, UsageError> {
        backend::check_policy(entry, self.keep.spec().as_deref())?;
        let threads =
            setup::threads(self.threads.map(usize::from), self.threads_batch.map(usize::from));
        let n_ubatch = self.ubatch_size as usize;
        let setup = Setup {
            threads: Threads { place: self.host.place()?, ..threads },
            weights: self.host.residence(self.weights),
            n_ctx: self.ctx_size.map(|n| n as usize),
            cache: self.kv.types(),
            // The whole prompt is handed over.
            n_batch: n_ubatch,
            n_ubatch,
            offload: self.backend.placed(self.devices.offload()?),
            precision: self.devices.precision(),
            server: self.server.server(&[entry])?,
            ..Setup::default()
        };
        setup::check(entry, setup)
    }
}

/// Runs the command.
pub(super) fn run(args: Args) -> Result<Exit> {
    if args.logprobs.is_some() && !["json", "jsonl"].contains(&args.output.as_str()) {
        return Err(UsageError("--logprobs: it takes -o json or jsonl".into()).into());
    }
    let entry = args.backend.entry()?;
    let setup = args.setup(entry)?;
    let mut breakdown = Breakdown::start();
    let text = input::prompt(args.prompt.as_deref(), args.file.as_ref())?;
    let path = hub::resolve(&args.model)?;
    let prompt = match (&args.prompt, &args.file) {
        (Some(_), _) => None,
        (None, file) => Some(file.as_deref().unwrap_or(Path::new("/dev/stdin"))),
    };
    let template = args.chat_template.as_deref().map(Path::new);
    let files = prompt.into_iter().chain(template).map(Input::File);
    let inputs: Vec<_> = files.chain([Input::Model(&path)]).collect();
    let record = Record::create(args.save.as_deref(), &inputs)?;
    let env = machine::env();
    breakdown.mark("read");
    let engine = Engine::load(entry, &path, &setup)?;
    let backend = engine.backend();
    breakdown.mark("load");
    input::warn(&backend.info());
    if args.logprobs.is_some() && !backend.capabilities().logprobs {
        return Err(backend::refusal("--logprobs", entry, "it tells of none").into());
    }
    let Some(tokenizer) = engine.tokenizer() else { bail!(no_tokenizer(&path)) };
    let (prompt, ids) = encode(&args, &engine, tokenizer, text)?;
    breakdown.mark("tokenize");
    let request = request(&args, &engine, ids)?;
    let params = params(&setup, &backend.info(), &request);
    let mut measured = generate(&args, backend, Generate { request, prompt, params })?;
    measured.trial.notes.extend(args.backend.notes());
    let request = measured.trial.generation().context("a generation has a request")?;
    breakdown.generated(request);
    measured.trial.peak_rss_bytes = memory::peak_rss_bytes(engine.backend());
    drop(engine);
    breakdown.mark("exit");
    // A prompt may be private: it goes to the history only where it was said to.
    let archive = args.history.archive_if_said();
    let mut output = match args.output.as_str() {
        // Standard output has the text already.
        TEXT => Output::new(&Generation, env, output::NONE, record, archive).and_stderr("table"),
        format => Output::new(&Generation, env, format, record, archive),
    };
    let whole =
        Trial { measured: Measured::Facts { facts: breakdown.facts() }, ..measured.trial.clone() };
    output.rows(vec![measured.trial])?;
    if args.breakdown {
        output.rows(vec![whole])?;
    }
    output.end(Vec::new())?;
    match measured.ended {
        Ended::Whole => Ok(Exit::Fine),
        Ended::Interrupted => {
            eprintln!("interrupted");
            Ok(Exit::Failed)
        }
        Ended::Unread(error) => Err(error.into()),
    }
}

/// The prompt as the model sees it, and its ids: as it stands, or in the chat template.
fn encode(
    args: &Args,
    engine: &Engine,
    tokenizer: &Tokenizer,
    text: String,
) -> Result<(String, Vec<TokenId>)> {
    if !args.chat {
        let ids = tokenizer.encode(&text, EncodeOptions::SPECIAL);
        return Ok((text, ids));
    }
    let own = engine.chat_templates()?;
    let templates = match &args.chat_template {
        Some(wanted) => template::choose(wanted, &own)?,
        None => own,
    };
    if templates.is_chatml() && args.chat_template.is_none() {
        eprintln!("note: the model brings no chat template; using ChatML");
    }
    let mut messages: Vec<Message> =
        args.system.iter().map(|system| Message::new("system", system)).collect();
    if args.messages {
        let given: Vec<Message> =
            serde_json::from_str(&text).context("--messages: expected a JSON array of messages")?;
        messages.extend(given);
    } else {
        messages.push(Message::new("user", text));
    }
    let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
    let prompt =
        templates.prompt(messages, &options, false).context("cannot render the chat template")?;
    let ids = templates.encode(tokenizer, &prompt);
    Ok((prompt, ids))
}

fn request(args: &Args, engine: &Engine, prompt: Vec<TokenId>) -> Result<GenerateRequest> {
    let kv = args.keep.spec();
    if prompt.is_empty() {
        return Err(UsageError("the prompt is empty".into()).into());
    }
    let max_tokens = match usize::try_from(args.n_predict) {
        Ok(n) => n,
        // A policy may leave room without end.
        Err(_) => engine.room(kv.as_deref(), prompt.len())?.min(engine.backend().info().n_ctx),
    };
    Ok(GenerateRequest {
        prompt,
        max_tokens,
        sampling: SamplingParams {
            temperature: args.temp,
            top_k: args.top_k,
            top_p: args.top_p,
            min_p: args.min_p,
            repetition_penalty: args.repeat_penalty,
            presence_penalty: args.presence_penalty,
            frequency_penalty: args.frequency_penalty,
            seed: args.seed,
            ..SamplingParams::default()
        },
        ignore_eos: args.ignore_eos,
        top_logprobs: args.logprobs.map(usize::from),
        kv,
        ..GenerateRequest::default()
    })
}

/// What decided the answer and its time.
fn params(setup: &Setup, info: &BackendInfo, request: &GenerateRequest) -> Params {
    let s = &request.sampling;
    let test = Test { setup: setup.clone(), ..Test::default() };
    let cache = [TYPE_K, TYPE_V].map(|p| (p.name.to_owned(), test.params()[p.name].clone()));
    let params = json!({
        "n_threads": info.n_threads,
        "n_threads_batch": info.n_threads_batch,
        "n_ctx": info.n_ctx,
        "n_ubatch": setup.n_ubatch,
        "max_tokens": request.max_tokens,
        "temperature": s.temperature,
        "top_k": s.top_k,
        "top_p": s.top_p,
        "min_p": s.min_p,
        "repeat_penalty": s.repetition_penalty,
        "presence_penalty": s.presence_penalty,
        "frequency_penalty": s.frequency_penalty,
        "seed": s.seed,
        "ignore_eos": request.ignore_eos,
    });
    let mut params = params.as_object().cloned().unwrap_or_default();
    params.extend(cache);
    params.extend(request.kv.iter().map(|spec| (KV.name.to_owned(), spec.as_str().into())));
    setup::record(setup, &mut params);
    params
}

/// A generation, as far as it came.
struct Generated {
    trial: Trial,
    ended: Ended,
}

/// How it ended.
enum Ended {
    Whole,
    Interrupted,
    /// Nobody reads the text.
    Unread(io::Error),
}

/// Ctrl-C ends it, and what was measured is kept.
fn generate(args: &Args, backend: &dyn Backend, wanted: Generate) -> Result<Generated> {
    let mut shown = Shown { out: (args.output == TEXT).then(|| stdout().lock()), error: None };
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut shown,
        stop: interrupt::flag(),
    };
    let backends: [&dyn Backend; 1] = [backend];
    let mut subject = Subject::Backends(&backends);
    let case = Case::Generate(Box::new(wanted));
    let (trials, ended) = match Generation.measure(&case, &mut subject, &mut how) {
        Ok(trials) => (trials, Ended::Whole),
        Err(CutShort { partial, error: BenchError::Interrupted }) => (partial, Ended::Interrupted),
        Err(cut) => return Err(cut.error.into()),
    };
    // The last line's end, where there was none so far.
    let unread = shown.error.take().or_else(|| writeln!(shown.out.as_mut()?).err());
    let ended = unread.map_or(ended, Ended::Unread);
    let trial = trials.into_iter().next().context("a generation has a trial")?;
    Ok(Generated { trial, ended })
}

/// Writes the text as it comes, where it is to be shown.
struct Shown<'a> {
    out: Option<StdoutLock<'a>>,
    error: Option<io::Error>,
}

impl Observer for Shown<'_> {
    fn text(&mut self, text: &str) -> ControlFlow<()> {
        let Some(out) = self.out.as_mut().filter(|_| !text.is_empty()) else {
            return ControlFlow::Continue(());
        };
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}
