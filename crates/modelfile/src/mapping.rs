//! A file mapped read-only into memory: the crate's only unsafe code.
//!
//! Who truncates a model file while Pacemark has it mapped makes the next access to the lost pages
//! end the process with SIGBUS; who overwrites it in place changes the weights under our feet.
//! Neither can be prevented from this side short of copying the file, so Pacemark itself only ever
//! replaces a model by renaming a complete new file over the old name, which leaves existing
//! mappings untouched. Bytes are never re-read to decide memory safety: all offsets are checked
//! once against the mapping's length, which is fixed.

#![allow(unsafe_code, reason = "a memory map cannot be made or dropped from memory by safe code")]

use crate::{ModelFileError, Result};
use memmap2::Mmap;
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// The bytes of a file.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: Mmap,
}

impl Mapping {
    /// Maps the whole file.
    pub(crate) fn open(path: &Path) -> Result<Mapping> {
        let file = File::open(path).map_err(|e| ModelFileError::io(path, "open the file", e))?;
        let about =
            file.metadata().map_err(|e| ModelFileError::io(path, "read the file's size", e))?;
        if !about.is_file() {
            return Err(ModelFileError::invalid(path, "path", "a file", "a directory or device"));
        }
        // SAFETY: the mapping is read-only and private to this process. That nobody else changes
        // the file meanwhile is the assumption every user of memory maps makes; the module's
        // documentation says what happens when it fails.
        let map = unsafe { Mmap::map(&file) }
            .map_err(|e| ModelFileError::io(path, "map the file to memory", e))?;
        Ok(Mapping { map })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Keeps all pages in memory until the mapping ends.
    pub(crate) fn lock(&self) -> std::io::Result<()> {
        #[cfg(unix)]
        return self.map.lock();
        #[cfg(not(unix))]
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// Lets the system drop the whole pages within `range` from memory; a later access reads them
    /// from the file again.
    pub(crate) fn release(&self, range: Range<usize>) {
        /// The smallest page of any system; larger ones are rounded by the system, harmlessly for
        /// the reason below.
        const PAGE: usize = 4096;
        let start = range.start.next_multiple_of(PAGE);
        let end = range.end.min(self.map.len()) / PAGE * PAGE;
        #[cfg(unix)]
        if start < end {
            // SAFETY: on a read-only mapping of a file the pages hold nothing that the file does
            // not, so dropping them, even ones in use by another thread, cannot change what any
            // reference into the mapping reads.
            let advised = unsafe {
                self.map.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    start,
                    end - start,
                )
            };
            // It is advice: where it is not taken, memory is freed later, under pressure.
            drop(advised);
        }
        #[cfg(not(unix))]
        let _ = (start, end);
    }
}
