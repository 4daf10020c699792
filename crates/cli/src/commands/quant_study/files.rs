//! The model in each type: a file for each, which is written before anything is measured and gone
//! at the end unless it is to be kept.

use crate::exit::UsageError;
use crate::progress::Progress;
use crate::{interrupt, machine};
use anyhow::{Context, Result};
use pacemark_files::TemporaryFile;
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::quantize::{self, Choices, Plan, QuantizeError, Recipe};
use std::fs;
use std::path::{Path, PathBuf};

/// A file for each type.
pub(in crate::commands) struct Files {
    /// Where they were written, and their bytes.
    pub written: Vec<(PathBuf, u64)>,
    /// Those that go with this, before their folder does.
    _temporary: Vec<TemporaryFile>,
    _folder: Option<TemporaryFile>,
}

/// Where the file of each type will be: in `keep_in`, if that is given.
pub(in crate::commands) fn paths(types: &[Recipe], keep_in: Option<&Path>) -> Vec<PathBuf> {
    let own = || std::env::temp_dir().join(format!("pacemark-quant-study-{}", std::process::id()));
    let folder = keep_in.map_or_else(own, Path::to_owned);
    types.iter().map(|recipe| folder.join(format!("{}.gguf", recipe.info().name))).collect()
}

impl Files {
    /// Plans all types before the first is written, so that a model that cannot be had in one of
    /// them is known at once. A file that is there already, which may be the model itself, is left
    /// alone.
    pub(in crate::commands) fn write(
        model: &ModelFile,
        types: &[Recipe],
        paths: &[PathBuf],
        (allow_requantize, keep): (bool, bool),
        n_threads: usize,
    ) -> Result<Files> {
        let plans: Result<Vec<Plan>> =
            types.iter().map(|recipe| plan(model, *recipe, allow_requantize)).collect();
        let plans = plans?;
        let most = plans.iter().map(|plan| plan.memory_bytes(model, n_threads)).max();
        machine::check_memory(most.unwrap_or(0), "to quantize this model")?;
        let mut files = Files::create(paths, keep)?;
        for (path, plan) in paths.iter().zip(&plans) {
            if !keep {
                files._temporary.push(TemporaryFile::at(path.clone()));
            }
            let bar = Progress::new(Some(model.n_bytes()));
            let written = quantize::write(
                model,
                plan,
                path,
                n_threads,
                &mut |done| bar.set(done),
                interrupt::flag(),
            );
            drop(bar);
            let n_bytes = written.with_context(|| format!("{} was not written", path.display()))?;
            files.written.push((path.clone(), n_bytes));
        }
        Ok(files)
    }

    fn create(paths: &[PathBuf], keep: bool) -> Result<Files> {
        let whose = if keep { "--dir" } else { "TMPDIR" };
        if let Some(path) = paths.iter().find(|path| path.symlink_metadata().is_ok()) {
            let why = "it is there already, and is not written over";
            return Err(UsageError(format!("{whose}: {}: {why}", path.display())).into());
        }
        let mut folder = None;
        if let Some(parent) = paths.first().and_then(|path| path.parent()) {
            let made = if keep { fs::create_dir_all(parent) } else { fs::create_dir(parent) };
            made.map_err(|error| UsageError(format!("{whose} {}: {error}", parent.display())))?;
            folder = (!keep).then(|| TemporaryFile::at(parent.to_owned()));
        }
        Ok(Files { written: Vec::new(), _temporary: Vec::new(), _folder: folder })
    }
}

fn plan(model: &ModelFile, recipe: Recipe, allow_requantize: bool) -> Result<Plan> {
    let choices = Choices { recipe, pure: false, output: None, embedding: None };
    quantize::plan(model, &choices, allow_requantize).map_err(|error| match error {
        QuantizeError::Requantize { .. } => UsageError(format!(
            "{error} (--allow-requantize takes what it stands for as the original)"
        ))
        .into(),
        error => error.into(),
    })
}
