//! The little that is remembered of a server's answer from one run to the next.

use crate::cache::beside;
use crate::error::{HubError, Result};
use std::fs;
use std::path::Path;

/// What is kept of an answer between runs: two lines, the validator and the identity.
#[derive(Default)]
pub(super) struct Saved {
    pub(super) validator: Option<String>,
    pub(super) identity: Option<String>,
}

impl Saved {
    pub(super) fn read(path: &Path) -> Saved {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut lines =
            text.lines().map(|line| Some(line.to_owned()).filter(|line| !line.is_empty()));
        Saved { validator: lines.next().flatten(), identity: lines.next().flatten() }
    }

    /// Of a complete file.
    pub(super) fn of(target: &Path) -> Saved {
        Saved::read(&beside(target, "etag"))
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let line = |text: &Option<String>| text.clone().unwrap_or_default();
        let text = format!("{}\n{}\n", line(&self.validator), line(&self.identity));
        pacemark_files::write(path, text.as_bytes())
            .map_err(|e| HubError::file(e.source, "write", path))?;
        Ok(())
    }
}
