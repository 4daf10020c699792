//! What changes a history: tags, notes, and what goes.

use super::list;
use crate::exit::{Exit, UsageError};
use crate::history::{age, note as checked_note, tag as checked_tag};
use crate::history::{existing, found};
use crate::output;
use anyhow::Result;
use pacemark_store::Sweep;

#[derive(clap::Args, Debug)]
pub(super) struct TagArgs {
    /// The run
    #[arg(value_name = "RUN")]
    run: String,
    /// Words to find it by
    #[arg(required = true, value_name = "TAG", value_parser = checked_tag)]
    tags: Vec<String>,
    /// Take them away
    #[arg(long)]
    remove: bool,
}

#[derive(clap::Args, Debug)]
pub(super) struct NoteArgs {
    /// The run
    #[arg(value_name = "RUN")]
    run: String,
    /// What there is to say, in place of what was said before; empty for nothing
    #[arg(value_name = "TEXT", value_parser = checked_note)]
    text: String,
}

#[derive(clap::Args, Debug)]
pub(super) struct RmArgs {
    /// Runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
}

#[derive(clap::Args, Debug)]
pub(super) struct GcArgs {
    /// The newest N stay
    #[arg(long, value_name = "N", required_unless_present = "older_than")]
    keep: Option<usize>,
    /// What is younger stays, e.g. 90d
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<u64>,
    /// Only list what would go
    #[arg(long)]
    dry_run: bool,
}

/// Adds tags or takes them away.
pub(super) fn tag(args: &TagArgs) -> Result<Exit> {
    let mut store = existing()?;
    let id = found(&store, &args.run)?;
    let (add, remove): (&[String], &[String]) =
        if args.remove { (&[], &args.tags) } else { (&args.tags, &[]) };
    store.tag(&id, add, remove)?;
    Ok(Exit::Fine)
}

/// Sets or clears the note.
pub(super) fn note(args: &NoteArgs) -> Result<Exit> {
    let mut store = existing()?;
    let id = found(&store, &args.run)?;
    store.note(&id, Some(args.text.trim()).filter(|text| !text.is_empty()))?;
    Ok(Exit::Fine)
}

/// Removes runs by name. All names are looked up before the first goes, for `latest` is then another.
pub(super) fn remove(args: &RmArgs) -> Result<Exit> {
    let mut store = existing()?;
    let ids: Vec<String> =
        args.runs.iter().map(|name| found(&store, name)).collect::<Result<_>>()?;
    ids.iter().try_for_each(|id| store.remove(id))?;
    Ok(Exit::Fine)
}

/// Removes what is old, or lists it.
pub(super) fn collect(args: &GcArgs) -> Result<Exit> {
    if args.keep == Some(0) && args.older_than.is_none() {
        let why =
            "--keep 0: that would remove every run without a tag; say how old with --older-than";
        return Err(UsageError(why.to_owned()).into());
    }
    let mut store = existing()?;
    let sweep = Sweep { keep: args.keep, before_unix_s: args.older_than };
    let runs = store.would_remove(sweep)?;
    if args.dry_run {
        output::print(&list::page(&runs), "table")?;
        eprintln!("{} runs would go", runs.len());
    } else {
        eprintln!("removed {} runs", store.sweep(&runs)?);
    }
    Ok(Exit::Fine)
}
