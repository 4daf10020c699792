//! What a policy of the KV cache costs in answers, and saves: texts scored as one sequence each, as
//! if their tokens had come one at a time.
//!
//! Which policies there are is the backend's affair; here they are specs.

mod score;
mod stream;

pub use stream::{Stream, TextStream};
