//! Models split over several files: `NAME-00001-of-0000N.gguf`, with the count repeated in each
//! file's metadata.

use crate::{Metadata, ModelFileError, Result};
use std::path::{Path, PathBuf};

/// What the first part says about the whole.
pub(crate) struct Split {
    first: PathBuf,
    prefix: String,
    pub(crate) count: u32,
    n_tensors: Option<u64>,
}

impl Split {
    /// The split that `path` is the first part of; `None` for a model in one file.
    pub(crate) fn of(metadata: &Metadata, path: &Path) -> Result<Option<Split>> {
        let count = metadata.opt_u32("split.count")?.unwrap_or(1);
        if count <= 1 {
            return Ok(None);
        }
        let limit = u32::from(u16::MAX);
        if count > limit {
            return Err(ModelFileError::invalid(
                path,
                "split.count",
                format!("at most {limit}"),
                count.to_string(),
            ));
        }
        let number = metadata.u32("split.no")?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(prefix) = name.strip_suffix(&suffix(number, count)) else {
            let expected = format!(
                "a name that ends in {} as the file's split.no and split.count say",
                suffix(number, count)
            );
            return Err(ModelFileError::invalid(path, "file name", expected, name));
        };
        let n_tensors = metadata.opt_u64("split.tensors.count")?;
        let split = Split { first: path.to_owned(), prefix: prefix.to_owned(), count, n_tensors };
        if number != 0 {
            let expected = format!("the first part, {}", split.part_path(0).display());
            return Err(ModelFileError::invalid(
                path,
                "split.no",
                expected,
                format!("part {} of {count}", number + 1),
            ));
        }
        Ok(Some(split))
    }

    /// Where part `number`, counted from 0, is expected.
    pub(crate) fn part_path(&self, number: u32) -> PathBuf {
        self.first.with_file_name(format!("{}{}", self.prefix, suffix(number, self.count)))
    }

    /// Checks that a part's metadata says that it is this one.
    pub(crate) fn check_part(&self, metadata: &Metadata, number: u32) -> Result<()> {
        for (key, expected) in [("split.no", number), ("split.count", self.count)] {
            let found = metadata.u32(key)?;
            if found != expected {
                let (expected, found) = (expected.to_string(), found.to_string());
                return Err(ModelFileError::invalid(metadata.file(), key, expected, found));
            }
        }
        Ok(())
    }

    /// Checks the number of tensors found in all parts.
    pub(crate) fn check_total(&self, found: usize) -> Result<()> {
        match self.n_tensors {
            Some(expected) if expected != found as u64 => {
                let (expected, found) =
                    (format!("{expected} tensors in all parts"), found.to_string());
                Err(ModelFileError::invalid(&self.first, "split.tensors.count", expected, found))
            }
            _ => Ok(()),
        }
    }
}

/// The end of a part's file name. `number` counts from 0, the name from 1.
fn suffix(number: u32, count: u32) -> String {
    format!("-{:05}-of-{count:05}.gguf", u64::from(number) + 1)
}
