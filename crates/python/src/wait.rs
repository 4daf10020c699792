//! The one place that waits: without the interpreter's lock, and with an eye on signals.

use pyo3::prelude::*;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How long Ctrl-C may take to be seen.
const LOOK: Duration = Duration::from_millis(50);

/// What came while somebody waited.
pub(crate) enum Came<T> {
    /// This.
    Told(T),
    /// Nothing for a while.
    Nothing,
    /// Nobody tells anything any more.
    End,
}

/// Waits for a while.
///
/// # Errors
/// What a signal's handler raised, above all `KeyboardInterrupt`. Other threads than the main one see no
/// signals (Python's rule).
pub(crate) fn within<T: Send>(py: Python<'_>, from: &mut Receiver<T>) -> PyResult<Came<T>> {
    match py.detach(move || from.recv_timeout(LOOK)) {
        Ok(told) => Ok(Came::Told(told)),
        Err(RecvTimeoutError::Disconnected) => Ok(Came::End),
        Err(RecvTimeoutError::Timeout) => {
            py.check_signals()?;
            Ok(Came::Nothing)
        }
    }
}

/// The next of what comes, however long that takes; `None` when nobody tells anything any more.
///
/// # Errors
/// As [`within`].
pub(crate) fn next<T: Send>(py: Python<'_>, from: &mut Receiver<T>) -> PyResult<Option<T>> {
    loop {
        match within(py, from)? {
            Came::Told(told) => return Ok(Some(told)),
            Came::Nothing => {}
            Came::End => return Ok(None),
        }
    }
}
