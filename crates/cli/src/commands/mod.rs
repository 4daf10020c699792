//! The subcommands, one file each.

mod bench;
mod check;
mod compare;
mod completions;
mod doctor;
mod eval;
mod fit;
mod genai_bench;
mod history;
mod kv;
mod load;
mod merge;
mod models;
mod quant_study;
pub(crate) mod report;
mod rpc_worker;
mod run;
mod serve;
mod show;
mod stages;
pub(crate) mod suite;
mod tokenize;
mod tune;
mod versus;

use crate::exit::Exit;
pub(crate) use bench::{backend, check_backends, long_options, write_needed};
use clap::{Parser, Subcommand};

const HELP: &str = "Examples:
  pacemark bench                                     how fast the default model is here
  pacemark bench -m model.gguf -p 512 -n 128 -t 1,2  llama-bench's flags work
  pacemark run -p \"The Sky is blue because\"         text, and what it cost
  pacemark serve                                     OpenAI's HTTP API
  pacemark eval perplexity -f text.txt               how good the answers are
  pacemark kv                                        what a smaller KV cache costs, and saves
  pacemark quant-study -m model-f16.gguf             what smaller weights cost, and save
  pacemark genai-bench -n 5 --report                 benchmark_genai's flags and lines, and what they hide
  pacemark tune -m model.gguf                        which threads, batches and types are best
  pacemark versus --engine native --engine openvino  engines side by side, on one model
  pacemark fit -m model.gguf                         what it will take here, before it runs
  pacemark rpc-worker --host 0.0.0.0                 compute layers for another machine's --rpc
  pacemark load --url http://localhost:8000          what a server's users would see
  pacemark merge a.json b.json                       one load that several machines sent
  pacemark suite suite.yaml                          a whole benchmark that a file describes
  pacemark show run.json -o csv                      the figures of a record again
  pacemark report latest --format html -o report     what was measured, as a page to read
  pacemark check run.json --targets targets.yaml     whether it is as fast as it is to be
  pacemark compare before.json after.json            what became faster, and what slower
  pacemark history                                   what was measured here, and how it changed
  pacemark models list                               the models it can get

Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 a limit or target was missed or could not be shown to be \
met, 125 with compare --bisect nothing can be told, 128 + N ended by signal N, e.g. 130 by a second Ctrl-C. Ctrl-C, SIGTERM and SIGHUP: the first one stops \
a command, which shows and saves what it has; its exit code is 1.
Environment: PACEMARK_HOME (where models and the history are kept), PACEMARK_HISTORY (another file for the \
history, or off), \
PACEMARK_ISA=portable|sse2|avx2|avx512|neon|neon-dotprod (force one set of kernels), HF_ENDPOINT and \
HF_TOKEN (for hf: models), NO_COLOR.";

/// Measure a language model on this machine, and run it as fast as the machine allows.
#[derive(Parser, Debug)]
#[command(name = "pacemark", version, propagate_version = true, max_term_width = 100, after_help = HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Measure how fast a model is on this machine: llama-bench's tests, flags and formats
    Bench(Box<bench::Args>),
    /// One process of `bench --cold`
    #[command(hide = true)]
    ColdStart(bench::ChildArgs),
    /// Hold saved measurements to the targets of a file
    Check(check::Args),
    /// Compare saved measurements: ratio, interval and verdict of each figure
    Compare(Box<compare::Args>),
    /// Show what this machine is, and measure its limits
    Doctor(doctor::Args),
    /// Measure how good a model's answers are
    Eval(eval::Args),
    /// Tell what this machine will do with a model before it runs: memory, rates, what fits
    Fit(Box<fit::Args>),
    /// The process of `fit --prove` that runs the model
    #[command(hide = true)]
    FitProof,
    /// Repeat one prompt and time it from text to text: benchmark_genai's flags and lines
    GenaiBench(Box<genai_bench::Args>),
    /// List, show, compare over time and tidy the runs that were measured here
    History(Box<history::Args>),
    /// Compare policies of the KV cache: answers, time and memory
    Kv(Box<kv::Args>),
    /// Send requests to a server and measure what comes back
    Load(Box<load::Args>),
    /// One worker of `load --workers`
    #[command(hide = true)]
    LoadWorker,
    /// Combine records of one load that several processes sent
    Merge(merge::Args),
    /// Get, list, describe and quantize models
    Models(models::Args),
    /// Compare types of weights: answers, time and memory
    QuantStudy(Box<quant_study::Args>),
    /// One run of `quant-study`
    #[command(hide = true)]
    QuantStudyRun,
    /// Make a report of saved measurements: verdicts, tables, pictures, advice
    Report(report::Args),
    /// Compute layers of a model for other machines
    RpcWorker(rpc_worker::Args),
    /// Generate text from a prompt
    Run(Box<run::Args>),
    /// Serve a model over OpenAI's HTTP API
    Serve(Box<serve::Args>),
    /// Show the figures of records that --save wrote
    Show(show::Args),
    /// Measure the serving stack layer by layer: what each layer costs
    Stages(Box<stages::Args>),
    /// The client process of `stages`
    #[command(hide = true)]
    StagesClient,
    /// Run a suite of benchmarks that a YAML file describes
    Suite(Box<suite::Args>),
    /// Show the token ids of a text
    Tokenize(tokenize::Args),
    /// Find the best setting for a model on this machine, under targets
    Tune(Box<tune::Args>),
    /// Compare engines: speed, memory, loading and answers of one model
    Versus(Box<versus::Args>),
    /// One run of `versus`
    #[command(hide = true)]
    VersusRun,
    /// Print the completion script of a shell
    Completions(completions::Args),
    /// Print the manual pages, in roff
    Man,
}

/// Runs the chosen subcommand.
pub(crate) fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Bench(args) => bench::run(*args),
        Command::ColdStart(args) => bench::child(args).map(|()| Exit::Fine),
        Command::Check(args) => check::run(args),
        Command::Compare(args) => compare::run(&args),
        Command::Doctor(args) => doctor::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Fit(args) => fit::run(&args),
        Command::FitProof => fit::child().map(|()| Exit::Fine),
        Command::GenaiBench(args) => genai_bench::run(*args),
        Command::History(args) => history::run(*args),
        Command::Kv(args) => kv::run(&args),
        Command::Load(args) => load::run(*args),
        Command::LoadWorker => load::crew::work().map(|()| Exit::Fine),
        Command::Merge(args) => merge::run(&args),
        Command::Models(args) => models::run(args),
        Command::QuantStudy(args) => quant_study::run(&args),
        Command::QuantStudyRun => quant_study::child().map(|()| Exit::Fine),
        Command::Report(args) => report::run(&args),
        Command::RpcWorker(args) => rpc_worker::run(args),
        Command::Run(args) => run::run(*args),
        Command::Serve(args) => serve::run(*args),
        Command::Show(args) => show::run(args),
        Command::Stages(args) => stages::run(*args),
        Command::StagesClient => stages::client().map(|()| Exit::Fine),
        Command::Suite(args) => suite::run(&args),
        Command::Tokenize(args) => tokenize::run(args),
        Command::Tune(args) => tune::run(&args),
        Command::Versus(args) => versus::run(&args),
        Command::VersusRun => versus::child().map(|()| Exit::Fine),
        Command::Completions(args) => completions::run(&args),
        Command::Man => completions::man(),
    }
}
