//! `pacemark show`: the figures of records that were saved, in any format.

use crate::exit::Exit;
use crate::{input, output};
use anyhow::{Context, Result, anyhow, bail};
use pacemark_bench::EXPERIMENTS;
use pacemark_bench::experiment::find;
use pacemark_record::{Run, Trial};
use pacemark_report::layout::VARIABLE;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  pacemark bench --save run.json; pacemark show run.json
  pacemark show run.json -o csv             the same figures for a spreadsheet
  pacemark show monday.json tuesday.json    the rows of both, one after the other

Records are what --save of bench, doctor, eval, load and stages writes, of this version or an earlier one. Figures are computed
anew from the raw samples. Records of different days are shown, not compared: see `bench --backend A,B`.";

/// Shows the figures of records that `--save` wrote
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Records
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<PathBuf>,
    /// Format [default: that of the command that made the record]
    #[arg(short, long, value_name = "FORMAT", value_parser = output::formats(&[]))]
    output: Option<String>,
}

/// Runs `pacemark show`.
pub fn run(args: Args) -> Result<Exit> {
    let mut runs: Vec<Run> = Vec::new();
    for path in &args.records {
        let run = read(path)?;
        // Rows of one experiment on one machine are one table.
        match runs.last_mut().filter(|last| is_continued(last, &run)) {
            Some(last) => last.trials.extend(run.trials),
            None => runs.push(run),
        }
    }
    for run in runs {
        let name = run.trials.first().map_or("", |trial| &trial.experiment);
        let experiment = find(EXPERIMENTS, name).context("a record that was read has one")?;
        let format = args.output.as_deref().unwrap_or(experiment.format());
        let varied = varied(&run.trials);
        output::show(experiment, run, &varied, format, Vec::new())?;
    }
    Ok(Exit::Fine)
}

/// The record in a file, of one experiment that this version knows.
fn read(path: &Path) -> Result<Run> {
    let shown = path.display();
    let run = Run::from_json(&input::read_file(path)?).with_context(|| shown.to_string())?;
    let Some(first) = run.trials.first() else { bail!("{shown}: there is no row in it") };
    if let Some(other) = run.trials.iter().find(|t| t.experiment != first.experiment) {
        let [first, other] = [first, other].map(|trial| pacemark_files::excerpt(&trial.experiment));
        bail!("{shown}: expected trials of one experiment, found {first} and {other}");
    }
    let known = EXPERIMENTS.iter().map(|experiment| experiment.name());
    find(EXPERIMENTS, &first.experiment).ok_or_else(|| {
        let (found, known) =
            (pacemark_files::excerpt(&first.experiment), known.collect::<Vec<_>>());
        anyhow!("{shown}: unknown experiment {found}, expected one of {}", known.join(", "))
    })?;
    Ok(run)
}

fn is_continued(run: &Run, next: &Run) -> bool {
    let experiment = |run: &Run| run.trials.first().map(|trial| trial.experiment.clone());
    let machine = |run: &Run| (run.env.cpu_model.clone(), run.env.commit.clone());
    let streams = experiment(run).and_then(|name| find(EXPERIMENTS, &name));
    streams.is_some_and(|experiment| experiment.streams())
        && experiment(run) == experiment(next)
        && machine(run) == machine(next)
}

/// Parameters that are not the same in all trials.
fn varied(trials: &[Trial]) -> Vec<&'static str> {
    let differ = |name: &&'static str| {
        trials.windows(2).any(|pair| pair[0].params.get(*name) != pair[1].params.get(*name))
    };
    let mut varied: Vec<&'static str> = VARIABLE.iter().copied().filter(differ).collect();
    if trials.windows(2).any(|pair| pair[0].model.backend != pair[1].model.backend) {
        varied.push("backend");
    }
    varied
}
