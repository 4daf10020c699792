//! Exit codes and how an error reaches the user.

use pacemark_files::{bounded, excerpt};
use std::process::ExitCode;

/// What the process says when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Fine = 0,
    /// Something failed.
    Failed = 1,
    /// The command line cannot be carried out as written (clap's own code).
    Usage = 2,
    /// All was measured, and a limit or target was missed, or what was measured is too little to
    /// show that it was met.
    Missed = 3,
    /// Nothing can be told: git bisect is to skip the commit.
    CannotTell = 125,
}

impl Exit {
    /// The code of a command that was held to limits or targets: `not_met` says of each that is not
    /// shown to be met why.
    pub fn held_to(not_met: &[String]) -> Exit {
        if not_met.is_empty() { Exit::Fine } else { Exit::Missed }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error in what the user typed: exit code 2.
#[derive(Debug)]
pub(crate) struct UsageError(pub String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Refuses values of a list flag that would be measured twice.
pub(crate) fn distinct<T: PartialEq + std::fmt::Display>(
    flag: &str,
    values: &[T],
) -> Result<(), UsageError> {
    match values.iter().enumerate().find(|(i, value)| values[..*i].contains(value)) {
        Some((_, value)) => {
            Err(UsageError(format!("{flag}: {} is there twice", excerpt(&value.to_string()))))
        }
        None => Ok(()),
    }
}

/// All that is right, or everything that is wrong, a line each; what is no error of usage ends it.
pub(crate) fn together<T>(
    results: impl Iterator<Item = anyhow::Result<T>>,
) -> anyhow::Result<Vec<T>> {
    let (mut fine, mut wrong) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => fine.push(value),
            Err(error) if error.is::<UsageError>() => wrong.push(format!("{error:#}")),
            Err(error) => return Err(error),
        }
    }
    wrong.dedup();
    if wrong.is_empty() { Ok(fine) } else { Err(UsageError(wrong.join("\n")).into()) }
}

/// Ends the process with clap's own message and code. It repeats arguments in full: a line with one
/// that nobody reads is cut.
pub(crate) fn usage(error: &clap::Error) -> ! {
    const LINE: usize = 300;
    let text = error.render().to_string();
    if !error.use_stderr() || text.lines().all(|line| line.len() <= LINE) {
        error.exit();
    }
    text.lines().for_each(|line| eprintln!("{}", excerpt(line)));
    std::process::exit(error.exit_code())
}

/// Prints `error` with its causes to stderr, and chooses the code.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    if error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    }) {
        return Exit::Fine; // the reader of our output has gone: nobody to tell
    }
    eprintln!("error: {}", bounded(&format!("{error:#}")));
    if error.chain().any(|cause| cause.is::<UsageError>()) { Exit::Usage } else { Exit::Failed }
}
