//! `pacemark history`: the runs that were measured here.

mod change;
mod list;
mod transfer;
mod trend;

use crate::exit::Exit;
use crate::history::since;
use crate::{experiments, output};
use anyhow::{Context, Result};
use clap::Subcommand;
use pacemark_store::Filter;

const EXAMPLES: &str = "\
Examples:
  pacemark history                                   the last runs
  pacemark history list --model smollm2 --since 7d   those of a model, of a week
  pacemark history show latest -o csv                the figures of the last run again
  pacemark history trend avg_ts --png trend.png      a figure over time, and where it changed
  pacemark history tag latest release-1.2            a run with a tag stays
  pacemark history export runs.jsonl                 all runs, a line each
  pacemark history gc --older-than 90d --dry-run     what would go

A run is named by the first digits of its id, latest, or latest~N for the N-th before it. The history \
is PACEMARK_HISTORY (off: none), else history.db in PACEMARK_HOME. Every command that measures keeps its run \
there, unless --no-history; --tag and --note say what it was. docs/history.md has more.";

/// List, show, compare over time and tidy the runs that were measured here
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// List runs, the newest first
    List(list::ListArgs),
    /// Show the figures of a run, as `pacemark show` does
    Show {
        /// The run
        #[arg(value_name = "RUN", default_value = "latest")]
        run: String,
        /// Format [default: that of the command that measured]
        #[arg(short, long, value_name = "FORMAT", value_parser = output::formats(&[]))]
        output: Option<String>,
    },
    /// Show one figure over all runs of the same test, model, backend, parameters and kind of machine,
    /// and where its level changed
    Trend(trend::TrendArgs),
    /// Write runs with their tags and notes: JSON Lines, or a file for each in a folder
    Export(transfer::ExportArgs),
    /// Take in records, exports and runs that could not be saved; what is there already stays as it is
    Import(transfer::ImportArgs),
    /// Give a run tags
    Tag(change::TagArgs),
    /// Say something of a run
    Note(change::NoteArgs),
    /// Remove runs for good
    Rm(change::RmArgs),
    /// Remove old runs that have no tag
    Gc(change::GcArgs),
}

/// Which runs.
#[derive(clap::Args, Clone, Debug)]
struct FilterArgs {
    /// Of models whose name or file has this in it
    #[arg(long, value_name = "TEXT")]
    model: Option<String>,
    /// Of this experiment, e.g. throughput
    #[arg(long, value_name = "NAME", value_parser = experiments::all(), hide_possible_values = true)]
    experiment: Option<String>,
    /// With this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Begun then or later: 2026-11-29, 2026-11-29T20:00:00Z or 7d
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<u64>,
}

impl FilterArgs {
    /// The newest so many of them; 0 for all.
    fn newest(&self, n: usize) -> Filter {
        Filter {
            model: self.model.clone(),
            experiment: self.experiment.clone(),
            tag: self.tag.clone(),
            since_unix_s: self.since,
            newest: (n > 0).then_some(n),
        }
    }
}

/// Runs `pacemark history`.
pub(super) fn run(args: Args) -> Result<Exit> {
    match args.action {
        None => list::run(&args.list),
        Some(Action::List(args)) => list::run(&args),
        Some(Action::Show { run, output }) => show(&run, output.as_deref()),
        Some(Action::Trend(args)) => trend::run(&args),
        Some(Action::Export(args)) => transfer::export(&args),
        Some(Action::Import(args)) => transfer::import(&args),
        Some(Action::Tag(args)) => change::tag(&args),
        Some(Action::Note(args)) => change::note(&args),
        Some(Action::Rm(args)) => change::remove(&args),
        Some(Action::Gc(args)) => change::collect(&args),
    }
}

fn show(name: &str, format: Option<&str>) -> Result<Exit> {
    let run = crate::history::run(name)?;
    super::show::check(&run).with_context(|| format!("run {name} of the history"))?;
    super::show::show(&[run], format)?;
    Ok(Exit::Fine)
}
