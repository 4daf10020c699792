//! The history of runs: one SQLite file that any number of processes write to at once.
//!
//! The record's JSON is the truth and is stored as it was written; every other column is an index
//! that can be made from it anew, but for what people said of a run: tags and a note. A run's
//! identity is the hash of its record, so the same run is stored once however often it comes
//! ([`KeptRun`]). [`Store`] saves, lists, finds and removes; [`mod@lines`] is how runs travel between
//! histories, as JSON Lines.
//!
//! Where the file is, what a figure is called and what is shown of it is left to others: who saves
//! gives each trial's [`Label`].

mod browse;
mod error;
mod gc;
mod kept;
pub mod lines;
mod list;
mod open;
mod schema;
mod store;
mod tag;

pub use browse::{Choices, Written};
pub use error::{Result, StoreError, Trouble};
pub use gc::Sweep;
pub use kept::KeptRun;
pub use list::{Entry, Filter, IndexedTrial, LIST};
pub use store::{Label, Labels, Saved, Store};
pub use tag::{LONGEST_NOTE, check_note, check_tag};
