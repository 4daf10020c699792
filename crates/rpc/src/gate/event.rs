//! What happens at a gate, in words for whoever runs the worker.

use std::fmt;
use std::net::SocketAddr;

/// What is told of events.
pub type OnEvent = Box<dyn Fn(&GateEvent) + Send + Sync>;

/// What happens at a gate. Reads as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateEvent {
    /// A caller must wait for others.
    Waiting {
        /// Who.
        caller: SocketAddr,
        /// Callers before it, with the one that is served.
        ahead: usize,
    },
    /// A caller's turn has come.
    Accepted {
        /// Who.
        caller: SocketAddr,
    },
    /// A caller is no longer served.
    Ended {
        /// Who.
        caller: SocketAddr,
        /// Graphs that were computed for it.
        graphs: u64,
        /// What the server or the caller did wrong; nothing where the caller left.
        why: Option<String>,
    },
    /// A caller is not let in.
    Refused {
        /// Who.
        caller: SocketAddr,
        /// Why not, as a clause.
        why: String,
    },
}

impl fmt::Display for GateEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GateEvent::Waiting { caller, ahead } => {
                write!(f, "{caller} waits for its turn, {ahead} before it")
            }
            GateEvent::Accepted { caller } => write!(f, "serving {caller}"),
            GateEvent::Ended { caller, graphs, why: None } => {
                write!(f, "{caller} left, {graphs} graphs computed")
            }
            GateEvent::Ended { caller, graphs, why: Some(why) } => {
                write!(f, "{caller} is no longer served, {graphs} graphs computed: {why}")
            }
            GateEvent::Refused { caller, why } => write!(f, "{caller} refused: {why}"),
        }
    }
}
