//! The steps of a suite: command lines of this program, each of which measures one row in a process of
//! its own. So a crash costs one row, memory is that row's, and a suite goes on where it ended.

mod experiments;
mod parts;

use super::file::Suite;
use super::models::Model;
use crate::commands::{Cli, long_options};
use crate::exit::{UsageError, together};
use anyhow::Result;
use clap::Parser;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// One row to be measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    /// Its name among the steps, and that of its files.
    pub id: String,
    /// What kind of row it is.
    pub kind: Kind,
    /// Which part of the suite it is of, e.g. `latency`; of another experiment its name.
    pub part: String,
    /// What it measures within that, e.g. `128 + 64`.
    pub what: String,
    /// [`Model::name`]; empty of what has no model.
    pub model: String,
    /// The command line, without the program and without where its record goes.
    pub line: Vec<String>,
    /// The flag that says where that goes.
    pub save: String,
    /// The set of prompts that it sends.
    pub prompts: Option<String>,
    /// Tokens computed as prompts and one by one, and seconds besides: what its time is guessed by.
    pub work: Option<Work>,
    /// Why it is not measured.
    pub skipped: Option<String>,
}

/// What a row is, for reports and targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A pair of lengths.
    Lengths,
    /// A set of prompts, one at a time.
    Prompts,
    Memory,
    /// So many requests at a time.
    Concurrent(u64),
    /// So many sequences in a batch.
    Batch(u64),
    /// Another experiment.
    #[default]
    Experiment,
}

/// What a step computes: a guess of its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Work {
    pub n_prompt: f64,
    pub n_gen: f64,
    pub seconds: f64,
}

/// The flag of most commands for where a record goes.
const SAVE: &str = "--save";

/// All steps, model after model.
pub(super) fn steps(suite: &Suite, models: &[Model]) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for model in models {
        parts::latency(suite, model, &mut steps);
        parts::memory(suite, model, &mut steps);
        parts::throughput(suite, model, &mut steps);
    }
    let asked = suite.experiments.iter().enumerate();
    let more = asked.map(|(number, asked)| Ok(experiments::experiment(asked, number, models)?));
    steps.extend(together(more)?.concat());
    for (i, step) in steps.iter_mut().enumerate() {
        // Names of models may differ in what no file's name has.
        step.id = format!("{:03}-{}", i + 1, step.id);
    }
    together(steps.iter().map(Step::check))?;
    Ok(steps)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Step {
    /// A row of a model.
    fn of(kind: Kind, what: String, model: &Model, mut line: Vec<String>) -> Step {
        let part = match kind {
            Kind::Lengths | Kind::Prompts => "latency",
            Kind::Memory => "memory",
            Kind::Concurrent(_) | Kind::Batch(_) | Kind::Experiment => "throughput",
        };
        name_model(&mut line, "-m", model);
        Step {
            id: identifier(&[part, &what, &model.name]),
            kind,
            part: part.to_owned(),
            what,
            model: model.name.clone(),
            line,
            save: SAVE.to_owned(),
            ..Step::default()
        }
    }

    /// Not measured where its sequences are longer than the model's context.
    fn within(mut self, tokens: &[u64], model: &Model) -> Step {
        // And the token that a prompt gives.
        let n_tokens = tokens.iter().fold(1, |sum: u64, n| sum.saturating_add(*n));
        self.skipped = model
            .n_ctx
            .filter(|n_ctx| n_tokens > *n_ctx)
            .map(|n_ctx| format!("{n_tokens} tokens are more than the model's context of {n_ctx}"));
        self
    }

    /// Where its record goes, in a suite's folder.
    pub(super) fn record(&self, folder: &Path) -> PathBuf {
        let steps = folder.join("steps");
        if self.save == SAVE {
            steps.join(format!("{}.json", self.id))
        } else {
            steps.join(&self.id)
        }
    }

    /// The words of its command line in a folder, by whose name the history finds it.
    pub(super) fn line_in(&self, folder: &Path) -> Vec<OsString> {
        let mut line: Vec<OsString> = self.line.iter().map(OsString::from).collect();
        if let Some(set) = &self.prompts {
            let file = folder.join("prompts").join(format!("{set}.jsonl"));
            line.extend(["--prompts".into(), file.into()]);
        }
        line.extend([OsString::from(&self.save), self.record(folder).into()]);
        let name = folder.file_name().unwrap_or("suite".as_ref());
        line.extend(["--tag".into(), name.to_owned()]);
        line
    }

    /// Refuses a command line that is none.
    fn check(&self) -> Result<()> {
        let program = std::iter::once(OsString::from("pacemark"));
        let line = long_options(program.chain(self.line_in(Path::new("."))));
        match Cli::try_parse_from(line) {
            Ok(_) => Ok(()),
            Err(error) => {
                let said = error.render().to_string();
                let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
                Err(UsageError(format!("{}: {first}", self.part)).into())
            }
        }
    }
}

/// A name that is also one of a file: letters, digits, dots and dashes.
fn identifier(parts: &[&str]) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let words = parts.iter().map(|part| part.chars().map(plain).collect::<String>());
    let name = words.collect::<Vec<_>>().join("-").to_lowercase();
    let dashes: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    dashes.join("-").chars().take(120).collect()
}

/// Names the model, and how its weights are to be held; a load tells its server that.
fn name_model(line: &mut Vec<String>, flag: &str, model: &Model) {
    let is_load = line.first().is_some_and(|command| command == "load");
    line.extend([flag.to_owned(), model.argument.clone()]);
    let weights = model.weights.iter();
    line.extend(weights.map(|word| match is_load {
        true => format!("--serve-arg={word}"),
        false => word.clone(),
    }));
}

#[cfg(test)]
mod tests;
