//! Opening a history: waiting for others, and never touching what is not one.

use crate::schema::{self, Found, STEPS};
use crate::{Result, Store, StoreError};
use pacemark_files::look;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another process may hold it.
const PATIENCE: Duration = Duration::from_secs(10);

impl Store {
    /// The history at `path`, which is made where there is none.
    pub fn open(path: &Path) -> Result<Store> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)
                .map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
        }
        Store::prepared(path, PATIENCE)
    }

    /// The history at `path`; `None` where there is none yet.
    pub fn open_existing(path: &Path) -> Result<Option<Store>> {
        match look::at(path) {
            Ok(None) => Ok(None),
            Ok(Some(_)) => Store::prepared(path, PATIENCE).map(Some),
            Err(source) => Err(StoreError::Folder { path: path.to_owned(), source }),
        }
    }

    pub(crate) fn prepared(path: &Path, patience: Duration) -> Result<Store> {
        let failed = |source| StoreError::database(path, source);
        // Without SQLite's reading of names as URIs: a path is a path.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(patience).map_err(failed)?;
        match patiently(patience, || prepare(&mut connection)).map_err(failed)? {
            Found::Ours(found) if found > STEPS.len() => {
                Err(StoreError::Newer { path: path.to_owned(), found, known: STEPS.len() })
            }
            Found::Ours(_) => Ok(Store { connection, path: path.to_owned() }),
            Found::Foreign | Found::Empty => Err(StoreError::Foreign { path: path.to_owned() }),
        }
    }
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<Found> {
    let found = schema::look(connection)?;
    if found == Found::Foreign {
        return Ok(found);
    }
    // Readers do not wait for a writer then, and a writer that is killed leaves all that was
    // committed. Where the file system cannot do it, SQLite stays with its journal, which is as safe.
    let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if journal != "wal" {
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    }
    // Committed is committed, even if the power fails: a run is rare and dear, a write cheap.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    schema::migrate(connection, STEPS)
}

/// Tries again while others hold it. SQLite waits by itself in most places, but not where the
/// journal's mode is changed.
fn patiently<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let began = Instant::now();
    loop {
        match attempt() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && began.elapsed() < patience =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeptRun, Label, Trouble};
    use pacemark_record::{Run, SCHEMA};

    /// A process that holds it for longer than anybody waits.
    #[test]
    fn what_is_locked_for_too_long_is_said() {
        let name = format!("pacemark-store-{}-locked", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let path = folder.join("history.db");
        let patience = Duration::from_millis(30);
        drop(Store::open(&path).unwrap());
        let mut store = Store::prepared(&path, patience).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let kept = KeptRun::of(&Run { schema: SCHEMA, ..Run::default() }).unwrap();
        let save =
            |store: &mut Store| store.save(std::slice::from_ref(&kept), &|_, _| Label::default());
        let error = save(&mut store).unwrap_err();
        assert_eq!(error.trouble(), Some(Trouble::Locked), "{error}");
        assert!(store.list(&crate::Filter::default()).unwrap().is_empty(), "readers do not wait");
        other.execute_batch("COMMIT").unwrap();
        assert!(save(&mut store).unwrap()[0].is_new);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
