//! What the system holds of files in memory when a process starts.

use anyhow::{Context, Result};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::File;
use std::io;
use std::path::Path;

/// A state of the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageCache {
    /// All of a file is in memory.
    Warm,
    /// Nothing of it is.
    Cold,
}

impl std::str::FromStr for PageCache {
    type Err = String;

    fn from_str(name: &str) -> Result<PageCache, String> {
        let all = [PageCache::Warm, PageCache::Cold];
        all.into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| "expected warm or cold".to_owned())
    }
}

impl PageCache {
    pub(super) fn name(self) -> &'static str {
        match self {
            PageCache::Warm => "warm",
            PageCache::Cold => "cold",
        }
    }

    /// Brings a file there. Cold is a request that the system may refuse: what came of it is told by
    /// [`Self::doubts`].
    pub(super) fn bring(self, path: &Path) -> Result<()> {
        // Of a directory the system reads what it needs.
        if path.is_dir() {
            let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
            return entries.flatten().try_for_each(|entry| match entry.path() {
                file if file.is_file() => self.bring(&file),
                _ => Ok(()),
            });
        }
        let mut file = File::open(path).with_context(|| path.display().to_string())?;
        match self {
            PageCache::Warm => {
                io::copy(&mut file, &mut io::sink()).with_context(|| path.display().to_string())?;
            }
            PageCache::Cold => {
                // Pages that were never written back cannot be dropped.
                let _ = file.sync_data();
                let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
            }
        }
        Ok(())
    }

    /// Why a start was not what it should be, by the bytes that came from storage while files of
    /// `bytes` were read.
    pub(super) fn doubts(self, storage_bytes: Option<u64>, bytes: u64) -> Option<String> {
        match (self, storage_bytes) {
            (PageCache::Cold, Some(read)) if read < bytes / 2 => Some(format!(
                "page cache cold: the system did not let go of the file: fewer than half of its \
                 {bytes} bytes came from storage in a start"
            )),
            (PageCache::Cold, None) => Some(
                "page cache cold: whether it was is not known, the system does not tell what came \
                 from storage"
                    .to_owned(),
            ),
            (PageCache::Warm, Some(read)) if read > bytes / 20 => Some(format!(
                "page cache warm: more than a twentieth of the file's {bytes} bytes came from \
                 storage in a start: memory is short"
            )),
            _ => None,
        }
    }
}

/// Bytes of a file, or of all files of a folder.
pub(super) fn n_bytes(path: &Path) -> u64 {
    if !path.is_dir() {
        return path.metadata().map_or(0, |about| about.len());
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| path.is_file());
    files.map(|file| n_bytes(&file)).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_is_not_what_it_should_be_is_told() {
        let said = |state: PageCache, read| state.doubts(read, 1000).unwrap_or_default();
        assert!(said(PageCache::Cold, Some(10)).contains("did not let go"));
        assert!(said(PageCache::Cold, None).contains("not known"));
        assert!(said(PageCache::Warm, Some(900)).contains("memory is short"));
        assert_eq!(said(PageCache::Cold, Some(990)) + &said(PageCache::Warm, Some(0)), "");
        assert!("tepid".parse::<PageCache>().is_err());
    }
}
