//! Why records are not of one load.

use pacemark_files::excerpt;

/// Why records cannot be put together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PoolError {
    /// No record.
    #[error("there is no record to put together")]
    Nothing,
    /// Not of a load.
    #[error("{name}: trials[{trial}].experiment: expected load, found {}", excerpt(found))]
    NoLoad {
        /// Whose record.
        name: String,
        /// Number of the trial, from 0.
        trial: usize,
        /// What it is.
        found: String,
    },
    /// Another number of rows.
    #[error("{name}: trials: expected {expected} as in {of}, found {found}")]
    Rows {
        /// Whose record.
        name: String,
        /// Whom it is compared with.
        of: String,
        /// Rows there.
        expected: usize,
        /// Rows here.
        found: usize,
    },
    /// Something that one load has once.
    #[error("{name}: {field}: expected {} as in {of}, found {}", excerpt(expected), excerpt(found))]
    Differs {
        /// Whose record.
        name: String,
        /// Whom it is compared with.
        of: String,
        /// What differs.
        field: String,
        /// Its value there.
        expected: String,
        /// Its value here.
        found: String,
    },
    /// The same record again.
    #[error("{name}: expected another record, found the requests of {of} again")]
    Twice {
        /// Whose record.
        name: String,
        /// The same.
        of: String,
    },
    /// They were not sent at the same time.
    #[error(
        "{name}: trials[{trial}]: expected requests at the same time as those of {of}, found that {seconds:.1} s lie between them: \
         they are no load together"
    )]
    Apart {
        /// Whose record: who began last.
        name: String,
        /// Who ended first.
        of: String,
        /// Number of the trial, from 0.
        trial: usize,
        /// Between the end of that and the beginning of this.
        seconds: f64,
    },
}
