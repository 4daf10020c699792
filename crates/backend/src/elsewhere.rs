//! Other machines that compute for a backend.

pub use pacemark_rpc::{Link, Usage, WorkerUsage};

/// Workers on other machines, and what they were used for.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// The way to each, as it was measured before it was used; in the order of `usage.workers`.
    pub links: Vec<Link>,
    /// Since they were connected: numbers that only grow ([`Usage::since`]).
    pub usage: Usage,
}
