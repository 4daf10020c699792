//! The subcommands, one file each.

mod bench;
mod eval;
mod models;
mod run;
mod tokenize;

use crate::exit::Exit;
pub use bench::long_options;
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
    /// Measure how fast a model is on this machine: llama-bench's tests, flags and formats
    Bench(Box<bench::Args>),
    /// Measure how good a model's answers are
    Eval(eval::Args),
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
        Command::Bench(args) => bench::run(*args),
        Command::Eval(args) => eval::run(args),
        Command::Models(args) => models::run(args),
        Command::Run(args) => run::run(*args),
        Command::Tokenize(args) => tokenize::run(args),
    }
}
