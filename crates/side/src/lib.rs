//! Engines that run in a process beside this one, as a Python package does: JSON, a line a message,
//! over the process's standard input and output.
//!
//! Here are the messages ([`protocol`]), the process and what becomes of it ([`Process`]), and whose
//! clock is whose ([`Clock`]), and that nothing it started outlives it ([`output`] for one that is asked
//! nothing). Which engines there are, and what a backend makes of their answers, is
//! left to `backends`. The script's side of the protocol is `python/side.py`.

mod clock;
mod floats;
mod group;
mod process;
pub mod protocol;

pub use clock::Clock;
pub use floats::floats;
pub use group::output;
pub use process::{Process, SideError};
