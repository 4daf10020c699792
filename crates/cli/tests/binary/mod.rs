//! The real binary as all tests run it: kept from the history of whoever runs the tests.

#![allow(dead_code, reason = "not every test that includes this needs both")]

use std::process::Command;

/// The binary.
pub(crate) fn pacemark() -> Command {
    without_history(env!("CARGO_BIN_EXE_pacemark"))
}

/// A shell that runs it.
pub(crate) fn shell() -> Command {
    without_history("sh")
}

fn without_history(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PACEMARK_HISTORY", "off");
    command
}
