//! A run on its way into a history or out of it: its record's text, its identity, and what people
//! said of it.

use pacemark_record::{RecordError, Run};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A run with its tags and its note.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRun {
    id: String,
    record: String,
    run: Run,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// What there is to say of it.
    pub note: Option<String>,
}

impl KeptRun {
    /// A run that has just been measured.
    pub fn of(run: &Run) -> Result<KeptRun, RecordError> {
        let no_json = |error: serde_json::Error| RecordError::Json(error.to_string());
        let text = serde_json::to_string(run).map_err(no_json)?;
        // Read again, so that it has the identity that its file has when it is imported: a number
        // in single precision is a longer one as a value than as text.
        KeptRun::from_value(&serde_json::from_str(&text).map_err(no_json)?)
    }

    /// A record that was read as JSON. What it has that this version does not know is kept.
    pub fn from_value(record: &Value) -> Result<KeptRun, RecordError> {
        let text = record.to_string();
        let run = Run::from_json(&text)?;
        Ok(KeptRun { id: id(record), record: text, run, tags: Vec::new(), note: None })
    }

    /// With these tags, and this note in place of what it had.
    pub fn said(mut self, tags: Vec<String>, note: Option<String>) -> KeptRun {
        (self.tags, self.note) = (tags, note);
        self
    }

    /// The hash of its record, 64 hexadecimal digits: of all values, whatever the order of their
    /// names and the space between them.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The record as it is stored, on one line.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The record as this version reads it.
    pub fn run(&self) -> &Run {
        &self.run
    }
}

fn id(record: &Value) -> String {
    let mut sorted = record.clone();
    sorted.sort_all_objects();
    format!("{:x}", Sha256::digest(sorted.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_record::{Chunk, Measured, SCHEMA, Scores, Trial};

    fn run() -> Run {
        let chunk = Chunk { logprobs: vec![-0.1, -2.3], ..Chunk::default() };
        let scores = Scores { chunks: vec![chunk], ..Scores::default() };
        let trial = Trial { measured: Measured::Scores(scores), ..Trial::default() };
        Run { schema: SCHEMA, trials: vec![trial], ..Run::default() }
    }

    #[test]
    fn a_run_has_the_identity_of_its_file_however_that_is_written() {
        let kept = KeptRun::of(&run()).unwrap();
        assert_eq!((kept.id().len(), kept.run()), (64, &run()));
        let mut value: Value = serde_json::from_str(kept.record()).unwrap();
        let indented: Value =
            serde_json::from_str(&serde_json::to_string_pretty(&value).unwrap()).unwrap();
        assert_eq!(KeptRun::from_value(&indented).unwrap(), kept);
        value.sort_all_objects();
        assert_eq!(KeptRun::from_value(&value).unwrap().id(), kept.id());
        let mut other = run();
        other.env.started_unix_s += 1;
        assert_ne!(KeptRun::of(&other).unwrap().id(), kept.id());
    }

    #[test]
    fn what_a_later_version_added_is_kept() {
        let mut value: Value = serde_json::to_value(run()).unwrap();
        value["added_later"] = 7.into();
        assert!(KeptRun::from_value(&value).unwrap().record().contains("\"added_later\":7"));
        value["schema"] = (SCHEMA + 1).into();
        assert!(matches!(KeptRun::from_value(&value), Err(RecordError::Newer { .. })));
    }
}
