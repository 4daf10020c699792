//! The tables of a history, step by step: each version of Pacemark that changes them adds a step, and
//! a file takes those that it has not yet.

use rusqlite::{Connection, TransactionBehavior};

/// Each brings a database from its index to the next number; `user_version` counts those taken. A
/// step that was released is never changed.
pub(crate) const STEPS: &[&str] = &[
    // 1: a run, what people said of it, its record, and an index of its trials. The record is apart
    // so that a list does not read past it.
    "CREATE TABLE runs (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        started INTEGER NOT NULL,
        experiment TEXT NOT NULL,
        version TEXT NOT NULL,
        commit_id TEXT NOT NULL,
        host TEXT NOT NULL,
        note TEXT
    ) STRICT;
    CREATE INDEX runs_by_start ON runs (started);
    CREATE TABLE records (
        run INTEGER PRIMARY KEY REFERENCES runs (seq) ON DELETE CASCADE,
        json TEXT NOT NULL
    ) STRICT;
    CREATE TABLE trials (
        run INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        test TEXT NOT NULL,
        model TEXT NOT NULL,
        file TEXT NOT NULL,
        backend TEXT NOT NULL,
        metric TEXT,
        value REAL,
        PRIMARY KEY (run, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tags (
        run INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
        tag TEXT NOT NULL,
        PRIMARY KEY (run, tag)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tags_by_tag ON tags (tag);",
];

/// How SQLite tells a history of Pacemark from the database of another program: `PaMk`.
pub(crate) const APPLICATION: i32 = 0x5061_4d6b;

/// What a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing is in it yet.
    Empty,
    /// A history that has taken so many steps.
    Ours(usize),
    /// Somebody else's.
    Foreign,
}

/// Looks.
pub(crate) fn look(connection: &Connection) -> rusqlite::Result<Found> {
    // In this order: where another process makes the history in between, it was empty.
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(Found::Empty);
    }
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    Ok(match pragma("application_id")? {
        APPLICATION => Found::Ours(usize::try_from(pragma("user_version")?).unwrap_or(usize::MAX)),
        _ => Found::Foreign,
    })
}

/// Takes the steps that are missing, all or none; what is not ours, or newer, is left as it is.
/// Tells what it is then.
pub(crate) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<Found> {
    let is_done = |found| matches!(found, Found::Ours(n) if n >= steps.len());
    let found = look(connection)?;
    if is_done(found) || found == Found::Foreign {
        return Ok(found);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let taken = match look(&transaction)? {
        Found::Empty => 0,
        Found::Ours(taken) if taken < steps.len() => taken,
        found => return Ok(found),
    };
    for step in &steps[taken..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    transaction.commit()?;
    Ok(Found::Ours(steps.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a later version may add.
    const NEXT: &str = "ALTER TABLE runs ADD COLUMN machine TEXT;";

    #[test]
    fn steps_are_taken_once_and_in_order() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(look(&connection).unwrap(), Found::Empty);
        assert_eq!(migrate(&mut connection, STEPS).unwrap(), Found::Ours(STEPS.len()));
        let sql = "INSERT INTO runs (id, started, experiment, version, commit_id, host) \
                   VALUES ('a', 1, 'e', 'v', 'c', 'h')";
        connection.execute(sql, []).unwrap();
        let further = [STEPS, &[NEXT]].concat();
        for _ in 0..2 {
            assert_eq!(migrate(&mut connection, &further).unwrap(), Found::Ours(further.len()));
        }
        let old: (String, Option<String>) = connection
            .query_row("SELECT id, machine FROM runs", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(old, ("a".to_owned(), None), "what was there is there");
        // To this version that is a newer one, and not to be touched.
        assert_eq!(migrate(&mut connection, STEPS).unwrap(), Found::Ours(further.len()));
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut connection, &[STEPS[0], "CREATE TABLE runs (x)"]).is_err());
        assert_eq!(look(&connection).unwrap(), Found::Empty);
    }

    #[test]
    fn the_database_of_another_program_is_not_touched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE bookmarks (x); PRAGMA user_version = 1;").unwrap();
        assert_eq!(migrate(&mut connection, STEPS).unwrap(), Found::Foreign);
    }
}
