//! What a record says of the machine and the build.

use pacemark_record::{Env, env};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is known before a run.
pub fn env() -> Env {
    Env {
        cpu_model: env::cpu_model(),
        logical_cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: env::memory_bytes(),
        kernel: env::kernel(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("PACEMARK_COMMIT").to_owned(),
        build_number: env!("PACEMARK_BUILD_NUMBER").parse().unwrap_or(0),
        started_unix_s: now_unix_s(),
        load_average_1m: env::load_average_1m(),
        steal_share: None,
    }
}

/// Seconds since 1970 UTC.
pub fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
