//! `pacemark history trend`.

use super::FilterArgs;
use crate::exit::{Exit, UsageError};
use crate::history::existing;
use crate::output::{self, PictureArgs};
use anyhow::{Result, anyhow};
use pacemark_bench::trend::{Past, document, lines, metric_names, picture};
use pacemark_files::{by_likeness, quoted};
use pacemark_store::Entry;

/// Names that are offered for one that is not known.
const OFFERED: usize = 4;

const EXAMPLES: &str = "Examples:
  pacemark history trend avg_ts                       the rates of all tests of bench
  pacemark history trend ppl --model qwen -o csv      for a spreadsheet
  pacemark history trend output_ts_total --since 30d --png trend.png

The figures are those of -o json of the command that measured (`pacemark bench --help` lists its own).";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct TrendArgs {
    /// The figure, by the name of its column, e.g. avg_ts, ttft_ms, ppl
    #[arg(value_name = "METRIC")]
    metric: String,
    /// Of the test with this in its name, e.g. tg128
    #[arg(long, value_name = "TEXT")]
    test: Option<String>,
    /// Of the newest N runs; 0 for all
    #[arg(short, value_name = "N", default_value = "100")]
    n: usize,
    #[command(flatten)]
    filter: FilterArgs,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = output::formats(&[]))]
    output: String,
    #[command(flatten)]
    pictures: PictureArgs,
}

/// Loads the runs and shows the figure of each.
pub(super) fn run(args: &TrendArgs) -> Result<Exit> {
    let known = metric_names();
    if !known.contains(&args.metric) {
        let alike = by_likeness(&args.metric, known.iter().map(String::as_str));
        let alike = alike[..OFFERED.min(alike.len())].join(", ");
        let name = quoted(&args.metric);
        return Err(UsageError(format!("{name}: no such figure; known are {alike}, …")).into());
    }
    let filter = args.filter.newest(args.n);
    let store = existing()?;
    let pictures = args.pictures.create(&[])?;
    let past = |entry: Entry| match store.load(&entry.id) {
        Ok(kept) => Some(Past { id: entry.id, run: kept.run().clone() }),
        // One that a later version wrote does not hide the others.
        Err(error) => {
            eprintln!("warning: {:#}", anyhow!(error));
            None
        }
    };
    let mut runs: Vec<Past> = store.list(&filter)?.into_iter().filter_map(past).collect();
    runs.reverse();
    let test = args.test.as_deref().unwrap_or_default();
    let lines = lines(&args.metric, &runs, test, usize::MAX).lines;
    if lines.is_empty() {
        eprintln!("no run of these has the figure {}", args.metric);
    }
    output::print(&document(&args.metric, &lines), &args.output)?;
    if !lines.is_empty() {
        pictures.draw(&picture(&args.metric, &lines))?;
    }
    Ok(Exit::Fine)
}
