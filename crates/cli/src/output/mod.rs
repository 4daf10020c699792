//! Where a measurement goes: formats on standard output and standard error, row by row where they
//! may, and the record in a file, written anew after each row, so that nothing measured is lost.

pub(crate) mod files;
mod page;
mod picture;
mod record;

use crate::history::Archive;
use crate::{fingerprint, interrupt};
use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser};
pub(crate) use files::{Input, create};
use pacemark_bench::{Experiment, experiment};
use pacemark_record::{Comparison, Env, Run, SCHEMA, Trial};
use pacemark_report::layout::comparisons;
use pacemark_report::render::find;
use pacemark_report::{Document, Lang, Page, RENDERERS, Render, Renderer, TrialRow, render};
use page::Stream;
pub(crate) use picture::PictureArgs;
pub(crate) use record::Record;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// No format: for a stream that carries something else.
pub(crate) const NONE: &str = "none";

/// A further name of the format `table`, of commands that had two formats of their own.
const TEXT: &str = "text";

/// The formats that a flag takes, and these besides.
pub(crate) fn formats(others: &[&'static str]) -> PossibleValuesParser {
    formats_of(RENDERERS, others)
}

/// The formats that a flag takes, and before them another of a name of its own.
pub(crate) fn formats_beside(other: &'static str) -> PossibleValuesParser {
    let other = PossibleValue::new(other).help("as it comes");
    PossibleValuesParser::new(std::iter::once(other).chain(RENDERERS.iter().map(value)))
}

fn value(renderer: &Renderer) -> PossibleValue {
    PossibleValue::new(renderer.name).help(renderer.help)
}

/// The formats of these renderers.
pub(crate) fn formats_of(renderers: &[Renderer], others: &[&'static str]) -> PossibleValuesParser {
    let ours = renderers.iter().map(|renderer| {
        let value = value(renderer);
        if renderer.name == "table" { value.alias(TEXT) } else { value }
    });
    let others = others.iter().map(|name| PossibleValue::new(*name));
    PossibleValuesParser::new(ours.chain(others).collect::<Vec<_>>())
}

/// The format of that name, as clap has checked it; `None` for one of the others.
pub(crate) fn renderer(name: &str) -> Option<&'static Renderer> {
    find(if name == TEXT { "table" } else { name })
}

/// A measurement on its way out.
pub(crate) struct Output<'a> {
    experiment: &'a dyn Experiment,
    /// Parameters that have columns.
    varied: &'a [&'a str],
    run: Run,
    /// Rows so far, of an experiment whose rows are shown as they come.
    document: Document,
    compared: Vec<Comparison>,
    sinks: Vec<Sink>,
    record: Option<Record>,
    /// Of the models so far, by path.
    fingerprints: HashMap<String, Option<String>>,
    archive: Archive,
}

/// One format on one stream.
struct Sink {
    renderer: &'static Renderer,
    render: Box<dyn Render>,
    stream: Stream,
    text: String,
}

impl Sink {
    fn new(renderer: &'static Renderer, stream: Stream) -> Sink {
        Sink { renderer, render: (renderer.new)(&stream.page()), stream, text: String::new() }
    }

    fn write(&mut self) -> Result<()> {
        self.stream.write(&std::mem::take(&mut self.text))
    }
}

impl<'a> Output<'a> {
    /// In the format of that name on standard output, in a record where one is kept, and in the
    /// history.
    pub(crate) fn new(
        experiment: &'a dyn Experiment,
        env: Env,
        format: &str,
        record: Option<Record>,
        archive: Archive,
    ) -> Output<'a> {
        let command = record::command_line();
        let run = Run { schema: SCHEMA, command, env, ..Run::default() };
        let varied: &[&str] = &[];
        let document = experiment::head(&experiment.layout(varied), &run);
        let sinks = renderer(format).map(|renderer| Sink::new(renderer, Stream::Stdout));
        let sinks = sinks.into_iter().collect();
        let (compared, fingerprints) = (Vec::new(), HashMap::new());
        Output { experiment, varied, run, document, compared, sinks, record, fingerprints, archive }
    }

    /// With columns for these parameters.
    pub(crate) fn varying(mut self, varied: &'a [&'a str]) -> Self {
        self.varied = varied;
        self.run.varied = varied.iter().map(|name| (*name).to_owned()).collect();
        self.document = experiment::head(&self.experiment.layout(varied), &self.run);
        self
    }

    /// In a second format on standard error; `none` for no such.
    pub(crate) fn and_stderr(mut self, format: &str) -> Self {
        self.sinks.extend(renderer(format).map(|renderer| Sink::new(renderer, Stream::Stderr)));
        self
    }

    /// Makes the column of that heading as wide as the longest of `texts`, which are to come.
    pub(crate) fn expect<'t>(&mut self, heading: &str, texts: impl Iterator<Item = &'t str>) {
        let longest = texts.map(|text| text.chars().count()).max().unwrap_or(0);
        let columns = self.document.tables.iter_mut().flat_map(|table| &mut table.columns);
        columns.filter(|column| column.title == heading).for_each(|c| c.longest = longest);
    }

    /// What was measured so far.
    pub(crate) fn trials(&self) -> &[Trial] {
        &self.run.trials
    }

    /// What is known of the machine when all is measured.
    pub(crate) fn env_mut(&mut self) -> &mut Env {
        &mut self.run.env
    }

    /// Keeps trials in the record that may not be whole yet, until [`Self::rows`] takes them.
    pub(crate) fn keep(&mut self, trials: Vec<Trial>) -> Result<()> {
        let Some(record) = &mut self.record else { return Ok(()) };
        let taken = self.run.trials.len();
        self.run.trials.extend(trials);
        let kept = record.keep(&self.run);
        self.run.trials.truncate(taken);
        kept
    }

    /// Takes the trials of one case: keeps them in the record, and shows their rows. A terminal
    /// that has gone takes no rows; after an interrupt that is no error.
    pub(crate) fn rows(&mut self, mut trials: Vec<Trial>) -> Result<()> {
        if trials.is_empty() {
            return Ok(());
        }
        for Trial { model, .. } in &mut trials {
            let known = self.fingerprints.entry(model.path.clone());
            let found = known.or_insert_with(|| fingerprint::of(Path::new(&model.path)));
            model.fingerprint.clone_from(found);
        }
        let first = self.run.trials.is_empty();
        let compared = self.experiment.against_first(&trials);
        let from = self.run.trials.len();
        self.run.trials.extend(trials);
        let kept = self.record.as_mut().map_or(Ok(()), |record| record.keep(&self.run));
        let shown =
            if self.experiment.streams() { self.show(first, from, compared) } else { Ok(()) };
        kept?;
        if interrupt::flag().load(Relaxed) { Ok(()) } else { shown }
    }

    fn show(&mut self, first: bool, from: usize, compared: Vec<Vec<Comparison>>) -> Result<()> {
        let layout = self.experiment.layout(self.varied);
        for (trial, comparisons) in self.run.trials[from..].iter().zip(&compared) {
            let row = layout.row(&TrialRow { env: &self.run.env, trial, comparisons });
            for sink in &mut self.sinks {
                if first && self.document.tables[0].rows.is_empty() {
                    sink.text += &sink.render.begin(&self.document);
                }
                sink.text += &sink.render.row(&self.document.tables[0], &row);
            }
            self.document.tables[0].rows.push(row);
        }
        self.compared.extend(compared.into_iter().flatten());
        let mut streaming = self.sinks.iter_mut().filter(|sink| sink.renderer.streams);
        streaming.try_for_each(Sink::write)
    }

    /// Completes what was begun, with the notes of the experiment and these; without a trial
    /// nothing was. What no format tells its reader goes to standard error. The record is written
    /// even where nobody reads the rest.
    pub(crate) fn end(&mut self, notes: Vec<String>) -> Result<()> {
        // An older record is worth more than one without a row.
        if self.run.trials.is_empty() {
            return Ok(());
        }
        let kept = self.record.take().map_or(Ok(()), |record| record.finish(&self.run));
        self.archive.keep(&self.run);
        kept.and(self.show_end(notes))
    }

    fn show_end(&mut self, further: Vec<String>) -> Result<()> {
        let mut notes = self.experiment.notes(&self.run);
        notes.extend(further);
        let mut shown = Ok(());
        if self.experiment.streams() {
            self.document.notes = notes.clone();
            self.document.tables.push(comparisons(self.varied, &self.compared));
            self.document.tables.extend(self.experiment.further(&self.run));
            for sink in &mut self.sinks {
                sink.text += &sink.render.end(&self.document);
                shown = shown.and(sink.write());
            }
        } else {
            let mut document = self.experiment.document(&self.run, self.varied);
            document.notes = notes.clone();
            for sink in &mut self.sinks {
                sink.text = render(&document, sink.renderer, &sink.stream.page());
                shown = shown.and(sink.write());
            }
        }
        if !self.sinks.iter().any(|sink| sink.renderer.tells) {
            notes.iter().for_each(|note| eprintln!("note: {note}"));
        }
        shown
    }
}

impl Drop for Output<'_> {
    /// What was measured is not lost to an error that kept the command from its end.
    fn drop(&mut self) {
        if !self.run.trials.is_empty() {
            self.archive.keep(&self.run);
        }
    }
}

/// Shows runs of one experiment that were measured before: the rows of all under one another, each
/// with what is known of its own run.
pub(crate) fn show(
    experiment: &dyn Experiment,
    runs: &[Run],
    varied: &[&str],
    format: &str,
    further: Vec<String>,
) -> Result<()> {
    let mut document = Document::default();
    for (i, run) in runs.iter().enumerate() {
        let next = experiment.document(run, varied);
        if i == 0 {
            document = next;
        } else {
            for (table, more) in document.tables.iter_mut().zip(next.tables) {
                table.rows.extend(more.rows);
            }
        }
        document.notes.extend(experiment.notes(run));
    }
    document.notes.extend(further);
    print(&document, format)
}

/// Prints a document that is complete in the format of that name.
pub(crate) fn print(document: &Document, format: &str) -> Result<()> {
    renderer(format).map_or(Ok(()), |renderer| write(document, renderer))
}

/// Shows a document that is whole. What its format does not tell goes to standard error.
pub(crate) fn write(document: &Document, renderer: &Renderer) -> Result<()> {
    write_in(Lang::En, document, renderer)
}

/// Shows a document that is in this language already.
pub(crate) fn write_in(lang: Lang, document: &Document, renderer: &Renderer) -> Result<()> {
    let stream = Stream::Stdout;
    let page = Page { lang, ..stream.page() };
    stream.write(&render(document, renderer, &page))?;
    if !renderer.tells {
        document.notes.iter().for_each(|note| eprintln!("note: {note}"));
    }
    Ok(())
}
