//! The directory that holds pulled models and datasets, and who may write to it when.
//!
//! `models/NAME.gguf` and `datasets/NAME.jsonl` for the catalog, `models/hf/ORG/REPO/REV/FILE` for a
//! hub's files. Work in
//! progress lies beside its target under names that begin with a dot. A lock per target keeps two
//! pulls apart; it ends with its process, so that a killed pull blocks nobody.

use crate::caller::Caller;
use crate::error::{Context, HubError, Result};
use pacemark_files::look;
use pacemark_modelfile::catalog::{CatalogFile, FileKind};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The cache.
#[derive(Clone, Debug)]
pub struct Cache {
    home: PathBuf,
    models: PathBuf,
}

/// Holds off other pulls of the same target while it lives.
pub(crate) struct Lock {
    _file: File,
}

impl Cache {
    /// The cache in `PACEMARK_HOME`, else `$XDG_CACHE_HOME/pacemark`, else `~/.cache/pacemark`.
    /// Creates nothing.
    pub fn from_env() -> Result<Cache> {
        let set = |name: &str| {
            std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let home = set("PACEMARK_HOME")
            .or_else(|| {
                set("XDG_CACHE_HOME")
                    .filter(|path| path.is_absolute())
                    .map(|path| path.join("pacemark"))
            })
            .or_else(|| std::env::home_dir().map(|path| path.join(".cache").join("pacemark")))
            .ok_or_else(|| {
                HubError::Refused("no directory for models: set PACEMARK_HOME to one".into())
            })?;
        Ok(Cache::at(&home))
    }

    /// The cache under `home`.
    pub fn at(home: &Path) -> Cache {
        Cache { home: home.to_owned(), models: home.join(FileKind::Model.folder()) }
    }

    /// The directory that all of it is in.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Where the models lie.
    pub fn models(&self) -> &Path {
        &self.models
    }

    /// Where a file of the catalog is kept.
    pub fn catalog_path(&self, file: &CatalogFile) -> PathBuf {
        self.home.join(file.kind.folder()).join(file.file_name)
    }

    /// A catalog file's path if it is here in full. Files get their name only after their hash was
    /// checked, so the size is enough of a check for every use; `models pull` checks the hash
    /// again.
    pub fn catalog_file(&self, file: &CatalogFile) -> Result<Option<PathBuf>> {
        let path = self.catalog_path(file);
        let about = look_at(&path)?;
        Ok(about.filter(|about| about.is_file() && about.len() == file.bytes).map(|_| path))
    }

    /// Waits until no other process pulls `target`, whose directory is created.
    pub(crate) fn lock(&self, target: &Path, caller: &dyn Caller) -> Result<Lock> {
        let directory = target.parent().unwrap_or(&self.models);
        fs::create_dir_all(directory)
            .map_err(|e| HubError::file(e, "create the cache", directory))?;
        let path = beside(target, "lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| HubError::file(e, "write to the cache", directory))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                caller.tell("another process is pulling this file: waiting for it");
                file.lock().context(|| format!("cannot lock {}", path.display()))?;
            }
            // Some network file systems have no locks. Two pulls at once then spoil each other's
            // work in progress, which the hash finds; without a lock is better than not at all.
            Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(fs::TryLockError::Error(error)) => {
                return Err(HubError::from(error).during(format!("cannot lock {}", path.display())));
            }
        }
        Ok(Lock { _file: file })
    }

    /// All complete files in the cache, sorted by path.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        collect(&self.models, &mut files)
            .context(|| format!("cannot list the model cache {}", self.models.display()))?;
        files.sort();
        Ok(files)
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()), // nothing pulled yet
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The hidden name beside `target` for work of the given kind.
pub(crate) fn beside(target: &Path, kind: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{kind}"))
}

/// What is at `path`, which a pull will make if nothing is: a link to nothing counts as that.
pub(crate) fn look_at(path: &Path) -> Result<Option<fs::Metadata>> {
    match look::at(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map_err(|e| HubError::file(e, "look into the model cache for", path)),
    }
}

/// The file that links from `path` lead to, which is what a pull makes or replaces.
pub(crate) fn resolved(path: &Path) -> Result<PathBuf> {
    pacemark_files::resolved(path)
        .map_err(|e| HubError::file(e, "look into the model cache for", path))
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(HubError::file(error, "remove", path))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Directory, Quiet};

    #[test]
    fn lists_complete_files_only() {
        let home = Directory::new("cache-list");
        let cache = Cache::at(&home);
        assert!(cache.files().unwrap().is_empty());
        let target = cache.models().join("hf/o/r/main/f.gguf");
        drop(cache.lock(&target, &Quiet).unwrap());
        fs::write(&target, "x").unwrap();
        fs::write(beside(&target, "part"), "x").unwrap();
        assert_eq!(cache.files().unwrap(), [target]);
    }

    #[test]
    fn a_cache_that_cannot_be_written_says_what_to_do() {
        let home = Directory::new("cache-blocked");
        fs::write(home.join("models"), "a file where the directory should be").unwrap();
        let error = Cache::at(&home)
            .lock(&home.join("models").join("m.gguf"), &Quiet)
            .map(|_| ())
            .unwrap_err();
        assert!(error.in_full().contains("set PACEMARK_HOME"), "{error:?}");
    }

    #[test]
    fn a_second_pull_waits_for_the_first() {
        let home = Directory::new("cache-lock");
        let cache = Cache::at(&home);
        let target = cache.models().join("m.gguf");
        let first = cache.lock(&target, &Quiet).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _second = cache.lock(&target, &Quiet).unwrap();
                sender.send(()).unwrap();
            });
            assert!(
                receiver.recv_timeout(std::time::Duration::from_millis(50)).is_err(),
                "the lock was held"
            );
            drop(first);
            receiver.recv().unwrap();
        });
    }
}
