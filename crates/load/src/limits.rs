//! Open files: a stream is one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that a process has open besides its streams.
const OTHERS: u64 = 64;

/// The system does not allow as many streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{streams} streams need {needed} open files, the system allows {allowed}: raise it with ulimit -n {needed}"
)]
pub struct LimitError {
    streams: u64,
    needed: u64,
    allowed: u64,
}

/// Raises this process's limit of open files for so many streams at once.
pub fn allow_open_files(streams: u64) -> Result<(), LimitError> {
    let needed = streams.saturating_add(OTHERS);
    // Where there is no such limit, none is in the way.
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
    if soft >= needed {
        return Ok(());
    }
    if hard < needed || setrlimit(Resource::RLIMIT_NOFILE, needed, hard).is_err() {
        return Err(LimitError { streams, needed, allowed: hard });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_allowed_and_absurdly_many_are_not() {
        assert_eq!(allow_open_files(10), Ok(()));
        let refused = allow_open_files(u64::MAX / 2).unwrap_err();
        assert!(refused.to_string().contains("ulimit -n"));
    }
}
