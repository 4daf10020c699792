//! Runs as text: JSON Lines, a run on each, with its tags and its note beside its record.
//!
//! What is read may also be a record by itself, as `--save` writes it, on any number of lines; several
//! may follow each other.

use crate::{KeptRun, check_note, check_tag};
use pacemark_files::excerpt;
use serde_json::{Map, Value, json};

/// Version of the form, written into every line.
const VERSION: u64 = 1;

/// The field that tells a line of ours from a record.
const MARK: &str = "pacemark_history";

/// What cannot be taken in, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct LineError {
    /// Where it ends, from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// A run as one line, with its end.
pub fn line(run: &KeptRun) -> String {
    let said = json!({ MARK: VERSION, "tags": run.tags, "note": run.note }).to_string();
    // The record goes in as it is stored.
    format!("{},\"record\":{}}}\n", said.trim_end_matches('}'), run.record())
}

/// The runs that `text` holds. What is no run is told and passed over; behind what is no JSON
/// nothing can be read.
pub fn runs(text: &str) -> impl Iterator<Item = Result<KeptRun, LineError>> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let (mut at, mut line) = (0, 1);
    std::iter::from_fn(move || {
        let value = values.next()?;
        let end = values.byte_offset().min(text.len());
        line += text.as_bytes()[at..end].iter().filter(|byte| **byte == b'\n').count();
        at = end;
        Some(match value {
            Ok(value) => run(&value).map_err(|why| LineError { line, why }),
            Err(error) => {
                let why = format!("expected JSON: {}", excerpt(&without_place(&error)));
                Err(LineError { line: error.line(), why })
            }
        })
    })
}

/// serde_json ends its messages with the place, which is told already.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map_or(text.clone(), str::to_owned)
}

fn run(value: &Value) -> Result<KeptRun, String> {
    let line = value.as_object().filter(|line| line.contains_key(MARK));
    let record = match line {
        Some(line) => record_of(line)?,
        None => value,
    };
    let mut run = KeptRun::from_value(record).map_err(|error| error.to_string())?;
    if run.run().trials.is_empty() {
        return Err("there is no row in the record".to_owned());
    }
    if let Some(line) = line {
        run.tags = tags_of(line)?;
        run.note = note_of(line)?;
    }
    Ok(run)
}

fn record_of(line: &Map<String, Value>) -> Result<&Value, String> {
    match line.get(MARK).and_then(Value::as_u64) {
        Some(VERSION) => line.get("record").ok_or("expected a field record".to_owned()),
        Some(later) if later > VERSION => Err(format!(
            "{MARK} is {later}, this version reads up to {VERSION}: use a newer Pacemark"
        )),
        _ => Err(format!("{MARK}: expected {VERSION}")),
    }
}

fn tags_of(line: &Map<String, Value>) -> Result<Vec<String>, String> {
    let wrong = || "tags: expected a list of words".to_owned();
    let Some(tags) = line.get("tags").filter(|tags| !tags.is_null()) else {
        return Ok(Vec::new());
    };
    let tags = tags.as_array().ok_or_else(wrong)?.iter();
    tags.map(|tag| {
        let tag = tag.as_str().ok_or_else(wrong)?;
        check_tag(tag)?;
        Ok(tag.to_owned())
    })
    .collect()
}

fn note_of(line: &Map<String, Value>) -> Result<Option<String>, String> {
    match line.get("note") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(note)) => check_note(note).map(|()| Some(note.clone())),
        Some(_) => Err("note: expected text".to_owned()),
    }
}
