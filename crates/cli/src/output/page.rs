//! The two streams that formats are written to, and how wide they are.

use anyhow::Result;
use pacemark_report::Page;
use std::io::{self, IsTerminal, Write};
use terminal_size::{Width, terminal_size_of};

/// Standard output or standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    /// As wide as the terminal; a file or a pipe is as wide as it needs to be.
    pub(super) fn page(self) -> Page {
        let width = match self {
            Stream::Stdout if io::stdout().is_terminal() => terminal_size_of(io::stdout()),
            Stream::Stderr if io::stderr().is_terminal() => terminal_size_of(io::stderr()),
            Stream::Stdout | Stream::Stderr => None,
        };
        Page { width: width.map(|(Width(columns), _)| usize::from(columns)), ..Page::default() }
    }

    /// Writes all of it now.
    pub(super) fn write(self, text: &str) -> Result<()> {
        match self {
            Stream::Stderr => io::stderr().write_all(text.as_bytes())?,
            Stream::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()?;
            }
        }
        Ok(())
    }
}
