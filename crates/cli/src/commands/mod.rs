//! The subcommands, one file each.

mod models;
mod run;
mod tokenize;

use crate::exit::Exit;
use clap::{Parser, Subcommand};

/// Measure a language model on this machine, and run it as fast as the machine allows.
#[derive(Parser, Debug)]
#[command(name = "pacemark", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Get, list and describe models
    Models(models::Args),
    /// Generate text from a prompt
    Run(Box<run::Args>),
    /// Show the token ids of a text
    Tokenize(tokenize::Args),
}

/// Runs the chosen subcommand.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Models(args) => models::run(args),
        Command::Run(args) => run::run(*args),
        Command::Tokenize(args) => tokenize::run(args),
    }
}
