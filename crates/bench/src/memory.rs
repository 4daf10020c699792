//! Memory of whatever computes: of this process, of the one beside it, or of nobody who can be asked.

use pacemark_backend::{Backend, Computes};
use pacemark_record::env;

/// Highest resident memory in bytes of the process that computes for `backend`; `None` where the system
/// does not tell, or it is a server's.
pub fn peak_rss_bytes(backend: &dyn Backend) -> Option<u64> {
    match backend.computes() {
        Computes::Here => env::peak_rss_bytes(),
        Computes::Process(process) => env::peak_rss_bytes_of(process),
        Computes::Elsewhere => None,
    }
}
