//! A server of ours in a process of its own, for as long as a load needs it.

use crate::child::Child;
use anyhow::{Result, bail};
use pacemark_load::Target;

/// The server; it ends when this is dropped.
pub(super) struct Server {
    _child: Child,
    /// Where it listens.
    pub(super) target: Target,
}

impl Server {
    /// Starts `pacemark serve ARGUMENTS` on a port that is free, and waits until it is ready.
    pub(super) fn start(arguments: &[String]) -> Result<Server> {
        let words: Vec<&str> =
            ["serve"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let child = Child::start(&words)?;
        let url = child.ready.split_whitespace().next().unwrap_or_default();
        match Target::parse(url) {
            Ok(target) => Ok(Server { target, _child: child }),
            Err(error) => bail!("the server said {:?}: {error}", child.ready),
        }
    }
}
