//! Connections and one exchange over them: bytes out, stamped bytes back. What the bytes mean is
//! left to `analyse`.

mod client;
mod connect;
mod exchange;
mod records;
mod stamped;
mod tls;

pub use client::{Client, Piece, Sending, Whole};
pub use connect::ConnectorError;
pub(crate) use connect::{Connector, Pool};
pub(crate) use exchange::{End, Exchange, Outgoing, Received, exchange};

pub use tls::{Trust, TrustError, system_certificates};

use std::time::Duration;

/// Whether a connection serves several requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// As long as the server keeps it.
    Reuse,
    /// Each request opens its own.
    Fresh,
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// From sending a request to the head of its answer.
    pub first_byte: Duration,
    /// For the next bytes of an answer.
    pub stall: Duration,
    /// For a whole request.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let seconds = Duration::from_secs;
        Timeouts {
            connect: seconds(10),
            first_byte: seconds(120),
            stall: seconds(60),
            total: seconds(600),
        }
    }
}
