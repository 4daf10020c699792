//! What a history lets go of, so that it does not grow for ever.

use crate::list::entries;
use crate::{Entry, Filter, Result, Store};

/// Which runs may go: all conditions that are given have to hold. What has a tag stays, and so does
/// everything where none is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sweep {
    /// The newest so many stay.
    pub keep: Option<usize>,
    /// What began then or later stays, seconds since 1970 UTC.
    pub before_unix_s: Option<u64>,
}

impl Store {
    /// The runs that would go, newest first.
    pub fn would_remove(&self, sweep: Sweep) -> Result<Vec<Entry>> {
        if sweep.keep.is_none() && sweep.before_unix_s.is_none() {
            return Ok(Vec::new());
        }
        let all = self.read(|connection| entries(connection, &Filter::default()))?;
        let beyond = all.into_iter().skip(sweep.keep.unwrap_or(0));
        let is_old =
            |entry: &Entry| sweep.before_unix_s.is_none_or(|before| entry.started_unix_s < before);
        Ok(beyond.filter(|entry| entry.tags.is_empty() && is_old(entry)).collect())
    }

    /// Removes runs, of which one that got a tag meanwhile stays, and gives their room back. Tells
    /// how many went.
    pub fn sweep(&mut self, runs: &[Entry]) -> Result<usize> {
        let sql = "DELETE FROM runs WHERE id = ?1 \
                   AND NOT EXISTS (SELECT 1 FROM tags WHERE run = seq)";
        let removed = self.write(|transaction| {
            let mut statement = transaction.prepare(sql)?;
            runs.iter().map(|run| statement.execute([&run.id])).sum()
        })?;
        if removed > 0 {
            // Where others read it, the room is used for the next runs instead.
            let _ = self.connection.execute_batch("VACUUM");
        }
        Ok(removed)
    }
}
