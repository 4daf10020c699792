//! `pacemark history export` and `import`.

use super::FilterArgs;
use crate::exit::Exit;
use crate::history::label;
use crate::history::{existing, required};
use crate::input;
use anyhow::{Context, Result, bail};
use pacemark_files::Output;
use pacemark_report::layout::compact_time;
use pacemark_store::{Entry, KeptRun, Store, lines};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Runs that are taken in at once: read and written by turns, so that memory does not grow with a
/// file of thousands.
const TOGETHER: usize = 64;

/// Digits of an id in the name of a file.
const DIGITS: usize = 12;

#[derive(clap::Args, Debug)]
pub(super) struct ExportArgs {
    /// A file, or a folder that is there for a file of each run [default: standard output]
    #[arg(value_name = "FILE|DIR")]
    to: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArgs,
    /// The newest N; 0 for all
    #[arg(short, value_name = "N", default_value = "0")]
    n: usize,
}

#[derive(clap::Args, Debug)]
pub(super) struct ImportArgs {
    /// Files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Writes runs, the oldest first.
pub(super) fn export(args: &ExportArgs) -> Result<Exit> {
    let filter = args.filter.newest(args.n);
    let store = existing()?;
    let mut entries = store.list(&filter)?;
    entries.reverse();
    match args.to.as_deref() {
        None => write(&store, &entries, &mut std::io::stdout().lock())?,
        Some(folder) if folder.is_dir() => each_in(&store, &entries, folder)?,
        Some(file) => {
            let mut output = Output::create(file)?;
            write(&store, &entries, &mut output)?;
            output.finish()?;
        }
    }
    if args.to.is_some() {
        eprintln!("exported {} runs", entries.len());
    }
    Ok(Exit::Fine)
}

fn write(store: &Store, entries: &[Entry], to: &mut impl Write) -> Result<()> {
    for entry in entries {
        to.write_all(lines::line(&store.load(&entry.id)?).as_bytes())?;
    }
    Ok(to.flush()?)
}

fn each_in(store: &Store, entries: &[Entry], folder: &Path) -> Result<()> {
    for entry in entries {
        let name = format!("{}_{}.json", compact_time(entry.started_unix_s), &entry.id[..DIGITS]);
        let line = lines::line(&store.load(&entry.id)?);
        pacemark_files::write(&folder.join(name), line.as_bytes())?;
    }
    Ok(())
}

/// Takes runs in. What cannot be read is told, and the rest taken all the same.
pub(super) fn import(args: &ImportArgs) -> Result<Exit> {
    let mut store = Store::open(&required()?)?;
    let (mut new, mut known, mut refused) = (0, 0, 0);
    for file in &args.files {
        let text = match input::read_file(file) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("error: {error:#}");
                refused += 1;
                continue;
            }
        };
        let mut runs = lines::runs(&text).peekable();
        if runs.peek().is_none() {
            eprintln!("error: {}: there is no run in it", file.display());
            refused += 1;
        }
        while runs.peek().is_some() {
            let mut some: Vec<KeptRun> = Vec::new();
            for run in runs.by_ref().take(TOGETHER) {
                match run {
                    Ok(run) => some.push(run),
                    Err(error) => {
                        eprintln!("error: {}: {error}", file.display());
                        refused += 1;
                    }
                }
            }
            let saved = store.save(&some, &label).context("what came before is in the history")?;
            new += saved.iter().filter(|saved| saved.is_new).count();
            known += saved.iter().filter(|saved| !saved.is_new).count();
        }
    }
    eprintln!("imported {new} runs, {known} were there already");
    if refused > 0 {
        bail!("{refused} could not be taken in");
    }
    Ok(Exit::Fine)
}
