//! The `pacemark` binary: flags to options, wiring, exit codes.
//!
//! Each subcommand is one file in `commands` with its `Args` and a `run` function; this file only
//! dispatches and turns errors to exit codes. Nothing below this crate parses flags, prints to a
//! terminal or exits.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "comments of flags are their help, and its brackets are no links"
)]

#[macro_use]
mod tell;

mod backend;
mod child;
mod commands;
mod devices;
mod engine;
mod exit;
mod experiments;
mod fingerprint;
mod fresh;
mod history;
mod hub;
mod input;
mod interrupt;
mod machine;
mod measured;
mod offload;
mod output;
mod process;
mod progress;
mod rounds;
mod server;
mod setup;
mod template;
#[cfg(test)]
mod testing;
mod texts;
mod until;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    fresh::tie();
    let arguments = commands::long_options(std::env::args_os());
    let cli = commands::Cli::try_parse_from(arguments).unwrap_or_else(|error| exit::usage(&error));
    match commands::run(cli) {
        Ok(code) => code.into(),
        Err(error) => exit::report(&error).into(),
    }
}
