//! Processes that a process started: they end with it. A library may fork, and what it forked would hold
//! its pipes open and outlive whoever asked for it.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How often to look whether a process has ended.
const LOOK: Duration = Duration::from_millis(5);
/// How long its last output may be on its way.
const FAREWELL: Duration = Duration::from_millis(500);

/// Has a command lead a group of its own. Ctrl-C is then for its owner alone, who has something to end
/// first.
pub(crate) fn lead(command: &mut Command) -> &mut Command {
    command.process_group(0)
}

/// Ends all of the group that `leader` leads, as far as there is any.
pub(crate) fn end(leader: &Child) {
    if let Ok(id) = i32::try_from(leader.id()) {
        // There may be nobody left.
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
}

/// What a command that is asked nothing prints, `longest` bytes at most; `None` where it does not end
/// within that time, or before `stop` is set. It, and whatever it started, has ended when this returns.
/// Its standard input ends with this process.
///
/// # Errors
/// Where it cannot be started, or was lost.
pub fn output(
    mut command: Command,
    within: Duration,
    longest: u64,
    stop: &AtomicBool,
) -> io::Result<Option<Output>> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = lead(&mut command).spawn()?;
    let _input = child.stdin.take(); // open until this returns
    let heard = [
        child.stdout.take().map(|from| reader(from, longest)),
        child.stderr.take().map(|from| reader(from, longest)),
    ];
    let begun = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if begun.elapsed() > within || stop.load(Relaxed) => break None,
            None => std::thread::sleep(LOOK),
        }
    };
    end(&child);
    let Some(status) = status else {
        child.wait()?;
        return Ok(None);
    };
    // Who has left the group may hold the pipes still.
    let [stdout, stderr] = heard
        .map(|from| from.and_then(|from| from.recv_timeout(FAREWELL).ok()).unwrap_or_default());
    Ok(Some(Output { status, stdout, stderr }))
}

fn reader(from: impl Read + Send + 'static, longest: u64) -> Receiver<Vec<u8>> {
    let (to, heard) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could not be read is missing from the answer.
        let _ = from.take(longest).read_to_end(&mut bytes);
        let _ = to.send(bytes); // nobody waits any longer
    });
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    static GO: AtomicBool = AtomicBool::new(false);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_is_left_behind_is_neither_waited_for_nor_left() {
        let begun = Instant::now();
        let said = output(shell("sleep 60 & echo $!"), Duration::from_secs(20), 100, &GO).unwrap();
        let said = said.expect("it ended");
        assert!(begun.elapsed() < Duration::from_secs(15), "its fork is not waited for");
        let left: i32 = String::from_utf8(said.stdout).unwrap().trim().parse().unwrap();
        // It has ended, or is about to be taken note of by who takes in orphans.
        let gone = |id: i32| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        let until = Instant::now() + Duration::from_secs(10);
        while !gone(left) && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
        assert!(gone(left), "the fork is there still");
    }

    #[test]
    fn who_does_not_end_is_ended_and_who_says_much_is_cut() {
        let short = Duration::from_millis(100);
        assert!(output(shell("sleep 60"), short, 100, &GO).unwrap().is_none());
        let much = output(shell("printf '%0200d' 1"), Duration::from_secs(20), 100, &GO).unwrap();
        assert_eq!(much.unwrap().stdout.len(), 100);
        let stopped = AtomicBool::new(true);
        assert!(
            output(shell("sleep 60"), Duration::from_secs(50), 100, &stopped).unwrap().is_none()
        );
        assert!(output(Command::new("/nowhere/at/all"), short, 100, &GO).is_err());
    }
}
