//! A server of ours in a process of its own, for as long as a load needs it.

use anyhow::{Context, Result, bail};
use pacemark_load::Target;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};

/// The server; it ends when this is dropped.
pub(super) struct Child {
    process: process::Child,
    /// Where it listens.
    pub target: Target,
}

impl Child {
    /// Starts `pacemark serve ARGUMENTS` on a port that is free, and waits until it is ready.
    pub(super) fn serve(arguments: &[String]) -> Result<Child> {
        let program =
            std::env::current_exe().context("cannot find this program, to start a server with")?;
        let mut process = Command::new(program)
            .arg("serve")
            .args(arguments)
            .args(["--port", "0", "--until-eof"])
            // Open as long as this process lives, however it ends.
            .stdin(Stdio::piped())
            // Ctrl-C is for the load, which still has answers to come.
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start a server")?;
        let mut said = process.stderr.take().map(BufReader::new);
        let mut before = String::new();
        while let Some(out) = &mut said {
            let mut line = String::new();
            if !matches!(out.read_line(&mut line), Ok(1..)) {
                break;
            }
            let url = line.strip_prefix("ready: ").and_then(|rest| rest.split_whitespace().next());
            if let Some(Ok(target)) = url.map(Target::parse) {
                // A line for each request: read, so that the pipe does not fill, and not shown.
                let rest = said.take();
                std::thread::spawn(move || {
                    rest.map(|mut rest| std::io::copy(&mut rest, &mut std::io::sink()))
                });
                return Ok(Child { process, target });
            }
            before += &line;
        }
        end(&mut process);
        bail!(
            "the server did not start: {}",
            if before.is_empty() { "it said nothing" } else { before.trim() }
        )
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Nothing of it is kept, so it need not be asked.
fn end(process: &mut process::Child) {
    let _ = process.kill(); // has ended already
    let _ = process.wait();
}
