//! What a policy of the KV cache costs in answers, and saves: texts scored as one sequence each, as
//! if their tokens had come one at a time; and the study, which also continues them and compares
//! policies.
//!
//! Which policies there are is the backend's affair; here they are specs. Files and their names are
//! left to the command.

mod experiment;
mod figures;
pub(crate) mod generate;
mod method;
mod page;
mod pictures;
mod results;
mod score;
mod stream;
mod study;
#[cfg(test)]
pub(crate) mod testing;

pub use experiment::KvStudy;
pub use method::{Group, Method};
pub use pictures::{comparison, pareto};
pub use results::results;
pub use stream::{Stream, TextStream};
pub use study::Study;
