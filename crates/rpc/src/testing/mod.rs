//! For tests, of this crate and of others: a worker that computes nothing ([`MockWorker`]), what
//! llama.cpp says to one ([`Caller`]), and a long way between two machines ([`Delayed`]).

mod caller;
mod delayed;
mod memory;
mod mock;

pub use caller::Caller;
pub use delayed::Delayed;
pub use mock::{Misdeed, Mock, MockWorker};
