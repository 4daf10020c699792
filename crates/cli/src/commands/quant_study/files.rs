//! The model in each type: a file for each, which is written before anything is measured and gone
//! at the end unless it is to be kept.

use crate::exit::UsageError;
use crate::progress::Progress;
use crate::{interrupt, machine};
use anyhow::{Context, Result};
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::quantize::{self, Choices, Plan, QuantizeError, Recipe};
use std::path::{Path, PathBuf};

/// A folder of files, one for each type.
pub(super) struct Files {
    folder: PathBuf,
    /// Files that were written, and their bytes.
    pub written: Vec<(PathBuf, u64)>,
    keep: bool,
}

impl Files {
    /// Plans all types before the first is written, so that a model that cannot be had in one of
    /// them is known at once.
    pub(super) fn write(
        model: &ModelFile,
        types: &[Recipe],
        allow_requantize: bool,
        keep_in: Option<&Path>,
        n_threads: usize,
    ) -> Result<Files> {
        let plans: Result<Vec<Plan>> =
            types.iter().map(|recipe| plan(model, *recipe, allow_requantize)).collect();
        let plans = plans?;
        let most = plans.iter().map(|plan| plan.memory_bytes(model, n_threads)).max();
        machine::check_memory(most.unwrap_or(0), "to quantize this model")?;
        let mut files = Files::create(keep_in)?;
        for (recipe, plan) in types.iter().zip(&plans) {
            let path = files.folder.join(format!("{}.gguf", recipe.info().name));
            let bar = Progress::new(Some(model.n_bytes()));
            let written = quantize::write(
                model,
                plan,
                &path,
                n_threads,
                &mut |done| bar.set(done),
                interrupt::flag(),
            );
            drop(bar);
            let n_bytes = written.with_context(|| format!("{} was not written", path.display()))?;
            files.written.push((path, n_bytes));
        }
        Ok(files)
    }

    fn create(keep_in: Option<&Path>) -> Result<Files> {
        let own = format!("pacemark-quant-study-{}", std::process::id());
        let folder = keep_in.map_or_else(|| std::env::temp_dir().join(own), Path::to_owned);
        let cannot = |error| UsageError(format!("--dir {}: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(cannot)?;
        Ok(Files { folder, written: Vec::new(), keep: keep_in.is_some() })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.folder); // a temporary folder
        }
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
