//! `pacemark eval accuracy`: multiple choice by log-likelihood.

use super::{Plan, TaskArgs, encoding};
use crate::exit::{Exit, UsageError};
use crate::{hub, input};
use anyhow::{Result, anyhow};
use pacemark_bench::tasks::Task;
use pacemark_bench::tasks::choices::{self, Choosing, Format};
use pacemark_bench::{Accuracy, Params};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Datasets by name, and the format of each.
const DATASETS: [(&str, Format); 2] =
    [("hellaswag-100", Format::HellaSwag), ("truthfulqa-mc1", Format::TruthfulQa)];

#[derive(clap::Args, Debug)]
pub(in crate::commands::eval) struct AccuracyArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// Items that are fetched on first use
    #[arg(long, value_name = "NAME", value_parser = DATASETS.map(|(name, _)| name), default_value = DATASETS[0].0)]
    dataset: String,
    /// Items of your own: a JSON object a line, with a context (`context`, `query`, `question` or
    /// `ctx`), two or more `choices` (or `endings`) and the number of the right one from 0 (`answer`,
    /// `gold`, `label` or `expected_index`)
    #[arg(short, long, value_name = "FILE", conflicts_with = "dataset")]
    file: Option<PathBuf>,
    /// How a file's fields become text: plain, hellaswag or truthfulqa
    #[arg(long, value_name = "FORMAT", requires = "file", value_parser = format, default_value = "plain")]
    format: Format,
    /// The first N items [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

fn format(name: &str) -> Result<Format, String> {
    let names = Format::ALL.map(Format::name);
    Format::ALL
        .into_iter()
        .find(|format| format.name() == name)
        .ok_or_else(|| format!("not one of {}", names.join(", ")))
}

/// Runs `eval accuracy`.
pub(in crate::commands::eval) fn accuracy(args: &AccuracyArgs) -> Result<Exit> {
    args.task.settings.all()?;
    let (path, name, format) = source(args)?;
    let shown = path.display().to_string();
    let items =
        choices::read(&shown, &input::read_file(&path)?, format, args.limit.map(usize::from))?;
    let (model, file) = args.task.open()?;
    let questions =
        encoding::with(&file, |encoder| {
            let encoded =
                |item: &Choosing| {
                    item.encoded(encoder).ok_or_else(|| {
                anyhow!("{shown}: {}: this model's tokenizer leaves nothing of a choice, or has no \
                         token for an empty context", item.id)
            })
                };
            items.iter().map(encoded).collect::<Result<Vec<_>>>()
        })?;
    let recorded = [("file", shown.as_str()), ("format", format.name())];
    let params: Params =
        recorded.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let tasks = vec![Task { name, length: None, questions }];
    let plan = Plan { experiment: &Accuracy, tasks, params, items: Some(&path) };
    args.task.measure(&model, &file, &plan)?.exit()
}

/// The file of the items, what they are called, and their format.
fn source(args: &AccuracyArgs) -> Result<(PathBuf, String, Format)> {
    if let Some(file) = &args.file {
        let name =
            file.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        return Ok((file.clone(), name, args.format));
    }
    let (name, format) = DATASETS
        .into_iter()
        .find(|(name, _)| *name == args.dataset)
        .ok_or_else(|| UsageError(format!("--dataset {}: there is none", args.dataset)))?;
    Ok((hub::dataset(name)?, name.to_owned(), format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dataset_has_a_format() {
        let known = pacemark_modelfile::catalog::DATASETS.iter().map(|dataset| dataset.name);
        assert_eq!(known.collect::<Vec<_>>(), DATASETS.map(|(name, _)| name));
    }
}
