//! The tree: values with the lines that they stand in.

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its line, from 1; of an alias, that of the alias.
    pub line: u64,
    /// Its column in characters, from 1.
    pub column: u64,
    /// The value.
    pub value: Value,
}

/// A value by the rules of YAML 1.2 (core schema): `yes` and `0777` are texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number: also one that is beyond 64 bits, and `.nan` and `.inf`.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in their order.
    List(Vec<Node>),
    /// Keys and values in their order.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key, as text.
    pub key: String,
    /// Its line, from 1.
    pub line: u64,
    /// Its column in characters, from 1.
    pub column: u64,
    /// Its value.
    pub node: Node,
}

impl Value {
    /// What it is, for the end of an error; of a text no more than an error repeats.
    pub fn told(&self) -> String {
        match self {
            Value::Null => "nothing".to_owned(),
            Value::Bool(yes) => yes.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Text(text) => pacemark_files::quoted(text),
            Value::List(list) if list.is_empty() => "an empty list".to_owned(),
            Value::List(list) => format!("a list of {}", list.len()),
            Value::Map(map) if map.is_empty() => "an empty table".to_owned(),
            Value::Map(_) => "a table of keys".to_owned(),
        }
    }
}
