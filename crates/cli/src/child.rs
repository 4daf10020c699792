//! A command of this program that serves others, in a process of its own, for as long as this one
//! needs it.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};

/// The process; it ends when this is dropped.
pub(crate) struct Child {
    process: process::Child,
    /// What it said when it was ready, without the word.
    pub(crate) ready: String,
}

impl Child {
    /// Starts `pacemark ARGUMENTS --port 0 --until-eof` and waits until it says that it is ready.
    pub(crate) fn start<S: AsRef<str>>(arguments: &[S]) -> Result<Child> {
        let name = arguments.first().map_or("process", AsRef::as_ref).to_owned();
        let program = std::env::current_exe()
            .with_context(|| format!("cannot find this program, to start {name} with"))?;
        let mut process = Command::new(program)
            .args(arguments.iter().map(AsRef::as_ref))
            .args(["--port", "0", "--until-eof"])
            // Open as long as this process lives, however it ends.
            .stdin(Stdio::piped())
            // Ctrl-C is for this process, which still has answers to come.
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut said = process.stderr.take().map(BufReader::new);
        let mut before = String::new();
        while let Some(out) = &mut said {
            let mut line = String::new();
            if !matches!(out.read_line(&mut line), Ok(1..)) {
                break;
            }
            if let Some(ready) = line.strip_prefix("ready: ") {
                // A line for each caller: read, so that the pipe does not fill, and not shown.
                let rest = said.take();
                std::thread::spawn(move || {
                    rest.map(|mut rest| std::io::copy(&mut rest, &mut std::io::sink()))
                });
                return Ok(Child { process, ready: ready.trim().to_owned() });
            }
            before += &line;
        }
        end(&mut process);
        bail!(
            "{name} did not start: {}",
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
