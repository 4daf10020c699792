//! `eprintln!` for this crate: standard error may be closed or full, and that must not end a
//! command that works. The standard library's macro panics then; this one goes on, so that nobody
//! has to remember which to use.

/// Writes a line to standard error in one piece; where nobody reads it, it is lost.
macro_rules! eprintln {
    ($($text:tt)*) => {
        $crate::tell::line(format_args!($($text)*))
    };
}

/// What `eprintln!` does.
pub(crate) fn line(text: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes()); // there is nobody to tell
}
