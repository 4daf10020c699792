//! Fields of a tool's result, and where they are: what is not as expected is told by its path.

use crate::ForeignError;
use serde_json::{Map, Value};

/// A value within a result.
#[derive(Clone)]
pub(crate) struct Fields<'v> {
    reader: &'static str,
    path: String,
    value: &'v Value,
}

impl<'v> Fields<'v> {
    pub(crate) fn new(reader: &'static str, value: &'v Value) -> Fields<'v> {
        Fields { reader, path: String::new(), value }
    }

    /// The value itself.
    pub(crate) fn value(&self) -> &'v Value {
        self.value
    }

    pub(crate) fn wrong<T>(&self, expected: &'static str) -> Result<T, ForeignError> {
        let found = match self.value {
            Value::Null => "null".to_owned(),
            Value::Array(list) => format!("a list of {}", list.len()),
            Value::Object(_) => "an object".to_owned(),
            Value::String(text) => pacemark_files::quoted(text),
            other => other.to_string(),
        };
        let field = if self.path.is_empty() { "the file" } else { &self.path };
        Err(ForeignError::Field { reader: self.reader, field: field.to_owned(), expected, found })
    }

    /// A field, `null` where it is not there.
    pub(crate) fn get(&self, name: &str) -> Fields<'v> {
        let dot = if self.path.is_empty() { "" } else { "." };
        let value = self.value.get(name).unwrap_or(&Value::Null);
        Fields { reader: self.reader, path: format!("{}{dot}{name}", self.path), value }
    }

    /// The field behind several names.
    pub(crate) fn at(&self, names: &[&str]) -> Fields<'v> {
        names.iter().fold(self.clone(), |fields, name| fields.get(name))
    }

    /// Values of a list; `null` is an empty one.
    pub(crate) fn list(&self) -> Result<Vec<Fields<'v>>, ForeignError> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Array(list) => {
                let item = |(i, value)| Fields {
                    reader: self.reader,
                    path: format!("{}[{i}]", self.path),
                    value,
                };
                Ok(list.iter().enumerate().map(item).collect())
            }
            _ => self.wrong("a list"),
        }
    }

    /// The documents of a file: a list's, or the one that it is.
    pub(crate) fn documents(&self) -> Result<Vec<Fields<'v>>, ForeignError> {
        if self.value.is_array() { self.list() } else { Ok(vec![self.clone()]) }
    }

    /// A number from 0 on, if there is one.
    pub(crate) fn number(&self) -> Result<Option<f64>, ForeignError> {
        match self.value.as_f64() {
            Some(number) if (0.0..MOST).contains(&number) => Ok(Some(number)),
            None if self.value.is_null() => Ok(None),
            _ => self.wrong("a number from 0 to 10^18"),
        }
    }

    /// Numbers of a list.
    pub(crate) fn numbers(&self) -> Result<Vec<f64>, ForeignError> {
        let number = |field: &Fields<'_>| match field.number()? {
            Some(number) => Ok(number),
            None => field.wrong("a number"),
        };
        self.list()?.iter().map(number).collect()
    }

    /// A whole number, if there is one.
    pub(crate) fn count(&self) -> Result<Option<u64>, ForeignError> {
        match self.number()? {
            Some(number) if number.fract() == 0.0 => Ok(Some(number as u64)),
            None => Ok(None),
            Some(_) => self.wrong("a whole number"),
        }
    }

    /// Text; empty where there is none.
    pub(crate) fn text(&self) -> Result<&'v str, ForeignError> {
        match self.value {
            Value::Null => Ok(""),
            Value::String(text) => Ok(text),
            _ => self.wrong("text"),
        }
    }
}

/// What no measurement exceeds: 30 years in nanoseconds.
const MOST: f64 = 1e18;

/// Facts under the names of our figures; what is not there is left out.
#[derive(Default)]
pub(crate) struct Facts(pub(crate) Map<String, Value>);

impl Facts {
    /// One value.
    pub(crate) fn one(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    /// Each request's, if there are some.
    pub(crate) fn each(&mut self, name: &str, values: Vec<f64>) {
        if !values.is_empty() {
            self.0.insert(name.to_owned(), values.into());
        }
    }
}
