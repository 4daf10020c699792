//! Small files of `/sys` and `/proc`, read with a bound: they may be missing, forbidden or junk.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where the files of the system are; in tests under a tree that looks like one.
#[derive(Clone, Debug)]
pub struct Roots {
    /// `/sys`.
    pub sys: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
}

impl Roots {
    /// Those of this system.
    pub fn here() -> Roots {
        Roots { sys: "/sys".into(), proc: "/proc".into() }
    }
}

/// No file that is read here is longer; what is, is cut.
const MOST_BYTES: u64 = 64 << 10;

/// Directories here have some tens of entries; a process's open files may be many.
const MOST_ENTRIES: usize = 4096;

pub(crate) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

pub(crate) fn text(path: &Path) -> io::Result<String> {
    bytes(path).map(|content| String::from_utf8_lossy(&content).trim().to_owned())
}

/// A file that is one whole number.
pub(crate) fn number(path: &Path) -> Option<u64> {
    text(path).ok()?.parse().ok()
}

/// Names in a directory, in order; numbers within them by value.
pub(crate) fn names(path: &Path) -> io::Result<Vec<String>> {
    let entries = std::fs::read_dir(path)?.take(MOST_ENTRIES);
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    Ok(names)
}

/// An error without the operating system's number, as people say it.
pub(crate) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => format!("cannot be read ({error})"),
    }
}
