//! JSON documents of a model directory: read within bounds, and asked for fields by name so that
//! every error says where.

use crate::{ModelFileError, Result};
use pacemark_files::{look, text::decode};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A file of JSON whose top is an object.
#[derive(Debug)]
pub(crate) struct Document {
    file: PathBuf,
    fields: Map<String, Value>,
    /// Fields that were asked for, by their full names, where an account is kept: what was not read
    /// can be told.
    asked: Option<RefCell<BTreeSet<String>>>,
}

impl Document {
    /// Reads `file`, of at most `max_bytes`.
    pub(crate) fn open(file: &Path, max_bytes: u64) -> Result<Document> {
        Document::parse(text(file, max_bytes)?.as_bytes(), file)
    }

    /// As [`Self::open`]; `None` where there is no such file.
    pub(crate) fn open_if_there(file: &Path, max_bytes: u64) -> Result<Option<Document>> {
        let text = text_if_there(file, max_bytes)?;
        text.map(|text| Document::parse(text.as_bytes(), file)).transpose()
    }

    pub(crate) fn parse(bytes: &[u8], file: &Path) -> Result<Document> {
        let object =
            |found: String| ModelFileError::invalid(file, "content", "a JSON object", found);
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => {
                Ok(Document { file: file.to_owned(), fields, asked: None })
            }
            Ok(other) => Err(object(describe(&other))),
            Err(error) => Err(object(error.to_string())),
        }
    }

    /// The same, with an account of the fields that are asked for.
    pub(crate) fn accounted(self) -> Document {
        Document { asked: Some(RefCell::default()), ..self }
    }

    pub(crate) fn root(&self) -> Node<'_> {
        Node {
            file: &self.file,
            path: String::new(),
            fields: &self.fields,
            asked: self.asked.as_ref(),
        }
    }

    /// Whether the field of this full name was asked for, there or not; only where an account is
    /// kept.
    pub(crate) fn was_asked(&self, field: &str) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.borrow().contains(field))
    }
}

/// A file's text without a byte-order mark, read only if there are at most `max` bytes of it.
pub(crate) fn text(file: &Path, max: u64) -> Result<String> {
    text_if_there(file, max)?
        .ok_or_else(|| ModelFileError::io(file, "open the file", ErrorKind::NotFound.into()))
}

/// As [`text`]; `None` where there is no such file. One that cannot be seen is an error.
pub(crate) fn text_if_there(file: &Path, max: u64) -> Result<Option<String>> {
    let opened = look::open(file).map_err(|e| ModelFileError::io(file, "open the file", e))?;
    let Some(opened) = opened else { return Ok(None) };
    let mut bytes = Vec::new();
    let limit = max.saturating_add(1);
    opened
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| ModelFileError::io(file, "read the file", e))?;
    if bytes.len() as u64 > max {
        return Err(ModelFileError::invalid(
            file,
            "size",
            format!("at most {max} bytes"),
            "a larger file",
        ));
    }
    decode(bytes)
        .map(Some)
        .map_err(|e| ModelFileError::invalid(file, "content", e.expected, e.found))
}

/// An object within a document. Fields that are `null` count as absent, as they do for Hugging
/// Face's classes.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    file: &'a Path,
    /// Names down to here, with a dot behind each.
    path: String,
    fields: &'a Map<String, Value>,
    asked: Option<&'a RefCell<BTreeSet<String>>>,
}

impl<'a> Node<'a> {
    /// The value of a field that is there and not `null`.
    pub(crate) fn get(&self, field: &str) -> Option<&'a Value> {
        if let Some(asked) = self.asked {
            asked.borrow_mut().insert(self.full_name(field));
        }
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// Whether a field is there and `null`, where that means something else than its absence.
    pub(crate) fn is_null(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(Value::is_null)
    }

    /// That the object has no fields but `known` ones: whatever else it has may mean something.
    pub(crate) fn only(&self, known: &[&str]) -> Result<()> {
        match self
            .fields
            .iter()
            .find(|(field, value)| !value.is_null() && !known.contains(&field.as_str()))
        {
            None => Ok(()),
            Some((field, value)) => {
                Err(self.invalid(field, format!("only {}", known.join(", ")), describe(value)))
            }
        }
    }

    /// Names of the fields that are there and not `null`.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str())
    }

    /// The file this is in.
    pub(crate) fn file(&self) -> &'a Path {
        self.file
    }

    /// A field's name with those of the objects that it is in.
    pub(crate) fn full_name(&self, field: &str) -> String {
        format!("{}{field}", self.path)
    }

    /// An error about a field of this object.
    pub(crate) fn invalid(
        &self,
        field: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ModelFileError {
        ModelFileError::invalid(self.file, self.full_name(field), expected, found)
    }

    /// An error that says what is there.
    pub(crate) fn wrong(&self, field: &str, expected: impl Into<String>) -> ModelFileError {
        let found = self.fields.get(field).map_or_else(|| "no such field".to_string(), describe);
        self.invalid(field, expected, found)
    }

    fn typed<T>(
        &self,
        field: &str,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => convert(value).map(Some).ok_or_else(|| self.wrong(field, expected)),
        }
    }

    /// A field that must be there.
    pub(crate) fn required<T>(&self, field: &str, expected: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.invalid(field, expected, "no such field"))
    }

    pub(crate) fn opt_str(&self, field: &str) -> Result<Option<&'a str>> {
        self.typed(field, "a string", Value::as_str)
    }

    pub(crate) fn str(&self, field: &str) -> Result<&'a str> {
        self.required(field, "a string", self.opt_str(field)?)
    }

    pub(crate) fn opt_bool(&self, field: &str) -> Result<Option<bool>> {
        self.typed(field, "true or false", Value::as_bool)
    }

    /// A positive integer that fits `u32`.
    pub(crate) fn opt_size(&self, field: &str) -> Result<Option<u32>> {
        let size =
            |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|&n| n > 0);
        self.typed(field, "an integer of at least 1 that fits u32", size)
    }

    pub(crate) fn size(&self, field: &str) -> Result<u32> {
        self.required(field, "an integer of at least 1", self.opt_size(field)?)
    }

    /// A size, or the default of the configuration's class, for which `null` is no size.
    pub(crate) fn size_or(&self, field: &str, default: u32) -> Result<u32> {
        match self.opt_size(field)? {
            None if self.is_null(field) => Err(self.wrong(field, "an integer of at least 1")),
            said => Ok(said.unwrap_or(default)),
        }
    }

    pub(crate) fn opt_f32(&self, field: &str) -> Result<Option<f32>> {
        let finite = |value: &Value| value.as_f64().map(|x| x as f32).filter(|x| x.is_finite());
        self.typed(field, "a number", finite)
    }

    /// A number in full: for what is multiplied before it is rounded.
    pub(crate) fn opt_f64(&self, field: &str) -> Result<Option<f64>> {
        self.typed(field, "a number", Value::as_f64)
    }

    pub(crate) fn f32(&self, field: &str) -> Result<f32> {
        self.required(field, "a number", self.opt_f32(field)?)
    }

    /// A number, or the default of the configuration's class, for which `null` is no number.
    pub(crate) fn f32_or(&self, field: &str, default: f32) -> Result<f32> {
        match self.opt_f32(field)? {
            None if self.is_null(field) => Err(self.wrong(field, "a number")),
            said => Ok(said.unwrap_or(default)),
        }
    }

    pub(crate) fn opt_array(&self, field: &str) -> Result<Option<&'a [Value]>> {
        self.typed(field, "an array", |value| value.as_array().map(Vec::as_slice))
    }

    pub(crate) fn opt_map(&self, field: &str) -> Result<Option<&'a Map<String, Value>>> {
        self.typed(field, "an object", Value::as_object)
    }

    pub(crate) fn opt_node(&self, field: &str) -> Result<Option<Node<'a>>> {
        let path = format!("{}{field}.", self.path);
        Ok(self.opt_map(field)?.map(|fields| Node { fields, path, ..*self }))
    }

    pub(crate) fn node(&self, field: &str) -> Result<Node<'a>> {
        self.required(field, "an object", self.opt_node(field)?)
    }

    /// The objects of an array; none where the field is absent.
    pub(crate) fn nodes(&self, field: &str) -> Result<Vec<Node<'a>>> {
        let entries = self.opt_array(field)?.unwrap_or_default().iter().enumerate();
        let node = |(at, value): (usize, &'a Value)| {
            let name = format!("{field}[{at}]");
            let fields = value
                .as_object()
                .ok_or_else(|| self.invalid(&name, "an object", describe(value)))?;
            Ok(Node { fields, path: format!("{}{name}.", self.path), ..*self })
        };
        entries.map(node).collect()
    }
}

/// What an error message says was found.
pub(crate) fn describe(value: &Value) -> String {
    const SHOWN: usize = 60;
    match value {
        Value::Array(entries) => format!("an array of {}", entries.len()),
        Value::Object(fields) => format!("an object of {} fields", fields.len()),
        Value::String(text) if text.len() > SHOWN => format!("a string of {} bytes", text.len()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_way_to_the_field() {
        let text = br#"{"a": {"b": [{"c": "x"}, 3], "n": null, "big": 5000000000, "zero": 0}}"#;
        let document = Document::parse(text, Path::new("f.json")).unwrap();
        let a = document.root().node("a").unwrap();
        let message = |result: ModelFileError| result.to_string();
        assert_eq!(
            message(a.nodes("b").unwrap_err()),
            "f.json: a.b[1]: expected an object, found 3"
        );
        assert_eq!(a.opt_str("n").unwrap(), None);
        assert!(
            message(a.size("n").unwrap_err())
                .ends_with("a.n: expected an integer of at least 1, found no such field")
        );
        assert!(a.size("big").is_err() && a.size("zero").is_err());
        for broken in ["", "[1]", "{", "{\"a\": 1} x", &"[".repeat(100_000)] {
            let message =
                message(Document::parse(broken.as_bytes(), Path::new("f.json")).unwrap_err());
            assert!(message.starts_with("f.json: content: expected a JSON object"), "{message}");
        }
    }
}
