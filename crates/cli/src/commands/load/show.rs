//! `--show`: the figures of a record, and the verdicts that they had, or have with other limits.

use super::{Args, judge};
use crate::exit::Exit;
use crate::{input, output};
use anyhow::{Context, Result, bail};
use pacemark_bench::Load;
use pacemark_record::{Grades, LOAD_EXPERIMENT, Run};
use std::path::Path;

/// Shows it.
pub fn show(args: &Args, path: &Path) -> Result<Exit> {
    let shown = path.display();
    let mut run = Run::from_json(&input::read_file(path)?).with_context(|| shown.to_string())?;
    if let Some(other) = run.trials.iter().find(|trial| trial.experiment != LOAD_EXPERIMENT) {
        bail!("{shown}: expected a record of a load, found one of {}", other.experiment);
    }
    if run.trials.is_empty() {
        bail!("{shown}: there is no row in it");
    }
    for trial in &mut run.trials {
        if let Some(slo) = &args.slo {
            trial.params.insert("slo".to_owned(), slo.to_string().into());
        }
        if args.grades != Grades::default() {
            trial.params.insert("grades".to_owned(), args.grades.to_string().into());
        }
    }
    let (exit, judged) = judge::judge(args, &run.trials);
    output::show(&Load, &[run], &[], &args.output, judged)?;
    Ok(exit)
}
