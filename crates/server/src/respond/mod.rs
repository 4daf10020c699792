//! From the service's events to an answer: in one piece or as a stream.

mod body;
mod clock;
mod logprobs;
mod shape;
mod stream;
mod submit;
mod submitted;
mod tickets;
mod whole;
mod wire;

pub use body::in_one_piece;
pub use clock::{Outcome, Record};
pub use shape::Shape;
pub use stream::stream;
