//! The other side: devices that this machine has, and computing for others on them.

use super::LlamaCppError;
use super::devices::{Named, all};
use super::ffi::{self, About};
use super::workers::Workers;
use crate::{Device, Work};
use pacemark_setup::Offload;
use std::ffi::CString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How long llama.cpp's worker may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Why this machine does not compute for others.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// A device that there is not.
    #[error("-d {0}: there is no such device (`pacemark bench --list-devices` has them)")]
    NoDevice(String),
    /// The cache's path cannot be handed to C.
    #[error("{}: the path contains a NUL byte or is not UTF-8", .0.display())]
    Path(PathBuf),
    /// No port or thread was to be had.
    #[error("cannot start llama.cpp's worker: {0}")]
    Start(#[from] io::Error),
    /// It ended, or never began.
    #[error("llama.cpp's worker ended: {0}")]
    Ended(String),
}

/// The devices that layers may go to: workers', then this machine's own.
pub(crate) fn devices(offload: &Offload) -> Result<Vec<Device>, LlamaCppError> {
    let workers = Workers::of(offload)?;
    let tell = |Named { name, device }: Named| {
        let About { description, free, total, .. } = device.about();
        let description =
            workers.as_ref().map_or(description.clone(), |workers| workers.named(description));
        Device { name, description, total_bytes: total, free_bytes: free }
    };
    Ok(all(workers.as_deref()).into_iter().map(tell).collect())
}

/// See [`crate::work`].
pub(crate) fn work(work: Work) -> Result<SocketAddr, WorkError> {
    let Work { n_threads, devices: wanted, cache } = work;
    let known = all(None);
    let find = |name: &String| {
        let found = known.iter().find(|known| known.name == *name);
        found.map(|known| known.device).ok_or_else(|| WorkError::NoDevice(name.clone()))
    };
    let devices = wanted.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let folder = match cache {
        None => None,
        Some(path) => {
            // llama.cpp takes the path as it is, with the separator at its end.
            let text = path.to_str().map(|text| format!("{text}/"));
            Some(
                text.and_then(|text| CString::new(text).ok())
                    .ok_or(WorkError::Path(path.clone()))?,
            )
        }
    };
    // llama.cpp binds the port itself: one that is free now. Should another process take it in
    // between, the worker ends and says so.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let text =
        CString::new(address.to_string()).map_err(|error| WorkError::Ended(error.to_string()))?;
    let worker = thread::Builder::new()
        .name("rpc worker".into())
        .spawn(move || ffi::work_for_others(&text, folder.as_ref(), n_threads, &devices))?;
    let start = Instant::now();
    while !worker.is_finished() && start.elapsed() < START_TIMEOUT {
        if TcpStream::connect(address).is_ok() {
            return Ok(address);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let why = match worker.is_finished().then(|| worker.join()) {
        Some(Ok(false)) => "this llama.cpp was built without workers (GGML_RPC)".to_owned(),
        Some(_) => ffi::take_errors(),
        None => format!("it did not listen within {} s", START_TIMEOUT.as_secs()),
    };
    Err(WorkError::Ended(why))
}
