//! `pacemark show`: the figures of records that were saved, in any format.

use crate::exit::{Exit, UsageError};
use crate::{input, output};
use anyhow::{Context, Result, anyhow, bail};
use pacemark_bench::experiment::find;
use pacemark_bench::{EXPERIMENTS, Experiment};
use pacemark_record::Run;
use pacemark_report::layout::varied;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  pacemark bench --save run.json; pacemark show run.json
  pacemark show run.json -o csv             the same figures for a spreadsheet
  pacemark show monday.json tuesday.json    the rows of both, one after the other

Records are what --save of bench, doctor, eval, genai-bench, load, run and stages writes, and record.json of kv, of this version or an earlier one. Figures are computed
anew from the raw samples. Records of different days are shown, not compared: see `bench --backend A,B`.";

/// Shows the figures of records that `--save` wrote
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Records
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<PathBuf>,
    /// Format [default: that of the command that made the record]
    #[arg(short, long, value_name = "FORMAT", value_parser = output::formats(&[]))]
    output: Option<String>,
}

/// Runs `pacemark show`.
pub(super) fn run(args: Args) -> Result<Exit> {
    let runs: Vec<Run> = args.records.iter().map(|path| read(path)).collect::<Result<_>>()?;
    show(&runs, args.output.as_deref())?;
    Ok(Exit::Fine)
}

/// Shows the figures of runs that [`check`] has passed.
pub(super) fn show(runs: &[Run], format: Option<&str>) -> Result<()> {
    // Rows of one experiment are one table.
    let tables: Vec<&[Run]> = runs.chunk_by(is_continued).collect();
    let programs = format.filter(|format| !["md", "table", "text"].contains(format));
    if let Some(format) = programs.filter(|_| tables.len() > 1) {
        let names: Vec<_> =
            tables.iter().filter_map(|runs| Some(experiment(&runs[0])?.name())).collect();
        return Err(UsageError(format!(
            "-o {format}: it would be {} documents, of {}; show them one at a time",
            names.len(),
            names.join(", ")
        ))
        .into());
    }
    for runs in tables {
        let experiment = experiment(&runs[0]).context("a record that was read has one")?;
        let format = format.unwrap_or(experiment.format());
        output::show(experiment, runs, &varied(runs), format, Vec::new())?;
    }
    Ok(())
}

/// What measured a run.
fn experiment(run: &Run) -> Option<&'static dyn Experiment> {
    find(EXPERIMENTS, &run.trials.first()?.experiment)
}

/// The record in a file, of one experiment that this version knows.
pub(super) fn read(path: &Path) -> Result<Run> {
    let shown = path.display();
    let run = Run::from_json(&input::read_file(path)?).with_context(|| shown.to_string())?;
    check(&run).with_context(|| shown.to_string())?;
    Ok(run)
}

/// A run is of one experiment that this version knows, and can be shown.
pub(super) fn check(run: &Run) -> Result<()> {
    let Some(first) = run.trials.first() else { bail!("there is no row in it") };
    if let Some(other) = run.trials.iter().find(|t| t.experiment != first.experiment) {
        let [first, other] = [first, other].map(|trial| pacemark_files::excerpt(&trial.experiment));
        bail!("expected trials of one experiment, found {first} and {other}");
    }
    let known = EXPERIMENTS.iter().map(|experiment| experiment.name());
    let experiment = find(EXPERIMENTS, &first.experiment).ok_or_else(|| {
        let (found, known) =
            (pacemark_files::excerpt(&first.experiment), known.collect::<Vec<_>>());
        anyhow!("unknown experiment {found}, expected one of {}", known.join(", "))
    })?;
    if let Some(at) = run.trials.iter().position(|trial| !experiment.reads(&trial.measured)) {
        let (name, found) = (experiment.name(), run.trials[at].measured.kind());
        bail!("trials[{at}].measured: expected what {name} measures, found {found}");
    }
    Ok(())
}

/// The rows of both are of one table.
fn is_continued(run: &Run, next: &Run) -> bool {
    let both = experiment(run).zip(experiment(next));
    both.is_some_and(|(a, b)| a.streams() && a.name() == b.name())
}
