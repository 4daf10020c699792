//! `pacemark merge`: the records of several that sent one load together, as the record of that load.

use super::show;
use crate::exit::Exit;
use crate::history::HistoryArgs;
use crate::output::{self, Input, Output, Record};
use anyhow::{Result, bail};
use pacemark_bench::{Experiment, Load};
use pacemark_load::plan::missed;
use pacemark_record::LOAD_EXPERIMENT;
use pacemark_record::pool::{Part, pool};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  pacemark merge w0.json w1.json w2.json w3.json       one load of four processes
  pacemark merge w*.json --save whole.json             the same, for show, report and compare
  pacemark merge w*.json -o json                       its figures for a program

Records are what `pacemark load --save` wrote in several processes or on several machines at the same time \
(deploy/ has Jobs of Kubernetes and a script for Ray; `pacemark load --workers` does all of this by itself). The raw requests \
are pooled, row by row, and every figure is computed of all of them: percentiles are never averaged. Streams, rates and numbers \
of requests add up; seeds may differ; whatever else differs is refused by name. Stamps go on one time axis by the monotonic \
clock where all were made on one machine, else by the machines' wall clocks, whose error nobody measured and the table says so.";

/// Combine records of one load that several processes sent
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Records of `load --save`, of one load
    #[arg(required = true, num_args = 2.., value_name = "RECORD")]
    records: Vec<PathBuf>,
    /// Write the record of the whole load to this file
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Format on standard output
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = output::formats(&[]))]
    output: String,
    #[command(flatten)]
    history: HistoryArgs,
}

/// Runs `pacemark merge`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let parts: Vec<Part> = args.records.iter().map(|path| read(path)).collect::<Result<_>>()?;
    let trials = pool(&parts)?;
    let inputs: Vec<Input<'_>> = args.records.iter().map(|path| Input::File(path)).collect();
    let record = Record::create(args.save.as_deref(), &inputs)?;
    let env = parts.into_iter().next().map(|part| part.run.env).unwrap_or_default();
    let archive = args.history.archive_if_said();
    let mut output = Output::new(&Load, env, &args.output, record, archive);
    let answered = trials.iter().any(|trial| trial.answered().next().is_some());
    let judged = missed(&trials, &[]);
    for trial in trials {
        output.rows(vec![trial])?;
    }
    let exit = if answered { Exit::held_to(&judged) } else { Exit::Failed };
    output.end(judged)?;
    Ok(exit)
}

/// A record, under the name of its file.
fn read(path: &Path) -> Result<Part> {
    let (name, run) = (path.display().to_string(), show::read(path)?);
    if let Some(other) = run.trials.iter().find(|trial| trial.experiment != LOAD_EXPERIMENT) {
        bail!("{name}: expected a record of {}, found one of {}", Load.name(), other.experiment);
    }
    let sender = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(Part { name, sender, run, offset: None })
}
