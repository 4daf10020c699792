//! Files and folders that nobody wants once the process has ended, and how they go when it ends in the
//! middle.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// All that there are now.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file that is removed when this is dropped, or by [`remove_all`]; or a folder, if it is empty
/// then.
#[derive(Debug)]
pub struct TemporaryFile(PathBuf);

impl TemporaryFile {
    /// Will remove `path`, which need not exist yet.
    pub fn at(path: PathBuf) -> TemporaryFile {
        registered().push(path.clone());
        TemporaryFile(path)
    }

    /// A new empty file in `directory` under a name that nothing there had.
    pub(crate) fn new_in(directory: &Path) -> io::Result<(TemporaryFile, File)> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!(".pacemark-{}-{number}.tmp", std::process::id()));
            let mut options = File::options();
            options.write(true).create_new(true);
            match options.open(&path) {
                // Left by a process of this number, or somebody's own: not ours to touch.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| (TemporaryFile::at(path), file)),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the file its name for good, in the place of what has it.
    pub(crate) fn rename(self, to: &Path) -> Result<(), (TemporaryFile, io::Error)> {
        // Held until the name is struck from the list: `remove_all` must not take what already has
        // its name.
        let mut registered = registered();
        if let Err(error) = fs::rename(&self.0, to) {
            drop(registered);
            return Err((self, error));
        }
        registered.retain(|path| *path != self.0);
        drop(registered);
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let mut registered = registered();
        let before = registered.len();
        registered.retain(|path| *path != self.0);
        if registered.len() < before {
            remove(&self.0);
        }
    }
}

fn registered() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all temporary files, for a process that ends without returning: the last first, so that a
/// folder is empty when its turn comes.
pub fn remove_all() {
    registered().drain(..).rev().for_each(|path| remove(&path));
}

/// What is not there, because writing it failed, need not be removed.
fn remove(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ends_leaves_none() {
        let (left, _file) = TemporaryFile::new_in(&std::env::temp_dir()).unwrap();
        let path = left.path().to_owned();
        assert!(path.exists());
        remove_all();
        assert!(!path.exists());
        // Whoever has the name now is not the one that was made.
        fs::write(&path, "another's").unwrap();
        drop(left);
        assert!(path.exists());
        fs::remove_file(path).unwrap();
    }
}
