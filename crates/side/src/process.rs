//! The process of an engine: started, asked, heard, and ended with its owner.
//!
//! Whatever it does, its owner learns it: a line that is no message, a line that never ends, an end in
//! the middle with what it said on standard error. It ends when its standard input does, and is killed
//! where it does not.

use crate::protocol::{Ask, Loaded, Tell, VERSION};
use crate::{Clock, group};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than any message: scores of a text of a million tokens.
const LONGEST_LINE_BYTES: u64 = 64 << 20;
/// Messages that are taken before somebody asks for them; then the engine waits.
const MESSAGES_AHEAD: usize = 256;
/// Kept of standard error, from its end.
const LAST_WORDS_BYTES: usize = 4096;
/// How long a process may take to end by itself.
const FAREWELL: Duration = Duration::from_millis(500);
/// How often to look whether it has ended, while it says nothing.
const LOOK: Duration = Duration::from_millis(500);
/// Questions by which its clock is found.
const N_CLOCK: u32 = 9;

/// Why an engine in another process gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// There is no such program, or it may not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// What was to be started.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It ended, or closed its output.
    #[error("its process ended ({status}){}", said(.last_words))]
    Ended {
        /// How.
        status: String,
        /// The end of what it said on standard error.
        last_words: String,
    },
    /// It said what is no message.
    #[error("its process said what is no message of protocol {VERSION}: {line:?} ({why})")]
    Garbage {
        /// The beginning of it.
        line: String,
        /// What is wrong.
        why: String,
    },
    /// It speaks another version.
    #[error("its process speaks protocol {found}, expected {VERSION}")]
    Version {
        /// Which.
        found: u32,
    },
    /// It said nothing.
    #[error("its process said nothing for {} s", within.as_secs_f64())]
    Silent {
        /// For so long.
        within: Duration,
    },
}

fn said(last_words: &str) -> String {
    let lines: Vec<&str> =
        last_words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // A traceback has its reason at its end.
    match lines.last() {
        None => String::new(),
        Some(last) => format!(": {}", plain(last)),
    }
}

/// A process that is an engine.
pub struct Process {
    child: Child,
    /// `None` when it is to end.
    stdin: Option<ChildStdin>,
    heard: Receiver<Result<Tell, SideError>>,
    last_words: Arc<Mutex<VecDeque<u8>>>,
    /// Ends when standard error does. That of messages may be waiting for who takes them.
    of_stderr: Option<JoinHandle<()>>,
    engine: String,
    /// Why nothing more can come of it, once that is so.
    over: Arc<OnceLock<String>>,
    /// The process of the engine itself: the child, or one of those that it started.
    id: u32,
}

impl Process {
    /// Starts it and hears who it is.
    ///
    /// # Errors
    /// Where it does not start, says something else first, or nothing within `patience`.
    pub fn start(mut command: Command, patience: Duration) -> Result<Process, SideError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |source| SideError::Start { program: program.clone(), source };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // It ends with its standard input.
        let mut child = group::lead(&mut command).spawn().map_err(failed)?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let (told, heard) = sync_channel(MESSAGES_AHEAD);
        let mut of_stderr = None;
        let over = Arc::new(OnceLock::new());
        if let Some(stdout) = stdout {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                let mut out = BufReader::new(stdout);
                while let Some(message) = message(&mut out) {
                    let end = message.as_ref().err().map(ToString::to_string);
                    let is_last = end.is_some();
                    end.into_iter().for_each(|end| drop(over.set(end)));
                    if told.send(message).is_err() || is_last {
                        return;
                    }
                }
                let _ = over.set("its process ended".to_owned()); // once is enough
            });
        }
        if let Some(mut stderr) = stderr {
            let words = Arc::clone(&last_words);
            of_stderr = Some(std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(n @ 1..) = stderr.read(&mut buffer) {
                    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                    words.extend(&buffer[..n]);
                    let surplus = words.len().saturating_sub(LAST_WORDS_BYTES);
                    words.drain(..surplus);
                }
            }));
        }
        let (engine, id) = (String::new(), child.id());
        let mut process = Process { child, stdin, heard, last_words, of_stderr, engine, over, id };
        match process.next(patience)? {
            Tell::Hello { protocol: VERSION, engine, pid } => {
                process.engine = engine;
                process.id = pid.filter(|&pid| group_of(pid) == Some(id)).unwrap_or(id);
            }
            Tell::Hello { protocol, .. } => return Err(SideError::Version { found: protocol }),
            other => return Err(out_of_turn(&other, "hello")),
        }
        Ok(process)
    }

    /// The engine and its version.
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// Its number, for who reads what the system knows of it: of the process that says it is the
    /// engine, if that is of the group that was started; else of what was started.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Who knows, on any thread, why nothing more can come of it; nothing as long as something can.
    pub fn watch(&self) -> impl Fn() -> Option<String> + Send + Sync + 'static {
        let over = Arc::clone(&self.over);
        move || over.get().cloned()
    }

    /// Asks.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn ask(&mut self, ask: &Ask) -> Result<(), SideError> {
        let mut line = serde_json::to_vec(ask).unwrap_or_default();
        line.push(b'\n');
        let sent =
            self.stdin.as_mut().map(|stdin| stdin.write_all(&line).and_then(|()| stdin.flush()));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.ended()),
        }
    }

    /// The next thing that it tells.
    ///
    /// # Errors
    /// Where it has ended, said no message, or nothing for so long.
    pub fn next(&mut self, patience: Duration) -> Result<Tell, SideError> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left.min(LOOK)) {
                Ok(message) => return message,
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    return Err(SideError::Silent { within: patience });
                }
                Err(RecvTimeoutError::Timeout) => {
                    // What it started may hold its output open after its end.
                    if let Ok(Some(_)) = self.child.try_wait() {
                        group::end(&self.child);
                        let last = self.heard.recv_timeout(FAREWELL);
                        return last.unwrap_or_else(|_| Err(self.ended()));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        }
    }

    /// Finds how its clock lies to ours; nothing else may be under way.
    ///
    /// # Errors
    /// As [`Process::next`], and where it answers something else.
    pub fn clock(&mut self, patience: Duration) -> Result<Clock, SideError> {
        let mut asked = Vec::new();
        for n in 0..N_CLOCK {
            let sent = Instant::now();
            self.ask(&Ask::Clock { n })?;
            match self.next(patience)? {
                Tell::Clock { n: of, ns } if of == n => asked.push((sent, ns, Instant::now())),
                other => return Err(out_of_turn(&other, "clock")),
            }
        }
        Clock::of(&asked).ok_or(SideError::Silent { within: patience })
    }

    /// Why nothing comes from it any more.
    fn ended(&mut self) -> SideError {
        // Its output is closed; it may need a moment for the rest.
        let status = self.wait(FAREWELL);
        group::end(&self.child);
        let status = status.unwrap_or_else(|| {
            self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
        });
        // Who has left its group may hold its standard error open: it is not waited for.
        let begun = Instant::now();
        let is_over = |listener: &JoinHandle<()>| listener.is_finished();
        while !self.of_stderr.as_ref().is_none_or(is_over) && begun.elapsed() < FAREWELL {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let last_words = String::from_utf8_lossy(words.make_contiguous()).into_owned();
        SideError::Ended { status, last_words }
    }

    fn wait(&mut self, patience: Duration) -> Option<String> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status.to_string());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stdin = None;
        let status = self.wait(FAREWELL);
        group::end(&self.child);
        if status.is_none() {
            let _ = self.child.wait();
        }
    }
}

/// The group that a process is of, where the system tells it as Linux does (proc(5), `stat`).
fn group_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it, in brackets, may have brackets and spaces itself.
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

/// What came in place of what was awaited.
fn out_of_turn(found: &Tell, expected: &str) -> SideError {
    let line = serde_json::to_string(found).unwrap_or_default();
    SideError::Garbage { line: excerpt(&line), why: format!("expected {expected}") }
}

fn excerpt(line: &str) -> String {
    line.chars().take(120).collect()
}

/// Text for a terminal: what would steer it stands as a sign.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// The next line as a message; `None` at the end.
fn message(out: &mut impl BufRead) -> Option<Result<Tell, SideError>> {
    let mut line = Vec::new();
    match out.by_ref().take(LONGEST_LINE_BYTES).read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => return None,
        Ok(_) => {}
    }
    let text = || excerpt(&String::from_utf8_lossy(&line));
    if line.last() != Some(&b'\n') {
        // It ended in the middle of it, and says why elsewhere.
        if (line.len() as u64) < LONGEST_LINE_BYTES {
            return None;
        }
        let why = format!("a line of more than {LONGEST_LINE_BYTES} bytes");
        return Some(Err(SideError::Garbage { line: text(), why }));
    }
    let told = serde_json::from_slice(&line).map(|told| match told {
        Tell::Failed { id, index, kind, message } => {
            Tell::Failed { id, index, kind, message: plain(&message) }
        }
        Tell::Loaded(loaded) => {
            let warnings = loaded.warnings.iter().map(|warning| plain(warning)).collect();
            Tell::Loaded(Loaded { warnings, ..loaded })
        }
        told => told,
    });
    Some(told.map_err(|error| SideError::Garbage {
        line: text().trim_end().to_owned(),
        why: error.to_string(),
    }))
}
