//! A gate's control connections: lines of text, beside whoever is served. `ping` is answered
//! `pong`, `usage` one JSON object; anything else ends the connection.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// What a control connection begins with; llama.cpp's begin with the byte 14.
pub(crate) const CONTROL: &[u8] = b"PACEMARK";

/// Longer than any question.
const LONGEST_LINE_BYTES: usize = 64;

/// What went through a gate, of all callers since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateUsage {
    /// The worker's own time in callers' turns, in nanoseconds: from the last byte of the first
    /// graph since the last answer, or of what is answered where there is no graph, to the first
    /// byte of the answer.
    pub computing_ns: u64,
    /// Graphs that were computed.
    pub graphs: u64,
    /// Commands.
    pub commands: u64,
    /// Answers.
    pub round_trips: u64,
    /// Bytes to the worker.
    pub sent_bytes: u64,
    /// Bytes from the worker.
    pub received_bytes: u64,
    /// Callers that were served, with the one that is.
    pub callers: u64,
}

macro_rules! json {
    ($($field:ident)*) => {
        impl GateUsage {
            /// One line.
            pub(crate) fn to_json(self) -> String {
                serde_json::json!({ $(stringify!($field): self.$field,)* }).to_string()
            }

            /// Of a line; what is wrong with it.
            pub(crate) fn from_json(line: &str) -> Result<GateUsage, String> {
                let object: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
                let field = |name: &str| {
                    let found = &object[name];
                    found.as_u64().ok_or_else(|| format!("{name} is {found}; expected a count"))
                };
                Ok(GateUsage { $($field: field(stringify!($field))?,)* })
            }
        }
    };
}

json! { computing_ns graphs commands round_trips sent_bytes received_bytes callers }

/// Answers lines until the caller leaves or asks what there is not; whether it left. Its first bytes
/// have been looked at and not taken.
///
/// # Errors
/// Where the connection fails.
pub(super) fn answer(
    mut stream: &TcpStream,
    usage: impl Fn() -> GateUsage,
) -> io::Result<Result<(), String>> {
    let mut first = [0; CONTROL.len()];
    stream.read_exact(&mut first)?;
    if first != CONTROL {
        return Ok(Err(format!("it began with {:?}", String::from_utf8_lossy(&first))));
    }
    let mut line = Vec::new();
    let mut buffer = [0; LONGEST_LINE_BYTES];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(Ok(()));
        }
        for byte in &buffer[..n] {
            if *byte != b'\n' {
                line.push(*byte);
                if line.len() > LONGEST_LINE_BYTES {
                    return Ok(Err(format!("a line of more than {LONGEST_LINE_BYTES} bytes")));
                }
                continue;
            }
            match line.trim_ascii_end() {
                b"" => {}
                b"ping" => stream.write_all(b"pong\n")?,
                b"usage" => stream.write_all(format!("{}\n", usage().to_json()).as_bytes())?,
                other => {
                    return Ok(Err(format!("it asked {:?}", String::from_utf8_lossy(other))));
                }
            }
            line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_comes_back_from_its_line() {
        let usage = GateUsage { computing_ns: u64::MAX, graphs: 2, callers: 3, ..<_>::default() };
        assert_eq!(GateUsage::from_json(&usage.to_json()), Ok(usage));
        let wrong = usage.to_json().replace("\"graphs\":2", "\"graphs\":-2");
        assert!(GateUsage::from_json(&wrong).unwrap_err().contains("graphs is -2"));
        assert!(GateUsage::from_json("{}").unwrap_err().contains("computing_ns is null"));
        assert!(GateUsage::from_json("pong").is_err());
    }
}
