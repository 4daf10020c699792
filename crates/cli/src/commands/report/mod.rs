//! `pacemark report`: saved measurements as something to read: verdicts, tables, pictures, advice, on a
//! terminal or as files. What a report holds is `bench::reported`'s business, how it looks `report`'s.

mod sources;
mod write;

use crate::exit::{Exit, UsageError};
use crate::input;
use anyhow::{Context, Result};
use clap::builder::{PossibleValue, PossibleValuesParser};
use pacemark_bench::{reported, targets};
use pacemark_modelfile::catalog;
use pacemark_report::{Document, Lang, PAGES, RENDERERS};
use sources::Source;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  pacemark report latest                                     the last run, on the terminal
  pacemark report latest --format html -o report             one page for a browser: report/report.html
  pacemark report run.json --format html,png,md --lang zh -o report
  pacemark report before.json after.json -o report           both on one page
  pacemark report data/benchmarks/suite-20261130_004938 -o report    all that a suite measured
  pacemark report run.json --targets targets.yaml -o report  with what was to be reached
  pacemark report run.json --format svg > run.svg

What can be read: what --save wrote, record.json of kv, latest, latest~N or the first digits of an id in the history, results of llama-bench \
(-o json or jsonl), and folders of suites and studies. Results of other tools have no raw samples of ours: `pacemark compare` reads them.

Figures are computed anew from the raw samples. A page is one file that fetches nothing; pictures in PNG have 300 dots per \
inch. docs/report.md has more.";

/// Makes a report of saved measurements: verdicts, tables, pictures, advice
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Records, runs of the history, results of llama-bench, or folders of suites
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Formats [default: html with -o, else table]
    #[arg(short, long, value_name = "FORMAT,…", value_delimiter = ',', value_parser = formats())]
    format: Vec<String>,
    /// Write files in this folder, which is made where there is none
    #[arg(short, long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Language of the report
    #[arg(long, value_name = "LANG", default_value = "en", value_parser = languages())]
    lang: String,
    /// What stands above it [default: what was measured]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Judge it by the targets of this file too, YAML
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
}

/// Every format: those of tables and those of whole pages.
fn formats() -> PossibleValuesParser {
    let rows = RENDERERS.iter().map(|one| PossibleValue::new(one.name).help(one.help));
    let pages = PAGES.iter().map(|one| PossibleValue::new(one.name).help(one.help));
    PossibleValuesParser::new(rows.chain(pages).collect::<Vec<_>>())
}

fn languages() -> PossibleValuesParser {
    PossibleValuesParser::new(Lang::ALL.map(Lang::name))
}

/// Runs `pacemark report`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let default = if args.output_dir.is_some() { "html" } else { "table" };
    let mut formats = args.format.clone();
    if formats.is_empty() {
        formats.push(default.to_owned());
    }
    crate::exit::distinct("--format", &formats)?;
    if args.output_dir.is_none() && formats.len() > 1 {
        let why = "standard output has room for one format; -o DIR for several";
        return Err(UsageError(format!("--format {}: {why}", formats.join(","))).into());
    }
    let lang = Lang::ALL.into_iter().find(|lang| lang.name() == args.lang).unwrap_or_default();
    let sources = sources::read(&args.runs)?;
    sources::with_figures(&sources)?;
    let mut documents = documents(&sources);
    if let Some(path) = &args.targets {
        judge(path, &sources, &mut documents)?;
    }
    let title = args.title.clone().unwrap_or_else(|| title(&documents));
    let cover = pacemark_report::Cover { title, lang };
    match &args.output_dir {
        Some(folder) => write::files(folder, &formats, &cover, &documents)?,
        None => write::print(&formats[0], &cover, &documents)?,
    }
    Ok(Exit::Fine)
}

/// A folder's records as one page of that format, which is one of [`PAGES`].
pub(crate) fn pages(folder: &Path, format: &str) -> Result<Vec<u8>> {
    let format = pacemark_report::page::find(format).context("a format that there is")?;
    let sources = sources::read(&[folder.to_owned()])?;
    sources::with_figures(&sources)?;
    let documents = documents(&sources);
    let cover = pacemark_report::Cover { title: title(&documents), lang: Lang::default() };
    Ok((format.write)(&cover, &documents)?)
}

/// What stands above all documents: the title of one is not that of several.
fn title(documents: &[Document]) -> String {
    match documents {
        [only] => only.title.clone().unwrap_or_default(),
        several => format!("Report of {} experiments", several.len()),
    }
}

/// A document for each stretch of runs of one experiment.
fn documents(sources: &[Source]) -> Vec<Document> {
    // What stands once for a run, as its grade, is not another's.
    let is_alone = |source: &Source| {
        let document = source.experiment.document(&source.run, &[]);
        !source.experiment.streams() || document.facts.iter().any(|fact| fact.told.is_some())
    };
    let is_continued = |a: &Source, b: &Source| {
        a.experiment.name() == b.experiment.name() && !is_alone(a) && !is_alone(b)
    };
    let documents = sources.chunk_by(is_continued).map(|of_one| {
        let runs: Vec<_> = of_one.iter().map(|source| source.run.clone()).collect();
        let names: Vec<String> = of_one.iter().map(|source| source.name.clone()).collect();
        let varied = pacemark_report::layout::varied(&runs);
        reported::report(of_one[0].experiment, &runs, &names, &varied)
    });
    documents.collect()
}

/// Puts what targets came to before all other verdicts.
fn judge(path: &Path, sources: &[Source], documents: &mut [Document]) -> Result<()> {
    let text = input::read_file(path)?;
    let wanted = targets::read(&path.display().to_string(), &text)
        .map_err(|error| input::mistaken(&error))?;
    let runs: Vec<_> =
        sources.iter().map(|source| (source.name.clone(), source.run.clone())).collect();
    let files = |name: &str| {
        let found = catalog::CATALOG.iter().filter(|file| file.name == name);
        found.map(|file| file.file_name.to_owned()).collect()
    };
    let outcome = targets::judge(&wanted, &runs, &targets::Names { only: None, files: &files });
    if let Some(first) = documents.first_mut() {
        first.reading.verdicts.splice(0..0, targets::verdicts(&outcome));
        first.notes.extend(outcome.notes);
    }
    Ok(())
}
