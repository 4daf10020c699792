//! A worker's process as its coordinator has it: what is said to it, what it says, its last words. It
//! lives no longer than this.

use super::message::{Order, Word, next};
use anyhow::{Context, Result};
use pacemark_files::bounded;
use pacemark_load::clock::now_ns;
use pacemark_record::{Env, Offset};
use std::io::{BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a worker's last words.
const WORDS: usize = 2000;

/// How long a worker may take to end when it is told nothing any more.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a worker said, or that it says nothing more, and when that was known.
pub(super) enum Heard {
    /// It said this.
    Word(Word),
    /// It has ended, or what it says means nothing.
    Gone(Option<String>),
}

/// One worker.
pub(super) struct Hand {
    pub name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    words: Arc<Mutex<Vec<u8>>>,
    /// Its machine and build.
    pub env: Env,
    /// Its clock, as it was found before the row.
    pub offset: Option<Offset>,
    /// When it last said something, on this clock: also a part of a row, which may be long.
    heard_ns: Arc<AtomicU64>,
    /// How it went when it last said so: answered, failed, in flight, pieces.
    pub live: [u64; 4],
}

impl Hand {
    /// Starts number `index`, on another machine if `host` is one; what it says goes to `to`.
    pub(super) fn start(
        (name, host): (String, Option<String>),
        worker_command: &str,
        index: usize,
        to: Sender<(usize, u64, Heard)>,
    ) -> Result<Hand> {
        let mut command = match &host {
            None => Command::new(std::env::current_exe().context("cannot find this program")?),
            Some(host) => {
                let mut command = Command::new("ssh");
                command.args(["-oBatchMode=yes", "-oConnectTimeout=10"]);
                command.args(["-oServerAliveInterval=5", "-oServerAliveCountMax=3"]);
                command.arg(host).arg(worker_command);
                command
            }
        };
        let mut child = command
            .arg("load-worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for this process, which asks its workers to stop.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start worker {name}"))?;
        let words = Arc::new(Mutex::new(Vec::new()));
        if let (Some(err), words) = (child.stderr.take(), words.clone()) {
            thread::spawn(move || keep(err, &words));
        }
        let heard_ns = Arc::new(AtomicU64::new(now_ns()));
        if let Some(out) = child.stdout.take() {
            let from_shell = host.is_some();
            let out = Stamped(out, heard_ns.clone());
            thread::spawn(move || hear(BufReader::new(out), from_shell, index, &to));
        }
        let stdin = child.stdin.take();
        let (env, offset, live) = (Env::default(), None, [0; 4]);
        Ok(Hand { name, child, stdin, words, env, offset, heard_ns, live })
    }

    /// For how long it has said nothing.
    pub(super) fn silent(&self) -> Duration {
        Duration::from_nanos(now_ns().saturating_sub(self.heard_ns.load(Relaxed)))
    }

    /// Its silence begins now: it had nothing to say.
    pub(super) fn excuse(&self) {
        self.heard_ns.store(now_ns(), Relaxed);
    }

    /// Tells it something. What cannot be told shows in what it says: nothing more.
    pub(super) fn tell(&mut self, order: &Order) {
        let Ok(mut line) = serde_json::to_vec(order) else { return };
        line.push(b'\n');
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(&line).and_then(|()| stdin.flush());
        }
    }

    /// Why it has gone: its status and its last words.
    pub(super) fn obituary(&mut self, why: Option<String>) -> String {
        self.stdin = None;
        let status = self.wait(PATIENCE);
        // What it said last may be on its way.
        thread::sleep(Duration::from_millis(20));
        let words = self.words.lock().unwrap_or_else(|e| e.into_inner());
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        let ended = status.map_or("it was ended".to_owned(), |status| status.to_string());
        let mut said = why.map_or(ended.clone(), |why| format!("{why} ({ended})"));
        if !words.is_empty() {
            said = format!("{said}: {}", bounded(&words));
        }
        said
    }

    /// Its status, if it ends within that time; after it, it is ended.
    fn wait(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        let until = Instant::now() + limit;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill(); // has ended already
        let _ = self.child.wait();
        None
    }
}

impl Drop for Hand {
    /// Its input ends, by which it ends: over ssh as well, where killing ssh alone would not do.
    fn drop(&mut self) {
        self.stdin = None;
        self.wait(PATIENCE);
    }
}

/// What is read, and when something of it last was.
struct Stamped<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Stamped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.read(buffer)?;
        self.1.store(now_ns(), Relaxed);
        Ok(n)
    }
}

/// Keeps the last of what it says on standard error.
fn keep(mut err: impl Read, words: &Mutex<Vec<u8>>) {
    let mut part = [0; 1024];
    while let Ok(n @ 1..) = err.read(&mut part) {
        let mut words = words.lock().unwrap_or_else(|e| e.into_inner());
        words.extend_from_slice(&part[..n]);
        let beyond = words.len().saturating_sub(WORDS);
        words.drain(..beyond);
    }
}

fn hear(
    mut out: impl std::io::BufRead,
    from_shell: bool,
    index: usize,
    to: &Sender<(usize, u64, Heard)>,
) {
    let mut noise = from_shell;
    loop {
        let heard = match next(&mut out, noise) {
            Ok(Some(word)) => Heard::Word(word),
            Ok(None) => Heard::Gone(None),
            Err(error) => Heard::Gone(Some(format!("{error:#}"))),
        };
        noise = false;
        let over = matches!(heard, Heard::Gone(_));
        if to.send((index, now_ns(), heard)).is_err() || over {
            return;
        }
    }
}
