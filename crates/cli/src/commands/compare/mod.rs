//! `pacemark compare`: two sides of saved measurements, figure by figure.

mod sides;

use crate::exit::{self, Exit, UsageError};
use crate::output::{self, Input, PictureArgs};
use anyhow::{Context, Result, bail};
use pacemark_bench::Named;
use pacemark_bench::contrast::{self, Condition, Contrast, Held};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  pacemark compare before.json after.json                 one run each: an indication
  pacemark compare b1.json b2.json b3.json b4.json b5.json --to n1.json n2.json n3.json n4.json n5.json
  pacemark compare b1.json n1.json b2.json n2.json … --alternate     the same, as they were run
  pacemark compare latest~1 latest                        the last two runs of the history
  pacemark compare run.json                               a run of `bench --backend A,B`, in turn
  pacemark compare llama-bench.json run.json --plot       another tool's result
  pacemark compare b*.json --to n*.json --fail-if 'decode_tps < 0.97' --fail-if 'ttft_ms > 1.05'
  git bisect run sh -c 'cargo build -r && target/release/pacemark bench --save n.json && pacemark compare b.json n.json --bisect --fail-if \"decode_tps < 0.97\"'

Several runs of each side are paired in their order, and the runs are what is counted: five pairs have an interval. Take them in turn, base and new. \
Of one run each the interval knows nothing of what changed on the machine between them.

Exit code 3 where a --fail-if holds: the whole interval of the ratio lies beyond the limit or, without an interval, the ratio does. \
docs/compare.md has more.";

/// Compares saved measurements: ratio, interval and verdict of each figure
#[derive(clap::Args, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", crate::measured::readable()))]
pub(super) struct Args {
    /// Records, runs of the history or results of other tools: the first is compared with; with --to all of these are
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The runs of the new side, as many as of the other
    #[arg(long, value_name = "RUN", num_args = 1..)]
    to: Vec<PathBuf>,
    /// The runs are base, new, base, new, …
    #[arg(long, conflicts_with = "to")]
    alternate: bool,
    /// Figures to compare, e.g. ttft_ms.p95 [default: the usual ones of each test]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    metric: Vec<String>,
    /// Fail where a ratio, new over base, is so, e.g. 'decode_tps < 0.97'
    #[arg(long, value_name = "CONDITION")]
    fail_if: Vec<String>,
    /// Exit code 125 where nothing can be told, which makes git bisect skip the commit
    #[arg(long)]
    bisect: bool,
    /// Draw the ratios below the table
    #[arg(long)]
    plot: bool,
    #[command(flatten)]
    pictures: PictureArgs,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = output::formats(&[]))]
    output: String,
}

/// Runs `pacemark compare`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    match compare(args) {
        Err(error) if args.bisect => {
            exit::report(&error);
            Ok(Exit::CannotTell)
        }
        ended => ended,
    }
}

fn compare(args: &Args) -> Result<Exit> {
    let conditions: Vec<Condition> = args
        .fail_if
        .iter()
        .map(|text| text.parse().map_err(|why| UsageError(format!("--fail-if {why}"))))
        .collect::<Result<_, _>>()?;
    let figures: Vec<Named> = args
        .metric
        .iter()
        .map(|name| Named::parse(name).map_err(|why| UsageError(format!("--metric: {why}"))))
        .collect::<Result<_, _>>()?;
    let inputs: Vec<Input<'_>> =
        args.runs.iter().chain(&args.to).map(|path| Input::File(path)).collect();
    let mut pictures = Some(args.pictures.create(&inputs)?);
    let all = sides::sides(args)?;
    let renderer = output::renderer(&args.output).context("clap checks formats")?;
    if all.len() > 1 && (!renderer.tells || args.pictures.is_some()) {
        let n = all.len();
        return Err(UsageError(format!(
            "these are {n} comparisons; one document or picture has room for one"
        ))
        .into());
    }
    let mut gate = Gate::default();
    for (i, sides) in all.iter().enumerate() {
        let found = gate.contrast(sides, &figures, &conditions)?;
        if i > 0 {
            println!();
        }
        output::write(&contrast::document(&found, args.plot), renderer)?;
        if let Some(pictures) = pictures.take() {
            pictures.draw(&contrast::picture(&found))?;
        }
    }
    Ok(gate.end())
}

/// What conditions came to over all comparisons.
#[derive(Default)]
struct Gate {
    failed: bool,
}

impl Gate {
    /// Compares two sides, also by the figures of conditions, and tells what these came to.
    fn contrast(
        &mut self,
        sides: &contrast::Sides,
        figures: &[Named],
        conditions: &[Condition],
    ) -> Result<Contrast> {
        let mut found = contrast::contrast(sides, figures)?;
        for condition in conditions {
            if found.ratios.iter().all(|ratio| ratio.figure != condition.figure) {
                let one = std::slice::from_ref(&condition.figure);
                let more = contrast::contrast(sides, one)
                    .with_context(|| format!("--fail-if {}", condition.text))?;
                found.ratios.extend(more.ratios);
            }
            let held = condition.held(&found);
            if held.is_empty() {
                bail!("--fail-if {}: no test has that figure", condition.text);
            }
            for (ratio, held) in held {
                match held {
                    Held::Yes => {
                        self.failed = true;
                        eprintln!("failed: {}", condition.told(ratio));
                    }
                    Held::Unclear => eprintln!("not shown: {}", condition.told(ratio)),
                    Held::No => {}
                }
            }
        }
        Ok(found)
    }

    fn end(&self) -> Exit {
        if self.failed { Exit::Missed } else { Exit::Fine }
    }
}
