//! Stands before llama.cpp's server on the worker's machine. That server listens on loopback,
//! knows no password, serves one connection at a time and says nothing of itself meanwhile. The
//! gate takes callers of private networks (all, if told so), lets them in one by one, measures what
//! the worker takes to compute, and answers at once, beside whoever is served, who asks whether the
//! worker lives. Starting the server, and printing, are the caller's.

mod callers;
mod control;
mod event;

pub(crate) use control::CONTROL;
pub use control::GateUsage;
pub use event::{GateEvent, OnEvent};

use crate::socket;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// Whom a gate lets in.
pub struct GateOptions {
    /// Callers of any network, and not of private ones alone.
    pub public: bool,
    /// Connections at a time, of all kinds; more are refused.
    pub most_connections: usize,
    /// A caller of which nothing was heard for so long is gone, and the next one's turn comes.
    pub dead_after: Duration,
    /// A caller that has not said anything for so long after connecting is refused.
    pub hello_timeout: Duration,
    /// What happens, as it happens, from threads of the gate.
    pub on_event: Option<OnEvent>,
}

impl Default for GateOptions {
    fn default() -> GateOptions {
        GateOptions {
            public: false,
            most_connections: 64,
            dead_after: Duration::from_secs(10),
            hello_timeout: Duration::from_secs(10),
            on_event: None,
        }
    }
}

impl fmt::Debug for GateOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateOptions")
            .field("public", &self.public)
            .field("most_connections", &self.most_connections)
            .field("dead_after", &self.dead_after)
            .field("hello_timeout", &self.hello_timeout)
            .finish_non_exhaustive()
    }
}

/// A gate; it closes when this is dropped, and the connections of callers with it.
pub struct Gate {
    address: SocketAddr,
    callers: Arc<callers::Callers>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Gate {
    /// Takes callers from `listener` to the server at `upstream`.
    ///
    /// # Errors
    /// Where the listener has no address.
    pub fn start(
        listener: TcpListener,
        upstream: SocketAddr,
        options: GateOptions,
    ) -> io::Result<Gate> {
        let address = listener.local_addr()?;
        let callers = Arc::new(callers::Callers::new(upstream, options));
        let listening = Arc::clone(&callers);
        std::thread::spawn(move || listening.listen(&listener));
        Ok(Gate { address, callers })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went through it until now.
    pub fn usage(&self) -> GateUsage {
        self.callers.usage()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.callers.stop();
        socket::wake(self.address);
    }
}
