//! The server's log: a line for each request, on standard error.

use std::fmt::Arguments;
use std::io::Write;

/// Writes a line in one piece; standard error is not buffered, and `eprintln!` would write each part by itself. Where nobody
/// reads any more, serving goes on.
pub fn line(text: Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}
