//! One value of a table, before any format.

use pacemark_record::Unit;
use serde_json::Value;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// There is none: the trial does not support it, or the machine does not tell.
    Absent,
    /// Words.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A list or an object, as JSON text.
    Json(String),
    /// A figure in its unit; `None` is a dash.
    Figure(Option<f64>, Unit),
    /// A JSON value to its last digit, and how people read it.
    Told(Value, String),
}

impl Cell {
    /// As llama-bench writes values in CSV and SQL (C++'s `std::to_string`): six decimals, yes and
    /// no as 1 and 0. Nothing for an absent value.
    pub fn plain(&self) -> String {
        match self {
            Cell::Absent | Cell::Told(Value::Null, _) => String::new(),
            Cell::Text(text) | Cell::Json(text) | Cell::Told(Value::String(text), _) => {
                text.clone()
            }
            Cell::Bool(yes) => u8::from(*yes).to_string(),
            Cell::Int(n) => n.to_string(),
            Cell::Float(x) if !x.is_finite() => String::new(),
            Cell::Float(x) => format!("{x:.6}"),
            Cell::Figure(..) => self.number().plain(),
            Cell::Told(value, _) => value.to_string(),
        }
    }

    /// As JSON: `null` for an absent value.
    pub fn json(&self) -> String {
        match self {
            Cell::Absent => "null".to_owned(),
            Cell::Text(text) => Value::from(text.as_str()).to_string(),
            Cell::Bool(yes) => yes.to_string(),
            Cell::Float(x) if !x.is_finite() => "null".to_owned(),
            Cell::Int(_) | Cell::Float(_) | Cell::Json(_) => self.plain(),
            Cell::Figure(..) => self.number().json(),
            Cell::Told(value, _) => value.to_string(),
        }
    }

    /// As people read it: a dash for a figure that is absent, nothing for another value.
    pub fn text(&self) -> String {
        match self {
            Cell::Figure(None, _) => "-".to_owned(),
            Cell::Figure(Some(value), unit) => in_unit(*value, *unit),
            Cell::Told(_, text) => text.clone(),
            _ => self.plain(),
        }
    }

    /// A figure as a plain number: counts and bytes are whole.
    fn number(&self) -> Cell {
        match self {
            Cell::Figure(None, _) => Cell::Absent,
            Cell::Figure(Some(value), Unit::Count | Unit::Bytes) => Cell::Int(*value as i64),
            Cell::Figure(Some(value), _) => Cell::Float(*value),
            other => other.clone(),
        }
    }
}

/// A value as people read it in its unit; a dash for what is no number.
pub(crate) fn in_unit(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    match unit {
        Unit::TokensPerSecond | Unit::RequestsPerSecond | Unit::Milliseconds | Unit::Seconds => {
            format!("{value:.2}")
        }
        Unit::Microseconds | Unit::Watts => format!("{value:.1}"),
        Unit::Number | Unit::JoulesPerToken => format!("{value:.4}"),
        Unit::Bytes => size(value as u64),
        Unit::Ratio => format!("{:.1} %", value * 100.0),
        Unit::Probability => format!("{:.2} %", value * 100.0),
        Unit::Nats => format!("{value:.6}"),
        Unit::Count => format!("{value}"),
    }
}

/// Bytes in MiB, or from 1024 of those in GiB.
pub fn size(bytes: u64) -> String {
    let mib = bytes as f64 / 1024.0 / 1024.0;
    if mib < 1024.0 { format!("{mib:.2} MiB") } else { format!("{:.2} GiB", mib / 1024.0) }
}

impl From<&Value> for Cell {
    fn from(value: &Value) -> Cell {
        match value {
            Value::Null => Cell::Absent,
            Value::Bool(yes) => Cell::Bool(*yes),
            Value::String(text) => Cell::Text(text.clone()),
            Value::Number(n) => {
                n.as_i64().map(Cell::Int).or(n.as_f64().map(Cell::Float)).unwrap_or(Cell::Absent)
            }
            Value::Array(_) | Value::Object(_) => Cell::Text(value.to_string()),
        }
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Cell {
        value.map_or(Cell::Absent, Cell::Float)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_in_three_spellings() {
        let told = |value| Cell::Told(value, "~".into());
        let cells = [
            (Cell::Absent, "", "null", ""),
            (Cell::Text("a \"b\"\n".into()), "a \"b\"\n", r#""a \"b\"\n""#, "a \"b\"\n"),
            (Cell::Bool(true), "1", "true", "1"),
            (Cell::Int(-1), "-1", "-1", "-1"),
            (Cell::Float(0.5), "0.500000", "0.500000", "0.500000"),
            (Cell::Float(f64::NAN), "", "null", ""),
            (Cell::Figure(Some(f64::INFINITY), Unit::Number), "", "null", "-"),
            (Cell::Json("[1]".into()), "[1]", "[1]", "[1]"),
            (Cell::Figure(None, Unit::Ratio), "", "null", "-"),
            (Cell::Figure(Some(0.5), Unit::Ratio), "0.500000", "0.500000", "50.0 %"),
            (Cell::Figure(Some(1048576.0), Unit::Bytes), "1048576", "1048576", "1.00 MiB"),
            (told(json!(0.1)), "0.1", "0.1", "~"),
            (told(json!("a")), "a", r#""a""#, "~"),
            (told(Value::Null), "", "null", "~"),
        ];
        for (cell, plain, json, text) in cells {
            let found = (cell.plain(), cell.json(), cell.text());
            assert_eq!((&*found.0, &*found.1, &*found.2), (plain, json, text));
        }
        for unit in [Unit::Ratio, Unit::Bytes, Unit::Microseconds, Unit::Count, Unit::Nats] {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert_eq!(in_unit(value, unit), "-", "{unit:?}");
            }
        }
    }
}
