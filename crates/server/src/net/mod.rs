//! Connections: accepting them, their limits and timeouts, and how a server ends.

mod http;
mod io;
mod listen;
mod running;

pub use http::WrongHosts;
pub use running::{Local, Running, start};
