//! What can compute beside the processors, and computing for other machines: llama.cpp's, and in
//! builds without it the same functions that say how to get it.

use crate::LoadError;
use pacemark_setup::Offload;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What layers can go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// By which `-dev` knows it.
    pub name: String,
    /// In its driver's words; a worker's address.
    pub description: String,
    /// Bytes.
    pub total_bytes: u64,
    /// Bytes.
    pub free_bytes: u64,
}

/// How this machine computes for others.
#[derive(Clone, Debug)]
pub struct Work {
    /// Threads of the processors.
    pub n_threads: usize,
    /// Devices by name; none for the processors.
    pub devices: Vec<String>,
    /// A folder for large tensors that were sent once, so that they are not sent again.
    pub cache: Option<PathBuf>,
}

/// The devices that layers may go to: workers', then this machine's own.
///
/// # Errors
/// Where a worker cannot be used, or this build has no llama.cpp.
pub fn devices(offload: &Offload) -> Result<Vec<Device>, LoadError> {
    #[cfg(feature = "llama-cpp")]
    return Ok(crate::llama_cpp::devices(offload)?);
    #[cfg(not(feature = "llama-cpp"))]
    match offload.workers.is_empty() {
        true => Ok(Vec::new()),
        false => Err(left_out()),
    }
}

/// Starts llama.cpp's worker on a port of loopback, which is returned: it serves one connection after
/// the other until the process ends.
///
/// # Errors
/// Where a device is not there, the worker does not come to listen, or this build has no llama.cpp.
pub fn work(work: Work) -> Result<SocketAddr, LoadError> {
    #[cfg(feature = "llama-cpp")]
    return Ok(crate::llama_cpp::work(work)?);
    #[cfg(not(feature = "llama-cpp"))]
    {
        let Work { .. } = work;
        Err(left_out())
    }
}

#[cfg(not(feature = "llama-cpp"))]
fn left_out() -> LoadError {
    format!("llama.cpp: {}", crate::table::LEFT_OUT).into()
}
