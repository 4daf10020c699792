//! A file that is read instead of mapped: its header once, a tensor's bytes when they are asked
//! for.
//!
//! For file systems that map badly or not at all. What is read is this process's own memory: it
//! does not count as the system's cache of the file, and nobody who changes the file meanwhile
//! changes it.

use crate::gguf::read::{Header, parse_start};
use crate::{ModelFileError, Result, TensorBytes, TensorInfo};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// An open file.
#[derive(Debug)]
pub(crate) struct Unmapped {
    /// Its place is changed by every read.
    file: Mutex<File>,
    path: PathBuf,
    len: u64,
}

/// What is read of a file at first; headers of small models are not longer.
const FIRST: u64 = 1 << 20;
/// Longer than any real header: a vocabulary of a quarter of a million tokens and its merges take
/// ten MiB.
const MOST: u64 = 512 << 20;

impl Unmapped {
    /// Opens a file and reads its header.
    pub(crate) fn open(path: &Path) -> Result<(Unmapped, Header)> {
        let file = File::open(path).map_err(|e| ModelFileError::io(path, "open the file", e))?;
        let about =
            file.metadata().map_err(|e| ModelFileError::io(path, "read the file's size", e))?;
        if !about.is_file() {
            return Err(ModelFileError::invalid(path, "path", "a file", "a directory or device"));
        }
        let opened = Unmapped { file: Mutex::new(file), path: path.to_owned(), len: about.len() };
        let mut length = FIRST;
        loop {
            // Where a header ends is known when it has been read: what fails for want of bytes is
            // tried with more.
            let start = opened.read(0, length.min(opened.len), "read the header")?;
            match parse_start(&start, opened.len, path) {
                Err(_) if length < opened.len.min(MOST) => length *= 8,
                result => return result.map(|header| (opened, header)),
            }
        }
    }

    /// Size of the file.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads a tensor, which lies within the file as it was when it was opened.
    pub(crate) fn bytes(&self, tensor: &TensorInfo) -> Result<TensorBytes> {
        self.read(tensor.start as u64, tensor.n_bytes(), "read a tensor").map(TensorBytes::from)
    }

    fn read(&self, start: u64, len: u64, what: &'static str) -> Result<Vec<u8>> {
        let failed = |error| ModelFileError::io(&self.path, what, error);
        let len =
            usize::try_from(len).map_err(|_| failed(std::io::ErrorKind::OutOfMemory.into()))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| failed(std::io::ErrorKind::OutOfMemory.into()))?;
        bytes.resize(len, 0);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(failed)?;
        Ok(bytes)
    }
}
