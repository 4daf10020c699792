//! Runs in and out of a history, one at a time.

use crate::{KeptRun, Result, StoreError};
use pacemark_files::excerpt;
use pacemark_record::{RecordError, Run, Trial};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// An open history.
#[derive(Debug)]
pub struct Store {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
}

/// What the index says of a trial besides what its record says plainly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    /// Which row of its run it is, in words, e.g. `tg128`.
    pub test: String,
    /// Its headline figure: name of the metric and value.
    pub figure: Option<(String, f64)>,
}

/// Gives each trial of a run its label.
pub type Labels<'a> = &'a dyn Fn(&Run, &Trial) -> Label;

/// What became of a run that was to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its id.
    pub id: String,
    /// It was not there before.
    pub is_new: bool,
}

/// Runs in one transaction at most, so that other processes get their turn.
const TOGETHER: usize = 64;

/// Digits of an id that are shown where it is ambiguous.
const SHOWN: usize = 12;

impl Store {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Saves runs. One that is there already gets the tags that it has not, and the note if it has
    /// none.
    pub fn save(&mut self, runs: &[KeptRun], labels: Labels<'_>) -> Result<Vec<Saved>> {
        let mut saved = Vec::with_capacity(runs.len());
        for some in runs.chunks(TOGETHER) {
            saved.extend(self.write(|transaction| {
                some.iter()
                    .map(|run| insert(transaction, run, labels))
                    .collect::<rusqlite::Result<Vec<_>>>()
            })?);
        }
        Ok(saved)
    }

    /// The id of the run of that name: `latest`, `latest~N` for the N-th before it, or the first
    /// digits of an id.
    pub fn find(&self, name: &str) -> Result<String> {
        if let Some(back) = steps_back(name) {
            let sql = "SELECT id FROM runs ORDER BY started DESC, seq DESC LIMIT 1 OFFSET ?1";
            let id = self.read(|c| c.query_row(sql, [back], |row| row.get(0)).optional())?;
            let count = || -> Result<i64> {
                self.read(|c| c.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)))
            };
            return match id {
                Some(id) => Ok(id),
                None => {
                    Err(StoreError::TooFew { name: name.to_owned(), kept: count()?.unsigned_abs() })
                }
            };
        }
        let is_prefix =
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
        let unknown = || StoreError::Unknown { name: name.to_owned() };
        if !is_prefix {
            return Err(unknown());
        }
        let prefix = name.to_ascii_lowercase();
        // `g` follows all digits.
        let sql = "SELECT id FROM runs WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT 5";
        let ids: Vec<String> =
            self.read(|c| c.prepare(sql)?.query_map([&prefix], |row| row.get(0))?.collect())?;
        match &ids[..] {
            [] => Err(unknown()),
            [id] => Ok(id.clone()),
            several => Err(StoreError::Ambiguous {
                name: name.to_owned(),
                found: several.iter().map(|id| id[..SHOWN].to_owned()).collect(),
            }),
        }
    }

    /// The run of that id, as [`Self::find`] gives it.
    pub fn load(&self, id: &str) -> Result<KeptRun> {
        let sql = "SELECT json, note, seq FROM runs JOIN records ON run = seq WHERE id = ?1";
        let found: Option<(String, Option<String>, i64)> = self.read(|c| {
            c.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })?;
        let Some((json, note, seq)) = found else {
            return Err(StoreError::Unknown { name: id.to_owned() });
        };
        let wrong = |source| StoreError::Record { id: id[..SHOWN].to_owned(), source };
        let value: Value = serde_json::from_str(&json)
            .map_err(|error| wrong(RecordError::Json(excerpt(&error.to_string()).into_owned())))?;
        let mut kept = KeptRun::from_value(&value).map_err(wrong)?;
        kept.tags = self.read(|c| tags(c, seq))?;
        kept.note = note;
        Ok(kept)
    }

    /// Adds tags to a run and takes others away.
    pub fn tag(&mut self, id: &str, add: &[String], remove: &[String]) -> Result<()> {
        self.write(|transaction| {
            let seq: i64 =
                transaction.query_row("SELECT seq FROM runs WHERE id = ?1", [id], |r| r.get(0))?;
            for tag in remove {
                let sql = "DELETE FROM tags WHERE run = ?1 AND tag = ?2";
                transaction.execute(sql, params![seq, tag])?;
            }
            add_tags(transaction, seq, add)
        })
    }

    /// Says something of a run, or nothing any more.
    pub fn note(&mut self, id: &str, note: Option<&str>) -> Result<()> {
        let sql = "UPDATE runs SET note = ?2 WHERE id = ?1";
        self.write(|transaction| transaction.execute(sql, params![id, note]).map(drop))
    }

    /// Removes a run for good.
    pub fn remove(&mut self, id: &str) -> Result<()> {
        self.write(|c| c.execute("DELETE FROM runs WHERE id = ?1", [id]).map(drop))
    }

    /// Reads, with errors that name the file.
    pub(crate) fn read<T>(&self, of: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        of(&self.connection).map_err(|source| StoreError::database(&self.path, source))
    }

    /// Writes all or nothing. The lock is taken at once: one that is asked for later may be refused
    /// without waiting.
    pub(crate) fn write<T>(
        &mut self,
        of: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let written = || {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = of(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        written().map_err(|source| StoreError::database(&self.path, source))
    }
}

fn insert(
    transaction: &Transaction<'_>,
    kept: &KeptRun,
    labels: Labels<'_>,
) -> rusqlite::Result<Saved> {
    let (run, env) = (kept.run(), &kept.run().env);
    let experiment = run.trials.first().map_or("", |trial| &trial.experiment);
    let sql = "INSERT INTO runs (id, started, experiment, version, commit_id, host, note) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING";
    // Seconds beyond what the database counts are no time of a run.
    let started = i64::try_from(env.started_unix_s).unwrap_or(i64::MAX);
    let (machine, note) = (env.machine(), kept.note.as_deref());
    let row = params![
        kept.id(),
        started,
        &*excerpt(experiment),
        &*excerpt(&env.version),
        &*excerpt(&env.commit),
        &*excerpt(&machine),
        note
    ];
    let is_new = transaction.execute(sql, row)? == 1;
    let seq = transaction
        .query_row("SELECT seq FROM runs WHERE id = ?1", [kept.id()], |row| row.get(0))?;
    if is_new {
        let sql = "INSERT INTO records (run, json) VALUES (?1, ?2)";
        transaction.execute(sql, params![seq, kept.record()])?;
        index(transaction, seq, run, labels)?;
    } else if let Some(note) = note {
        let sql = "UPDATE runs SET note = ?2 WHERE seq = ?1 AND note IS NULL";
        transaction.execute(sql, params![seq, note])?;
    }
    add_tags(transaction, seq, &kept.tags)?;
    Ok(Saved { id: kept.id().to_owned(), is_new })
}

fn index(
    transaction: &Transaction<'_>,
    seq: i64,
    run: &Run,
    labels: Labels<'_>,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(
        "INSERT INTO trials (run, number, test, model, file, backend, metric, value) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for (number, trial) in (0i64..).zip(&run.trials) {
        let Label { test, figure } = labels(run, trial);
        // SQLite has no NaN: it would be NULL without a word.
        let figure = figure.filter(|(_, value)| value.is_finite());
        let (metric, value) = figure.unzip();
        statement.execute(params![
            seq,
            number,
            &*excerpt(&test),
            &*excerpt(&trial.model.model_type),
            &*excerpt(trial.model.file_name()),
            &*excerpt(&trial.model.backend),
            metric,
            value
        ])?;
    }
    Ok(())
}

fn add_tags(transaction: &Transaction<'_>, seq: i64, tags: &[String]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO tags (run, tag) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    tags.iter().try_for_each(|tag| transaction.execute(sql, params![seq, tag]).map(drop))
}

/// The tags of a run, by name.
pub(crate) fn tags(connection: &Connection, seq: i64) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT tag FROM tags WHERE run = ?1 ORDER BY tag")?;
    statement.query_map([seq], |row| row.get(0))?.collect()
}

/// How many runs before the latest `latest~N` means.
fn steps_back(name: &str) -> Option<u32> {
    match name.strip_prefix("latest")? {
        "" => Some(0),
        rest => rest.strip_prefix('~')?.parse().ok(),
    }
}
