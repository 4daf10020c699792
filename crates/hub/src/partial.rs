//! A file on its way in: hashed while it is written, bounded, and given its name only when it is
//! complete and right.

use crate::cache::remove;
use crate::error::{HubError, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What is known beforehand of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// Its size.
    pub bytes: Option<u64>,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: Option<String>,
}

/// The work in progress.
pub(crate) struct Partial {
    path: PathBuf,
    file: File,
    hash: Sha256,
    written: u64,
}

impl Partial {
    /// Begins anew, over what an earlier attempt left.
    pub(crate) fn create(path: &Path) -> Result<Partial> {
        check_own(path)?;
        let file = File::create(path).map_err(|e| HubError::file(e, "write", path))?;
        Ok(Partial { path: path.to_owned(), file, hash: Sha256::new(), written: 0 })
    }

    /// Goes on where an earlier attempt ended; begins anew when there is none.
    pub(crate) fn resume(path: &Path) -> Result<Partial> {
        check_own(path)?;
        let opened = File::options().read(true).append(true).create(true).open(path);
        let mut file = opened.map_err(|e| HubError::file(e, "write", path))?;
        let (hash, written) = hash_of(&mut file).map_err(|e| HubError::file(e, "read", path))?;
        Ok(Partial { path: path.to_owned(), file, hash, written })
    }

    /// Goes on behind what an earlier attempt has left whole: of the bytes that are there, the
    /// first `whole(bytes)` are kept.
    pub(crate) fn resume_whole(path: &Path, whole: impl Fn(u64) -> u64) -> Result<Partial> {
        check_own(path)?;
        if let Ok(file) = File::options().write(true).open(path) {
            let cut =
                file.metadata().and_then(|about| file.set_len(whole(about.len()).min(about.len())));
            cut.map_err(|e| HubError::file(e, "write", path))?;
        }
        Partial::resume(path)
    }

    /// Bytes so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Appends `bytes`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| HubError::file(e, "write", &self.path))?;
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Checks size and hash, and renames the file to `target`; removes it when it is not what was
    /// expected. Gives the hash.
    pub(crate) fn finish(self, target: &Path, expected: &Expected) -> Result<String> {
        let sha256 = format!("{:x}", self.hash.finalize());
        let wrong = match expected {
            Expected { bytes: Some(bytes), .. } if *bytes != self.written => {
                Some(format!("{bytes} bytes, got {}", self.written))
            }
            Expected { sha256: Some(right), .. } if *right != sha256 => {
                Some(format!("sha256 {right}, got {sha256}"))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            remove(&self.path)?;
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            return Err(HubError::Refused(format!(
                "{name} came out wrong: expected {wrong}. It was removed; try again, and if it happens twice the source has changed"
            )));
        }
        self.file.sync_all().map_err(|e| HubError::file(e, "write", &self.path))?;
        fs::rename(&self.path, target)
            .map_err(|e| HubError::file(e, "rename the finished file to", target))?;
        Ok(sha256)
    }
}

/// Only a pull makes files of these names here, and it makes plain ones: what else has the name is
/// somebody's own.
fn check_own(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if !about.is_file() => Err(HubError::Refused(format!(
            "{}: expected what a pull has left, found no plain file",
            path.display()
        ))),
        _ => Ok(()), // what cannot be looked at cannot be opened either
    }
}

/// The SHA-256 of a file, in lower-case hexadecimal.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    let hashed = File::open(path).and_then(|mut file| hash_of(&mut file));
    let (hash, _) = hashed.map_err(|e| HubError::file(e, "read", path))?;
    Ok(format!("{:x}", hash.finalize()))
}

fn hash_of(file: &mut File) -> io::Result<(Sha256, u64)> {
    let (mut hash, mut length) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hash, length)),
            count => {
                hash.update(&buffer[..count]);
                length += count as u64;
            }
        }
    }
}
