//! JSON. A document without facts is its rows: one array of objects, or one object a line,
//! llama-bench's fields and samples first, then our own. A document with facts is one object: the
//! facts, and its tables as lists of objects. A value that is absent is null.

use super::{Render, Renderer};
use crate::Verdict;
use crate::document::{Document, Row, Table};
use serde_json::{Map, Value, json};

pub(super) const JSON: Renderer = Renderer {
    name: "json",
    help: "JSON, written when all is measured",
    streams: false,
    tells: false,
    new: |_| Box::new(Json { is_object: false, first: true }),
};

pub(super) const JSONL: Renderer = Renderer {
    name: "jsonl",
    help: "one JSON object a line",
    streams: true,
    tells: false,
    new: |_| Box::new(JsonLines { is_object: false }),
};

struct Json {
    is_object: bool,
    first: bool,
}

impl Render for Json {
    fn begin(&mut self, document: &Document) -> String {
        self.is_object = is_object(document);
        if self.is_object { String::new() } else { "[\n".to_owned() }
    }

    fn row(&mut self, table: &Table, row: &Row) -> String {
        if self.is_object {
            return String::new();
        }
        let before = if std::mem::take(&mut self.first) { "" } else { ",\n" };
        let members = members(table, row);
        let lines: Vec<_> =
            members.iter().map(|(name, value)| format!("    \"{name}\": {value}")).collect();
        format!("{before}  {{\n{}\n  }}", lines.join(",\n"))
    }

    fn end(&mut self, document: &Document) -> String {
        if self.is_object { format!("{:#}\n", object(document)) } else { "\n]\n".to_owned() }
    }
}

struct JsonLines {
    is_object: bool,
}

impl Render for JsonLines {
    fn begin(&mut self, document: &Document) -> String {
        self.is_object = is_object(document);
        String::new()
    }

    fn row(&mut self, table: &Table, row: &Row) -> String {
        if self.is_object {
            return String::new();
        }
        let members = members(table, row);
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}\n", members.join(", "))
    }

    fn end(&mut self, document: &Document) -> String {
        if self.is_object { format!("{}\n", object(document)) } else { String::new() }
    }
}

fn is_object(document: &Document) -> bool {
    !document.reading.is_empty() || document.facts.iter().any(|fact| !fact.name.is_empty())
}

/// Names and values, in order.
fn members<'a>(table: &'a Table, row: &Row) -> Vec<(&'a str, String)> {
    let cells = table.columns.iter().zip(&row.cells);
    let cells = cells.filter(|(column, _)| column.readers.has_json());
    cells.map(|(column, cell)| (column.name.as_str(), cell.json())).collect()
}

/// What a report says besides its figures.
fn read(document: &Document, object: &mut Map<String, Value>) {
    let reading = &document.reading;
    let verdict = |v: &Verdict| json!({ "standing": v.standing.name(), "text": v.text });
    let pair = |(name, value): &(String, String)| json!({ "name": name, "value": value });
    let list = |pairs: &[(String, String)]| -> Value { pairs.iter().map(pair).collect() };
    object.insert("title".into(), json!(document.title));
    object.insert("verdicts".into(), reading.verdicts.iter().map(verdict).collect());
    object.insert("advice".into(), json!(reading.advice));
    object.insert("notes".into(), json!(document.notes));
    object.insert("definitions".into(), list(&reading.definitions));
    object.insert("environment".into(), list(&reading.environment));
    object.insert("commands".into(), json!(reading.commands));
}

fn object(document: &Document) -> Value {
    let facts = document.facts.iter().filter(|fact| !fact.name.is_empty());
    let mut object: Map<String, Value> =
        facts.map(|fact| (fact.name.to_owned(), fact.value.clone())).collect();
    if !document.reading.is_empty() {
        read(document, &mut object);
    }
    for table in document.tables.iter().filter(|table| !table.name.is_empty()) {
        let row = |row: &Row| -> Value {
            let members = members(table, row).into_iter();
            // Every cell writes valid JSON.
            let read = |(name, json): (&str, String)| {
                (name.to_owned(), serde_json::from_str(&json).unwrap_or_default())
            };
            Value::Object(members.map(read).collect())
        };
        object.insert(table.name.clone(), table.rows.iter().map(row).collect());
    }
    object.into()
}
