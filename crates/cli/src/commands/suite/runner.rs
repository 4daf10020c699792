//! Runs the steps, each in a process of its own, and keeps in the suite's folder what came of each: its
//! record, what it said, and in `suite.json` how far the suite is.

use super::plan::Step;
use super::state::{Done, State};
use crate::{fresh, interrupt};
use anyhow::{Context, Result};
use pacemark_files::bounded;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Every step was run, whatever came of it.
    Complete,
    Interrupted,
}

/// Runs the steps that are not done.
pub(super) fn run(state: &mut State, folder: &Path) -> Result<Ending> {
    let pending: Vec<Step> = state.pending().cloned().collect();
    let (n, before) = (state.steps.len(), state.steps.len() - pending.len());
    let tells = std::io::stderr().is_terminal();
    for (i, step) in pending.iter().enumerate() {
        if interrupt::flag().load(Relaxed) {
            return Ok(Ending::Interrupted);
        }
        if tells {
            let model = if step.model.is_empty() { "" } else { &step.model };
            eprintln!("[{}/{n}] {} {} {model}", before + i + 1, step.part, step.what);
        }
        let Some(done) = one(step, folder)? else { return Ok(Ending::Interrupted) };
        if let Some(why) = &done.error {
            eprintln!("{}: {why}", step.id);
        }
        state.done.push(done);
        state.save(folder)?;
    }
    Ok(Ending::Complete)
}

/// One step; `None` where it was interrupted before its end.
fn one(step: &Step, folder: &Path) -> Result<Option<Done>> {
    // What an earlier try left would be taken for this one's.
    let record = step.record(folder);
    if record.is_dir() {
        std::fs::remove_dir_all(&record).with_context(|| record.display().to_string())?;
    }
    let mut command = fresh::itself()?;
    command.args(step.line_in(folder));
    // What a step measures is shown when all is measured; its record says the rest.
    let ended = fresh::run_gently(&mut command, interrupt::flag())?;
    let place = folder.join("steps");
    let said = [ended.out.as_slice(), b"\n", ended.err.as_bytes()].concat();
    let text = place.join(format!("{}.txt", step.id));
    pacemark_files::write(&text, &said).with_context(|| text.display().to_string())?;
    if interrupt::flag().load(Relaxed) && !ended.status.success() {
        return Ok(None);
    }
    // A limit that was missed is a result.
    let error = match ended.status.code() {
        Some(0 | 3) => None,
        _ => {
            let said = ended.err.trim().lines().last().unwrap_or("it said nothing");
            let said = said.trim_start_matches("error: ");
            Some(format!("{} ({})", bounded(said), ended.status))
        }
    };
    Ok(Some(Done { id: step.id.clone(), seconds: ended.took.as_secs_f64(), error }))
}
