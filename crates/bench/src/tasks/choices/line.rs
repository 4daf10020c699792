//! One line: its fields, under the names that common datasets give them.

use super::{Choosing, Format, LineError};
use pacemark_files::excerpt;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};
use std::fmt;

/// Names of the fields, the first being what is told where there is none.
const CONTEXT: &[&str] = &["context", "query", "question", "ctx"];
const CHOICES: &[&str] = &["choices", "endings"];
const GOLD: &[&str] = &["answer", "gold", "label", "expected_index"];

/// Where a line stands.
pub(super) struct Line<'a> {
    pub(super) file: &'a str,
    pub(super) number: usize,
}

impl Line<'_> {
    /// What is wrong with it.
    pub(super) fn wrong(
        &self,
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> LineError {
        LineError {
            file: self.file.to_owned(),
            line: self.number,
            field: field.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// Its item.
    pub(super) fn read(&self, text: &str, format: Format) -> Result<Choosing, LineError> {
        let what = "a JSON object";
        let Fields(fields) = serde_json::from_str(text)
            .map_err(|error| self.wrong("the line", what, excerpt(&in_column(&error))))?;
        let fields = &fields;
        for names in [CONTEXT, CHOICES, GOLD] {
            self.one_of(fields, names)?;
        }
        let choices = self.choices(fields)?;
        let gold = self.gold(fields, choices.len())?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        if format == Format::HellaSwag && text("activity_label").is_none() {
            let value = fields.get("activity_label");
            return Err(self.wrong("activity_label", "a text", found(value)));
        }
        let context = match format.context(&text) {
            Some(context) => context,
            None => {
                let (name, value) = field(fields, CONTEXT);
                let Some(Value::String(context)) = value else {
                    return Err(self.wrong(name, "a text", found(value)));
                };
                format.around(context)
            }
        };
        let id = match fields.get("id").or(fields.get("ind")) {
            Some(Value::String(id)) => id.clone(),
            Some(id @ Value::Number(_)) => id.to_string(),
            _ => format!("line {}", self.number),
        };
        let choices: Vec<String> = choices.iter().map(|choice| format.choice(choice)).collect();
        if let Some(i) = choices.iter().position(|choice| choice.trim().is_empty()) {
            let what = "a text beside marks in brackets";
            return Err(self.wrong(format!("{}[{i}]", field(fields, CHOICES).0), what, "none"));
        }
        Ok(Choosing { id, context, choices, gold })
    }

    /// Two fields of one meaning: one of them would be passed over.
    fn one_of(&self, fields: &Map<String, Value>, names: &[&str]) -> Result<(), LineError> {
        let mut there = names.iter().filter(|name| fields.contains_key(**name));
        match (there.next(), there.next()) {
            (Some(first), Some(second)) => {
                Err(self.wrong(*second, format!("no such field beside {first}"), "both"))
            }
            _ => Ok(()),
        }
    }

    fn choices(&self, fields: &Map<String, Value>) -> Result<Vec<String>, LineError> {
        let (name, value) = field(fields, CHOICES);
        let Some(Value::Array(list)) = value else {
            return Err(self.wrong(name, "a list of texts", found(value)));
        };
        if list.len() < 2 {
            return Err(self.wrong(name, "at least 2", list.len().to_string()));
        }
        let choice = |(i, choice): (usize, &Value)| match choice {
            Value::String(text) if text.trim().is_empty() => {
                Err(self.wrong(format!("{name}[{i}]"), "a text", "an empty one"))
            }
            Value::String(text) => Ok(text.clone()),
            other => Err(self.wrong(format!("{name}[{i}]"), "a text", kind(other))),
        };
        list.iter().enumerate().map(choice).collect()
    }

    /// A number, or text that is one, as HellaSwag's labels are.
    fn gold(&self, fields: &Map<String, Value>, n: usize) -> Result<usize, LineError> {
        let (name, value) = field(fields, GOLD);
        let number = match value {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let gold = number.and_then(|number| usize::try_from(number).ok());
        gold.filter(|gold| *gold < n).ok_or_else(|| {
            let found = match value {
                Some(value @ (Value::Number(_) | Value::String(_))) => {
                    excerpt(&value.to_string()).into_owned()
                }
                _ => found(value).to_owned(),
            };
            self.wrong(name, format!("the number of a choice, 0 to {}", n - 1), found)
        })
    }
}

/// An object's fields; a name that is there twice is an error, for one of the two would be passed over.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let name = match fields.entry(name) {
                        Entry::Vacant(free) => {
                            free.insert(value);
                            continue;
                        }
                        Entry::Occupied(there) => excerpt(there.key()).into_owned(),
                    };
                    return Err(de::Error::custom(format!("field {name} twice")));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// What JSON's reader says, and where in the line: of lines it knows but the one that it is given.
fn in_column(error: &serde_json::Error) -> String {
    let (said, column) = (error.to_string(), error.column());
    match said.strip_suffix(&format!(" at line {} column {column}", error.line())) {
        Some(said) => format!("{said} (column {column})"),
        None => said,
    }
}

/// The first of the names that is there, with its value; the first name where none is.
fn field<'a, 'n>(
    fields: &'a Map<String, Value>,
    names: &[&'n str],
) -> (&'n str, Option<&'a Value>) {
    let there = names.iter().find_map(|name| Some((*name, Some(fields.get(*name)?))));
    there.unwrap_or((names[0], None))
}

fn found(value: Option<&Value>) -> &'static str {
    value.map_or("nothing", kind)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
