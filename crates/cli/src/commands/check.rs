//! `pacemark check`: measurements held to the targets of a file.

use crate::exit::Exit;
use crate::output::{self, Input};
use crate::{input, measured};
use anyhow::{Context, Result};
use pacemark_bench::targets::{self, Names};
use pacemark_modelfile::catalog;
use pacemark_record::{Run, TargetVerdict};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  pacemark bench --save run.json; pacemark check run.json --targets targets.yaml
  pacemark check run.json --targets suite.yaml --junit targets.xml
  pacemark check latest --targets targets.yaml                   the last run of the history
  pacemark check run.json --targets targets.yaml --model gpt2    whatever model it is of

A file of targets:
  targets:
    gpt2:
      min_tokens_per_second: 5
      max_ttft_ms: 200
      max_memory_gb: 2
      ttft_ms.p95: {max: 500, test: pp512+tg128}
    decode_tps: {min: 30, where: {n_threads: 4}}   # of every model

A target names a figure (any column of any command, a series with .p95, .mean or .max behind it, or decode_tps, prefill_tps, ttft_ms, tpot_ms, e2e_ms, \
peak_memory_gb) and is met where the whole 95 % interval keeps it.

Exit code 3 where a target is missed, has no value, or is undecided (see --allow-undecided). docs/targets.md has more.";

/// Holds saved measurements to the targets of a file
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Records, runs of the history or results of other tools (see `compare --help`)
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// File of targets, YAML
    #[arg(short, long, value_name = "FILE")]
    targets: PathBuf,
    /// Judge by the targets of this model, whatever model the runs say they are of
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// A target that lies within its figure's interval is no failure
    #[arg(long)]
    allow_undecided: bool,
    /// Write the verdicts as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = output::formats(&[]))]
    output: String,
}

/// Runs `pacemark check`.
pub(super) fn run(args: Args) -> Result<Exit> {
    measured::once(&args.runs.iter().collect::<Vec<_>>())?;
    let inputs: Vec<Input<'_>> =
        args.runs.iter().chain([&args.targets]).map(|path| Input::File(path)).collect();
    let junit = args.junit.as_ref().map(|path| output::create("--junit", path, &inputs));
    let junit = junit.transpose()?;
    let text = input::read_file(&args.targets)?;
    let targets = targets::read(&args.targets.display().to_string(), &text)
        .map_err(|error| input::mistaken(&error))?;
    let runs: Vec<(String, Run)> = args
        .runs
        .iter()
        .map(|path| measured::read(path).map(|source| (source.name, source.run)))
        .collect::<Result<_>>()?;
    let files = |name: &str| {
        let found = catalog::CATALOG.iter().filter(|file| file.name == name);
        found.map(|file| file.file_name.to_owned()).collect()
    };
    let names = Names { only: args.model.as_deref(), files: &files };
    let outcome = targets::judge(&targets, &runs, &names);
    let renderer = output::renderer(&args.output).context("clap checks formats")?;
    let shown = output::write(&targets::document(&outcome), renderer);
    if let Some(file) = junit {
        file.write_whole(targets::junit(&outcome, args.allow_undecided).as_bytes())?;
    }
    shown?;
    let passes = |verdict| match verdict {
        TargetVerdict::Met => true,
        TargetVerdict::Undecided(_) => args.allow_undecided,
        TargetVerdict::Missed | TargetVerdict::NotMeasured => false,
    };
    let passed = outcome.judged.iter().all(|judged| passes(judged.verdict));
    Ok(if passed { Exit::Fine } else { Exit::Missed })
}
