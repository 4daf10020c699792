//! Where rows go: the format on standard output, and the record in a file, from which they can be
//! shown again.

use super::progress::Progress;
use super::{Args, judge, levels, trials};
use crate::exit::Exit;
use crate::input;
use anyhow::{Context, Result, bail};
use pacemark_load::{METRICS, warnings};
use pacemark_record::{Env, Grades, LOAD_EXPERIMENT, Run, Trial};
use pacemark_report::render::Renderer;
use pacemark_report::{Closing, Form, Layout, Render, Row, render};
use std::io::Write;
use std::path::Path;

const LAYOUT: Layout<'static> = Layout { varied: &[], metrics: METRICS, form: Form::Load };

/// Rows on their way to standard output.
pub struct Output {
    renderer: &'static Renderer,
    rows: Box<dyn Render>,
    env: Env,
}

impl Output {
    /// Writes what comes before the rows.
    pub fn begin(args: &Args, env: &Env, progress: &Progress) -> Result<Output> {
        let renderer = render::find(&args.output).context("clap checked the format")?;
        let mut rows = (renderer.new)();
        write(progress, &rows.begin(&LAYOUT))?;
        Ok(Output { renderer, rows, env: env.clone() })
    }

    /// Writes one.
    pub fn row(&mut self, trial: &Trial, progress: &Progress) -> Result<()> {
        let row = Row { env: &self.env, trial, comparisons: &[] };
        write(progress, &self.rows.row(&LAYOUT, &row))
    }

    /// Writes what comes after them. A format for programs has no place for notes: those go to
    /// standard error.
    pub fn end(mut self, env: &Env, notes: &[String], progress: &Progress) -> Result<()> {
        let closing = Closing { env, comparisons: &[], notes };
        write(progress, &self.rows.end(&LAYOUT, &closing))?;
        if !self.renderer.tells {
            progress.suspend(|| notes.iter().for_each(|note| eprintln!("warning: {note}")));
        }
        Ok(())
    }
}

fn write(progress: &Progress, text: &str) -> Result<()> {
    progress.suspend(|| {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    })?;
    Ok(())
}

/// Writes a record, all of it or nothing.
pub fn save(mut file: pacemark_files::Output, path: &Path, run: Run) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    serde_json::to_writer(&mut file, &trials::without_secrets(run)).with_context(cannot)?;
    file.finish()?;
    Ok(())
}

/// `--show`: the figures of a record, and the verdicts that they had, or have with other limits.
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
    let progress = Progress::new();
    let mut output = Output::begin(args, &run.env, &progress)?;
    let mut notes = Vec::new();
    for trial in &run.trials {
        output.row(trial, &progress)?;
        notes.extend(
            warnings(trial).into_iter().map(|note| format!("{}: {note}", levels::Level::of(trial))),
        );
    }
    let (exit, judged) = judge::judge(args, &run.trials);
    notes.extend(judged);
    output.end(&run.env, &notes, &progress)?;
    Ok(exit)
}
