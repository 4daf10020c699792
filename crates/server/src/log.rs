//! The server's log: a line for each request, on standard error.
//!
//! Whoever reads standard error may read slowly, or not at all, or be gone; a pipe that nobody
//! empties blocks its writer. So lines are handed to a thread that does nothing else, and what it
//! cannot write in time is lost and counted, never waited for.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Entries that wait to be written, and their bytes: with `--log-prompts` a line may be long.
const MAX_ENTRIES: usize = 4096;
const MAX_BYTES: usize = 16 << 20;

/// Hands a line to the log.
pub(crate) fn line(text: Arguments<'_>) {
    log().line(format!("{text}\n"));
}

/// Waits until what was handed over is written, but no longer than `patience`.
pub(crate) fn flush(patience: Duration) {
    log().flush(patience);
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| Log::start(io::stderr()))
}

/// A thread that writes, and the way to it.
struct Log {
    entries: SyncSender<Entry>,
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

enum Entry {
    Line(String),
    /// Everything before is written: to be told.
    Mark(Sender<()>),
}

impl Log {
    fn start(out: impl Write + Send + 'static) -> Log {
        let (entries, received) = sync_channel(MAX_ENTRIES);
        let log = Log { entries, waiting: Arc::default(), lost: Arc::default() };
        let (waiting, lost) = (log.waiting.clone(), log.lost.clone());
        // Without the thread nothing is logged: lines find nobody at the other end. Serving goes
        // on.
        let _ = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write(out, &received, &waiting, &lost));
        log
    }

    fn line(&self, line: String) {
        let n = line.len();
        let room = self.waiting.fetch_add(n, Relaxed) + n <= MAX_BYTES;
        if !room || self.entries.try_send(Entry::Line(line)).is_err() {
            self.waiting.fetch_sub(n, Relaxed);
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let (told, written) = channel();
        let mut mark = Entry::Mark(told);
        while let Err(TrySendError::Full(back)) = self.entries.try_send(mark) {
            if Instant::now() >= until {
                return;
            }
            mark = back;
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = written.recv_timeout(until.saturating_duration_since(Instant::now())); // nobody waits any longer
    }
}

/// Writes what comes. Where nobody reads any more, writing fails, and the next line is tried all
/// the same.
fn write(
    mut out: impl Write,
    entries: &Receiver<Entry>,
    waiting: &AtomicUsize,
    lost: &AtomicUsize,
) {
    for entry in entries {
        let n_lost = lost.swap(0, Relaxed);
        if n_lost > 0 {
            let _ = writeln!(
                out,
                "note: {n_lost} lines of this log were not read in time and are lost"
            );
        }
        match entry {
            Entry::Mark(told) => drop(told.send(())),
            Entry::Line(line) => {
                // In one piece: standard error is not buffered, and others write to it.
                let _ = out.write_all(line.as_bytes());
                waiting.fetch_sub(line.len(), Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Takes nothing until it is let go.
    struct Stuck(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv(); // an error is the end of being stuck
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_and_what_is_lost_is_counted() {
        let (let_go, stuck) = channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = Log::start(Stuck(stuck, written.clone()));
        log.line("x".repeat(MAX_BYTES + 1));
        for i in 0..3 * MAX_ENTRIES {
            log.line(format!("{i}\n"));
        }
        log.flush(Duration::from_millis(1));
        drop(let_go);
        let mut sent = 3 * MAX_ENTRIES + 1;
        while !String::from_utf8_lossy(&written.lock().unwrap()).contains("after") {
            log.line("after\n".into());
            log.flush(Duration::from_secs(10));
            sent += 1;
        }
        log.line("end\n".into());
        log.flush(Duration::from_secs(10));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let notes = text.lines().filter_map(|line| {
            line.strip_prefix("note: ")?.split(' ').next()?.parse::<usize>().ok()
        });
        let lost: usize = notes.sum();
        let kept =
            text.lines().filter(|line| *line == "after" || line.parse::<usize>().is_ok()).count();
        assert_eq!(lost + kept, sent, "{lost} {kept}");
    }

    #[test]
    fn a_closed_end_is_no_end_of_the_log() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = Log::start(Closed);
        for _ in 0..10 {
            log.line("a\n".into());
            log.flush(Duration::from_secs(10));
        }
        assert_eq!((log.waiting.load(Relaxed), log.lost.load(Relaxed)), (0, 0));
    }
}
