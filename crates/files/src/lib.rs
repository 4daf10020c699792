//! What crosses the edge of the process: text that comes in, files that go out, and how much of
//! either an error quotes.
//!
//! [`text`] reads text as editors and shells of all systems write it, with or without a byte-order
//! mark. [`Output`] is the one way in which a file is written: whole or not at all, and nothing
//! that was there is lost. [`excerpt()`] bounds what a message repeats of its input. [`look`] tells a
//! file that is not there from one that cannot be seen. [`nearest()`] finds the name that was meant.
//!
//! What the bytes mean is left to whoever reads or writes them; nothing here knows a format.

pub mod excerpt;
pub mod look;
mod nearest;
mod output;
mod temporary;
pub mod text;

pub use excerpt::{bounded, excerpt, quoted};
pub use nearest::{by_likeness, nearest};
pub use output::{Output, OutputError, is_stdout, resolved, write};
pub use temporary::{TemporaryFile, remove_all as remove_temporary_files};
