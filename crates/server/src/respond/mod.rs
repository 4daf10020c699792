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

pub(crate) use body::in_one_piece;
pub(crate) use clock::{Outcome, Record};
pub(crate) use shape::Shape;
pub(crate) use stream::stream;
