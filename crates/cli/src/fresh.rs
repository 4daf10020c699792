//! Work that is done in a process of its own, by a hidden command of this program: its memory and its
//! times are nobody else's then.
//!
//! It is told a line of JSON and answers JSON. It lives no longer than who asked, however that ends.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// How often to look whether the process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Has a new process do the work; `None` once `stop` is set, and it is ended.
pub(crate) fn ask<Work: Serialize, Answer: DeserializeOwned>(
    command: &str,
    work: &Work,
    stop: &AtomicBool,
) -> Result<Option<Answer>> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut child = Command::new(program)
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for who asked and has something to show.
        .process_group(0)
        .spawn()
        .context("cannot start a process to run the model in")?;
    let mut told = child.stdin.take().context("the process takes no input")?;
    let line = serde_json::to_string(work)? + "\n";
    // A process that has failed already does not listen; it has said why.
    let _ = told.write_all(line.as_bytes());
    let (answer, said) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = loop {
        if let Some(status) = child.try_wait().context("the process was lost")? {
            break status;
        }
        if stop.load(Relaxed) {
            let _ = child.kill(); // has ended already
            let _ = child.wait();
            return Ok(None);
        }
        thread::sleep(LOOK);
    };
    // Until here it was open, which kept the process alive.
    drop(told);
    let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
    if !status.success() {
        let said = text(said);
        bail!("{} ({status})", said.trim().trim_start_matches("error: "));
    }
    serde_json::from_str(&text(answer)).map(Some).context("the process did not answer")
}

/// Reads all of a stream, so that who writes it does not wait.
fn reader(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes); // what came until then
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// In the process: the work that it was told. It ends when nobody waits for its answer any more.
pub(crate) fn told<Work: DeserializeOwned>() -> Result<Work> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("standard input")?;
    let work = serde_json::from_str(&line).context("standard input")?;
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(1);
    });
    Ok(work)
}

/// In the process: its answer.
pub(crate) fn answer(answer: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    Ok(out.flush()?)
}
