//! Ctrl-C: the first asks a command to stop and show what it has, the second ends the process.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

/// Exit code after the second Ctrl-C, as shells count signals: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// Set once Ctrl-C was pressed. The first call installs the handler; without one (no signals here) it stays unset.
pub fn flag() -> &'static AtomicBool {
    static INTERRUPT: AtomicBool = AtomicBool::new(false);
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let handler = || {
            if INTERRUPT.swap(true, Ordering::Relaxed) {
                remove_temporary();
                std::process::exit(INTERRUPTED);
            }
        };
        ctrlc::set_handler(handler).is_ok()
    });
    &INTERRUPT
}

/// Files that nobody wants once the process has ended.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file that is removed when this is dropped, and when the second Ctrl-C ends the process.
pub struct TemporaryFile(PathBuf);

impl TemporaryFile {
    /// Will remove `path`, which need not exist yet.
    pub fn at(path: PathBuf) -> TemporaryFile {
        TEMPORARY.lock().unwrap_or_else(|e| e.into_inner()).push(path.clone());
        TemporaryFile(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0); // not there when writing it failed
        TEMPORARY.lock().unwrap_or_else(|e| e.into_inner()).retain(|path| *path != self.0);
    }
}

fn remove_temporary() {
    for path in TEMPORARY.lock().unwrap_or_else(|e| e.into_inner()).drain(..) {
        let _ = std::fs::remove_file(path);
    }
}
