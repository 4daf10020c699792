//! `--show`: the figures of a record, and the verdicts that they had, or have with other limits.

use super::{Args, rows};
use crate::exit::Exit;
use crate::output;
use anyhow::{Result, bail};
use pacemark_bench::Load;
use pacemark_record::{Grades, LOAD_EXPERIMENT};
use std::path::Path;

/// Shows it.
pub(super) fn show(args: &Args, path: &Path) -> Result<Exit> {
    let mut run = crate::commands::show::read(path)?;
    if let Some(other) = run.trials.iter().find(|trial| trial.experiment != LOAD_EXPERIMENT) {
        let (shown, found) = (path.display(), &other.experiment);
        bail!("{shown}: expected a record of a load, found one of {found}");
    }
    for trial in &mut run.trials {
        if let Some(slo) = &args.slo {
            trial.params.insert("slo".to_owned(), slo.to_string().into());
        }
        if args.grades != Grades::default() {
            trial.params.insert("grades".to_owned(), args.grades.to_string().into());
        }
    }
    let (exit, judged) = rows::judge(args, &run.trials);
    output::show(&Load, &[run], &[], &args.output, judged)?;
    Ok(exit)
}
