//! What a record says of the machine and the build, and what is planned within the limits of the
//! system.

use anyhow::{Result, bail};
use pacemark_limits::{Memory, Processors, System};
use pacemark_record::{Env, env, host::Host};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is known before a run.
pub(crate) fn env() -> Env {
    let (memory, processors) = (Memory::of(&System::here()), Processors::of(&System::here()));
    Env {
        cpu_model: env::cpu_model(),
        logical_cpus: processors.usable,
        memory_bytes: env::memory_bytes(),
        memory_limit_bytes: memory.limit.as_ref().map(|limit| limit.bytes),
        memory_limit_by: memory.limit.map(|limit| limit.by),
        cpu_quota: processors.quota.as_ref().map(|(share, _)| *share),
        cpu_quota_by: processors.quota.map(|(_, by)| by),
        governor: Host::read().governor,
        kernel: env::kernel(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("PACEMARK_COMMIT").to_owned(),
        build_number: env!("PACEMARK_BUILD_NUMBER").parse().unwrap_or(0),
        started_unix_s: now_unix_s(),
        load_average_1m: env::load_average_1m(),
        steal_share: None,
        devices_absent: Vec::new(),
    }
}

/// Tells of threads that would wait for each other: more than the process has processors for. It is
/// no error: to measure that may be the aim.
pub(crate) fn note_threads(flag: &str, threads: impl IntoIterator<Item = usize>) {
    let processors = Processors::of(&System::here());
    if let Some(most) = threads.into_iter().max().filter(|most| *most > processors.usable) {
        let (n, limit) = (processors.usable, processors.limit());
        let processors = if n == 1 { "processor" } else { "processors" };
        let limit = limit.map_or(String::new(), |limit| format!(" ({limit})"));
        eprintln!(
            "note: {flag} {most}: this process may use {n} {processors}{limit}; more threads wait for each other"
        );
    }
}

/// Refuses what needs more memory than there is.
pub(crate) fn check_memory(needed: u64, what: &str) -> Result<()> {
    let memory = Memory::of(&System::here());
    if let Some(available) = memory.available.filter(|available| needed > *available) {
        let limit = memory.bound_by.map_or(String::new(), |limit| format!(" (limited to {limit})"));
        bail!(
            "{what} needs {} MiB of memory, but {} MiB are available{limit}",
            needed >> 20,
            available >> 20
        );
    }
    Ok(())
}

/// Seconds since 1970 UTC.
pub(crate) fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
