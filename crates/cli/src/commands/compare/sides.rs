//! Which runs stand on which side.

use super::Args;
use crate::exit::UsageError;
use crate::measured::{once, read};
use anyhow::{Result, bail};
use pacemark_bench::contrast::{Pairing, Sides, Source, turns};
use std::path::PathBuf;

/// The comparisons that were asked for: one, or with several new files without pairs one of each.
pub(super) fn sides(args: &Args) -> Result<Vec<Sides>> {
    once(&args.runs.iter().chain(&args.to).collect::<Vec<_>>())?;
    let read_all = |paths: &[PathBuf]| paths.iter().map(|path| read(path)).collect::<Result<_>>();
    let runs: Vec<Source> = read_all(&args.runs)?;
    if !args.to.is_empty() {
        return Ok(vec![paired(runs, read_all(&args.to)?)?]);
    }
    if args.alternate {
        if runs.len() % 2 == 1 {
            let n = runs.len();
            return Err(UsageError(format!("--alternate: {n} runs are no pairs")).into());
        }
        let (mut base, mut new) = (Vec::new(), Vec::new());
        for (i, run) in runs.into_iter().enumerate() {
            if i % 2 == 0 { base.push(run) } else { new.push(run) }
        }
        return Ok(vec![paired(base, new)?]);
    }
    if let [only] = &runs[..] {
        return in_turn(only);
    }
    let mut runs = runs.into_iter();
    let base: Vec<Source> = runs.by_ref().take(1).collect();
    let against = |new| Sides { base: base.clone(), new: vec![new], pairing: Pairing::None };
    Ok(runs.map(against).collect())
}

/// Two sides of as many runs; one of each is no pair, for nothing says that they were taken in turn.
fn paired(base: Vec<Source>, new: Vec<Source>) -> Result<Sides> {
    if base.len() != new.len() {
        let (base, new) = (base.len(), new.len());
        bail!(UsageError(format!("{base} runs cannot be paired with {new}: give as many")));
    }
    let pairing = if base.len() == 1 { Pairing::None } else { Pairing::Runs };
    Ok(Sides { base, new, pairing })
}

/// The backends of one run.
fn in_turn(only: &Source) -> Result<Vec<Sides>> {
    let last = only.run.trials.iter().map(|trial| trial.turn).max().unwrap_or(0);
    let sources = std::slice::from_ref(only);
    let sides: Vec<Sides> = (1..=last.min(64)).filter_map(|turn| turns(sources, turn)).collect();
    if sides.is_empty() {
        let name = &only.name;
        bail!(UsageError(format!(
            "{name} alone has nothing to compare: give a second run, or one of `bench --backend A,B`"
        )));
    }
    Ok(sides)
}
