//! The line to a worker's gate: is it there, does it live, what did it measure. Every wait is
//! bounded, and every line too.

use super::RelayOptions;
use crate::gate::{CONTROL, GateUsage};
use crate::{Endpoint, RpcError, socket};
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Longer than any answer of a gate.
const LONGEST_LINE_BYTES: usize = 4096;

/// An open line to a gate.
pub(super) struct Control {
    stream: TcpStream,
    /// What the gate had measured when the line was opened.
    before_ns: u64,
    /// Why an answer did not come: what comes next would be taken for another's.
    broken: Option<io::ErrorKind>,
}

impl Control {
    /// Asks the worker whether a gate stands before it: `None` where it says nothing or closes the
    /// connection, as llama.cpp's own server does.
    pub(super) fn open(
        endpoint: &Endpoint,
        options: &RelayOptions,
    ) -> Result<Option<Control>, RpcError> {
        let stream = socket::connect(endpoint, options.connect_timeout)?;
        let mut control = Control { stream, before_ns: 0, broken: None };
        // Whatever is wrong with its answers, it is no gate.
        Ok(control.introduce(options).is_ok().then_some(control))
    }

    fn introduce(&mut self, options: &RelayOptions) -> io::Result<()> {
        self.stream.set_read_timeout(Some(options.gate_timeout))?;
        self.stream.set_write_timeout(Some(options.gate_timeout))?;
        self.stream.write_all(CONTROL)?;
        self.stream.write_all(b"\n")?;
        self.ping()?;
        self.before_ns = self.usage()?.computing_ns;
        self.stream.set_read_timeout(Some(options.dead_after))?;
        self.stream.set_write_timeout(Some(options.dead_after))
    }

    /// Waits for a sign of life.
    pub(super) fn ping(&mut self) -> io::Result<()> {
        match self.ask("ping\n")?.as_str() {
            "pong" => Ok(()),
            other => Err(invalid(format!("{other:?} to a ping"))),
        }
    }

    /// What the gate has measured since the line was opened, if it still says.
    pub(super) fn computing_ns(&mut self) -> Option<u64> {
        Some(self.usage().ok()?.computing_ns.saturating_sub(self.before_ns))
    }

    fn usage(&mut self) -> io::Result<GateUsage> {
        GateUsage::from_json(&self.ask("usage\n")?).map_err(invalid)
    }

    fn ask(&mut self, question: &str) -> io::Result<String> {
        if let Some(kind) = self.broken {
            return Err(kind.into());
        }
        let asked = self.stream.write_all(question.as_bytes());
        let answer = asked.and_then(|()| self.line());
        self.broken = answer.as_ref().err().map(io::Error::kind);
        answer
    }

    /// One line, without its end.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut buffer = [0; 512];
        loop {
            let n = self.stream.read(&mut buffer)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            line.extend(&buffer[..n]);
            match line.iter().position(|byte| *byte == b'\n') {
                // Nothing follows, for nothing else was asked.
                Some(end) if end + 1 == line.len() => {
                    line.truncate(end);
                    return String::from_utf8(line).map_err(|_| invalid("no text".to_owned()));
                }
                Some(_) => return Err(invalid("more than one line".to_owned())),
                None if line.len() > LONGEST_LINE_BYTES => {
                    return Err(invalid(format!("a line of more than {LONGEST_LINE_BYTES} bytes")));
                }
                None => {}
            }
        }
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
