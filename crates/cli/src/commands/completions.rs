//! `pacemark completions` and `pacemark man`: from the same definitions as the flags themselves.

use super::Cli;
use crate::exit::Exit;
use anyhow::Result;
use clap::CommandFactory;
use std::io::Write;

const EXAMPLES: &str = "Examples:
  pacemark completions bash > ~/.local/share/bash-completion/completions/pacemark
  pacemark completions zsh > ~/.zfunc/_pacemark
  pacemark completions fish > ~/.config/fish/completions/pacemark.fish";

/// Print the completion script of a shell
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Prints the script.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pacemark", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Fine)
}

/// Prints the manual page of the program, then one of each subcommand, in roff.
pub(super) fn man() -> Result<Exit> {
    let command = Cli::command();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands().filter(|c| c.get_name() != "help") {
        let title = format!("pacemark-{}", subcommand.get_name());
        clap_mangen::Man::new(subcommand.clone()).title(title).render(&mut page)?;
    }
    std::io::stdout().write_all(&page)?;
    Ok(Exit::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }
}
