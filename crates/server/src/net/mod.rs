//! Connections: accepting them, their limits and timeouts, and how a server ends.

mod http;
mod io;
mod listen;
mod running;

pub(crate) use http::WrongHosts;
pub use running::{Local, Running, start};
