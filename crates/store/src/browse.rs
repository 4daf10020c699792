//! What somebody who looks through a history asks besides lists: what there is to choose from, and one
//! run's record as it stands there.

use crate::{Result, Store, StoreError};
use rusqlite::{OptionalExtension, params};

/// Names that the runs of a history have, each once and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Of experiments.
    pub experiments: Vec<String>,
    /// Of models.
    pub models: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
}

/// A record as it was written, and what people said of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The record, on one line.
    pub record: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// What there is to say of it.
    pub note: Option<String>,
}

impl Store {
    /// Names to choose from, so many of each kind at most.
    pub fn choices(&self, most: usize) -> Result<Choices> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let all = |sql: &str| -> Result<Vec<String>> {
            self.read(|c| c.prepare(sql)?.query_map([most], |row| row.get(0))?.collect())
        };
        Ok(Choices {
            experiments: all("SELECT DISTINCT experiment FROM runs ORDER BY 1 LIMIT ?1")?,
            models: all("SELECT DISTINCT model FROM trials ORDER BY 1 LIMIT ?1")?,
            tags: all("SELECT DISTINCT tag FROM tags ORDER BY 1 LIMIT ?1")?,
        })
    }

    /// The record of that id, as [`Self::find`] gives it, unread.
    pub fn written(&self, id: &str) -> Result<Written> {
        let sql = "SELECT json, note, seq FROM runs JOIN records ON run = seq WHERE id = ?1";
        let found: Option<(String, Option<String>, i64)> = self.read(|c| {
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            c.query_row(sql, params![id], row).optional()
        })?;
        let Some((record, note, seq)) = found else {
            return Err(StoreError::Unknown { name: id.to_owned() });
        };
        Ok(Written { record, note, tags: self.read(|c| crate::store::tags(c, seq))? })
    }
}
