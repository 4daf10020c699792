//! Results of other benchmark tools, read as runs of ours.
//!
//! A tool is a file in `readers` and a line of [`READERS`]: how its results are recognised, and
//! what they hold. Repetitions become repetitions. A load's values become facts under the names of
//! our own figures: a list where the file has each request's value, so that figures get their
//! intervals, and a number where it has a summary only (`ttft_ms_p99`). Nothing is worked out here
//! that the file does not say; comparing is left to who reads the runs.

mod field;
mod readers;

use field::Fields;
use pacemark_files::excerpt;
use pacemark_record::Run;
pub use readers::READERS;
use serde_json::Value;

/// A tool whose results can be read.
pub struct Reader {
    /// Its name.
    pub name: &'static str,
    /// What its results are, and the flags that make them.
    pub help: &'static str,
    /// What a file of it has at least, where the value has not got it; `None` where it is one.
    lacks: fn(&Value) -> Option<String>,
    /// The run that it is.
    read: fn(&Fields<'_>) -> Result<Run, ForeignError>,
}

/// Why a file could not be read as a result of another tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignError {
    /// No JSON, and no JSON a line.
    #[error("no JSON: {0}")]
    Json(String),
    /// Nobody's format.
    #[error("no result of a tool that is known; {0}")]
    Unknown(String),
    /// A field that is not as the tool writes it.
    #[error("{reader}: {field}: expected {expected}, found {found}")]
    Field {
        /// The tool.
        reader: &'static str,
        /// Where, e.g. `[0].samples_ns[2]`.
        field: String,
        /// What would have been right.
        expected: &'static str,
        /// What is there.
        found: String,
    },
}

/// Reads a result of any tool of [`READERS`], a JSON document or one a line. The reader says whose
/// it was.
pub fn read(text: &str) -> Result<(&'static Reader, Run), ForeignError> {
    let value = parse(text)?;
    let mut missing = Vec::new();
    for reader in READERS {
        match (reader.lacks)(&value) {
            None => {
                let fields = Fields::new(reader.name, &value);
                return Ok((reader, (reader.read)(&fields)?));
            }
            Some(what) => missing.push(format!("for {} {what}", reader.name)),
        }
    }
    Err(ForeignError::Unknown(missing.join(", ")))
}

/// One document, or a list of those of all lines.
fn parse(text: &str) -> Result<Value, ForeignError> {
    let wrong = |error: serde_json::Error| {
        // Python writes what JSON has no word for.
        let hint = match error.is_syntax() && ["NaN", "Infinity"].iter().any(|w| text.contains(w)) {
            true => " (NaN and Infinity are no JSON)",
            false => "",
        };
        ForeignError::Json(format!("{}{hint}", excerpt(&error.to_string())))
    };
    let whole = serde_json::from_str(text);
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    match whole {
        Ok(value) => Ok(value),
        // What is wrong with a document of many lines is not what is wrong with its first one.
        Err(error) if lines().nth(1).is_none() || !is_json(lines().next().unwrap_or("")) => {
            Err(wrong(error))
        }
        Err(_) => lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Value>, _>>()
            .map_or_else(|error| Err(wrong(error)), |values| Ok(Value::Array(values))),
    }
}

fn is_json(line: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}
