//! Processes that are started for a measurement: their memory and their times are nobody else's. Hidden
//! commands of this program are told a line of JSON and answer JSON. Whatever is of this program lives
//! no longer than who asked, however that ends; of another's it is ended with an interrupt.

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How often to look whether a process has ended.
const LOOK: Duration = Duration::from_millis(1);

/// How long a process may take to stop by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a process's output that are kept.
const KEPT: usize = 64 << 20;

/// A process that has ended.
pub(crate) struct Ended {
    pub status: ExitStatus,
    pub out: Vec<u8>,
    pub err: String,
    /// From asking for it to its first byte on standard output.
    pub first: Option<Duration>,
    /// From asking for it to its end, a millisecond at most too long.
    pub took: Duration,
}

/// This program.
pub(crate) fn itself() -> Result<Command> {
    Ok(Command::new(std::env::current_exe().context("cannot find this program")?))
}

/// What a process reads.
pub(crate) enum Told<'a> {
    /// A line, and then nothing: its end is the end of who asked.
    Line(&'a str),
    /// Nothing at all: it is not one of ours.
    Nothing,
}

/// Starts a process and waits for its end; `None` once `stop` is set, and it is ended with all that
/// it started.
pub(crate) fn run(
    command: &mut Command,
    told: &Told<'_>,
    stop: &AtomicBool,
) -> Result<Option<Ended>> {
    start(command, told, stop, Signal::SIGKILL)
}

/// Starts a command of this program that shows and saves what it has when it is asked to stop, and
/// waits for its end. It ends with who asked, too.
pub(crate) fn run_gently(command: &mut Command, stop: &AtomicBool) -> Result<Ended> {
    let own_id = std::process::id().to_string();
    let ended = start(command.env(TIED, own_id), &Told::Line(""), stop, Signal::SIGINT)?;
    ended.context("the process did not stop when it was asked to")
}

/// The process that a command is to end with: who started it. What that command starts in turn inherits
/// it and has another parent.
const TIED: &str = "PACEMARK_TIED";

/// In any command: whether it is to end with who started it, by standard input, which it has for
/// nothing else.
pub(crate) fn tie() {
    let parent = std::os::unix::process::parent_id().to_string();
    if std::env::var_os(TIED).is_some_and(|caller| caller == *parent) {
        end_with_caller();
    }
}

fn start(
    command: &mut Command,
    told: &Told<'_>,
    stop: &AtomicBool,
    signal: Signal,
) -> Result<Option<Ended>> {
    let started = Instant::now();
    let stdin = match told {
        Told::Line(_) => Stdio::piped(),
        Told::Nothing => Stdio::null(),
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for who asked and has something to show.
        .process_group(0)
        .spawn()
        .context("cannot start a process to run the model in")?;
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let mut input = child.stdin.take();
    if let (Some(input), Told::Line(line)) = (&mut input, told) {
        // A process that has failed already does not listen; it has said why.
        let _ = input.write_all(line.as_bytes());
    }
    let Some(status) = wait(&mut child, stop, signal)? else { return Ok(None) };
    let took = started.elapsed();
    // Until here it was open, which kept the process alive.
    drop(input);
    let (out, first) = out.join().unwrap_or_default();
    let (err, _) = err.join().unwrap_or_default();
    let first = first.map(|at| at.saturating_duration_since(started));
    Ok(Some(Ended {
        status,
        out,
        err: String::from_utf8_lossy(&err).into_owned(),
        first,
        // Whoever read its output may have been woken later than who waited for its end.
        took: first.map_or(took, |first| took.max(first)),
    }))
}

/// Until it ends, or until it was killed: `None`. What gets another signal ends by itself, or is killed
/// when it takes too long.
fn wait(child: &mut Child, stop: &AtomicBool, signal: Signal) -> Result<Option<ExitStatus>> {
    // It leads a group of its own; it may have ended already.
    let group = i32::try_from(child.id()).map(Pid::from_raw).context("the process was lost")?;
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait().context("the process was lost")? {
            // What it left running would hold its output open, and disturb what is measured next.
            let _ = killpg(group, Signal::SIGKILL);
            return Ok(Some(status));
        }
        if stop.load(Relaxed) && asked.is_none() {
            asked = Some(Instant::now());
            let _ = killpg(group, signal);
        }
        if asked.is_some_and(|asked| signal == Signal::SIGKILL || asked.elapsed() > PATIENCE) {
            let _ = killpg(group, Signal::SIGKILL);
            let _ = child.wait();
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Reads all of a stream, so that who writes it does not wait, and notes when it began.
fn reader(
    stream: Option<impl Read + Send + 'static>,
) -> thread::JoinHandle<(Vec<u8>, Option<Instant>)> {
    thread::spawn(move || {
        let (mut bytes, mut first) = (Vec::new(), None);
        let Some(mut stream) = stream else { return (bytes, first) };
        let mut part = [0; 65536];
        while let Ok(n @ 1..) = stream.read(&mut part) {
            first.get_or_insert_with(Instant::now);
            bytes.extend_from_slice(&part[..n.min(KEPT - bytes.len())]);
        }
        (bytes, first)
    })
}

/// Has a hidden command of this program do the work; `None` once `stop` is set, and it is ended.
pub(crate) fn ask<Work: Serialize, Answer: DeserializeOwned>(
    command: &str,
    work: &Work,
    stop: &AtomicBool,
) -> Result<Option<Answer>> {
    let line = serde_json::to_string(work)? + "\n";
    let Some(ended) = run(itself()?.arg(command), &Told::Line(&line), stop)? else {
        return Ok(None);
    };
    ended.check()?;
    serde_json::from_slice(&ended.out).map(Some).context("the process did not answer")
}

impl Ended {
    /// Refuses a process that failed, with what it said.
    pub(crate) fn check(&self) -> Result<()> {
        if self.status.success() {
            return Ok(());
        }
        let said = self.err.trim().trim_start_matches("error: ");
        let said = if said.is_empty() { "it said nothing" } else { said };
        bail!("{} ({})", pacemark_files::bounded(said), self.status)
    }
}

/// In the process: the work that it was told.
pub(crate) fn told<Work: DeserializeOwned>() -> Result<Work> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("standard input")?;
    let work = serde_json::from_str(&line).context("standard input")?;
    end_with_caller();
    Ok(work)
}

/// In the process: it ends when nobody waits for its answer any more.
pub(crate) fn end_with_caller() {
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(1);
    });
}

/// In the process: its answer.
pub(crate) fn answer(answer: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    Ok(out.flush()?)
}
