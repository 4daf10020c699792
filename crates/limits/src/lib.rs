//! What the system lets this process use: memory and processors, and who says so. The one place
//! that knows of control groups (containers), of both versions. It reads `/proc` and `/sys` and
//! decides nothing: what is planned with it is the caller's.
//!
//! Linux only; elsewhere nothing is known but the number of processors.

mod cgroup;
mod memory;
mod processors;

pub use memory::{Memory, MemoryLimit, large_page};
pub use processors::Processors;

use std::path::{Path, PathBuf};

/// Where the files of the system are: under `/`, or in tests under a tree that looks like one.
#[derive(Clone, Debug)]
pub struct System {
    root: PathBuf,
}

impl System {
    /// This one.
    pub fn here() -> System {
        System::at(Path::new("/"))
    }

    /// The one whose `proc` and mounts lie under `root`.
    pub fn at(root: &Path) -> System {
        System { root: root.to_owned() }
    }

    /// A file by its absolute path.
    fn read(&self, path: &Path) -> Option<String> {
        std::fs::read_to_string(self.of(path)).ok()
    }

    fn of(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The value in bytes of a line `KEY:  N kB`, as `/proc` has them.
    fn kib(&self, path: &str, key: &str) -> Option<u64> {
        let text = self.read(Path::new(path))?;
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }
}

/// Processors that this process may compute on at a time; at least one.
pub fn processors() -> usize {
    Processors::of(&System::here()).usable
}
