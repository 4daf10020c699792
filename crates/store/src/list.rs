//! Lists of runs, from the index alone.

use crate::{Result, Store};
use rusqlite::{Connection, Row, named_params};

/// Which runs are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A part of the name of a model or its file, in any case of letters.
    pub model: Option<String>,
    /// An experiment, by its name.
    pub experiment: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// Begun then or later, seconds since 1970 UTC.
    pub since_unix_s: Option<u64>,
    /// The newest so many only.
    pub newest: Option<usize>,
}

/// A run as the index has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// When it began, seconds since 1970 UTC.
    pub started_unix_s: u64,
    /// What was measured.
    pub experiment: String,
    /// Version of Pacemark that measured.
    pub version: String,
    /// Its commit.
    pub commit: String,
    /// The machine.
    pub host: String,
    /// What people said of it.
    pub note: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Its trials, in order.
    pub trials: Vec<IndexedTrial>,
}

/// A trial as the index has it.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexedTrial {
    /// Which row of its run it is.
    pub test: String,
    /// Architecture, size and type of the model.
    pub model: String,
    /// Name of the model's file.
    pub file: String,
    /// Name of the backend.
    pub backend: String,
    /// Name of the headline figure and its value.
    pub figure: Option<(String, f64)>,
}

/// The query of a list, newest first. Conditions that are not asked for are NULL; the index by start gives the order.
pub const LIST: &str = "
    SELECT seq, id, started, experiment, version, commit_id, host, note FROM runs
    WHERE started >= :since
      AND (:experiment IS NULL OR experiment = :experiment)
      AND (:tag IS NULL OR EXISTS (SELECT 1 FROM tags WHERE run = seq AND tag = :tag))
      AND (:model IS NULL OR EXISTS (SELECT 1 FROM trials WHERE run = seq
           AND (instr(lower(model), :model) > 0 OR instr(lower(file), :model) > 0)))
    ORDER BY started DESC, seq DESC LIMIT :newest";

impl Store {
    /// The runs that pass, newest first.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Entry>> {
        self.list_after(filter, 0)
    }

    /// The same without the newest `skip` of them.
    pub fn list_after(&self, filter: &Filter, skip: usize) -> Result<Vec<Entry>> {
        self.read(|connection| {
            // One state of the history, whatever others write meanwhile.
            let snapshot = connection.unchecked_transaction()?;
            entries_after(&snapshot, filter, skip)
        })
    }

    /// How many runs pass.
    pub fn count(&self, filter: &Filter) -> Result<u64> {
        self.read(|connection| {
            let mut runs = connection.prepare(&format!("SELECT count(*) FROM ({LIST})"))?;
            let model = lower(filter);
            let n: i64 = runs.query_row(
                named_params! { ":since": since(filter), ":experiment": filter.experiment,
                ":tag": filter.tag, ":model": model, ":newest": newest(filter) },
                |row| row.get(0),
            )?;
            Ok(n.unsigned_abs())
        })
    }
}

fn lower(filter: &Filter) -> Option<String> {
    filter.model.as_ref().map(|model| model.to_ascii_lowercase())
}

fn since(filter: &Filter) -> i64 {
    filter.since_unix_s.map_or(0, |since| i64::try_from(since).unwrap_or(i64::MAX))
}

fn newest(filter: &Filter) -> i64 {
    filter.newest.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX))
}

/// The runs that pass, within a transaction.
pub(crate) fn entries(connection: &Connection, filter: &Filter) -> rusqlite::Result<Vec<Entry>> {
    entries_after(connection, filter, 0)
}

fn entries_after(
    connection: &Connection,
    filter: &Filter,
    skip: usize,
) -> rusqlite::Result<Vec<Entry>> {
    let (model, skip) = (lower(filter), i64::try_from(skip).unwrap_or(i64::MAX));
    let mut runs = connection.prepare(&format!("{LIST} OFFSET :skip"))?;
    let mut tags = connection.prepare("SELECT tag FROM tags WHERE run = ?1 ORDER BY tag")?;
    let mut trials = connection.prepare(
        "SELECT test, model, file, backend, metric, value FROM trials WHERE run = ?1 ORDER BY number",
    )?;
    let wanted = named_params! { ":since": since(filter), ":experiment": filter.experiment,
    ":tag": filter.tag, ":model": model, ":newest": newest(filter), ":skip": skip };
    let mut entries = Vec::new();
    let mut rows = runs.query(wanted)?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        entries.push(Entry {
            tags: tags.query_map([seq], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?,
            trials: trials.query_map([seq], trial)?.collect::<rusqlite::Result<_>>()?,
            ..entry(row)?
        });
    }
    Ok(entries)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(1)?,
        started_unix_s: row.get::<_, i64>(2)?.max(0).unsigned_abs(),
        experiment: row.get(3)?,
        version: row.get(4)?,
        commit: row.get(5)?,
        host: row.get(6)?,
        note: row.get(7)?,
        tags: Vec::new(),
        trials: Vec::new(),
    })
}

fn trial(row: &Row<'_>) -> rusqlite::Result<IndexedTrial> {
    let metric: Option<String> = row.get(4)?;
    let value: Option<f64> = row.get(5)?;
    Ok(IndexedTrial {
        test: row.get(0)?,
        model: row.get(1)?,
        file: row.get(2)?,
        backend: row.get(3)?,
        figure: metric.zip(value),
    })
}
