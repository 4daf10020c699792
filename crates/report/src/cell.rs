//! One value of a table, before any format.

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
}

impl Cell {
    /// As llama-bench writes values in CSV and SQL (C++'s `std::to_string`): six decimals, yes and
    /// no as 1 and 0. Nothing for an absent value.
    pub fn plain(&self) -> String {
        match self {
            Cell::Absent => String::new(),
            Cell::Text(text) | Cell::Json(text) => text.clone(),
            Cell::Bool(yes) => u8::from(*yes).to_string(),
            Cell::Int(n) => n.to_string(),
            Cell::Float(x) => format!("{x:.6}"),
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
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_in_both_spellings() {
        let cells = [
            (Cell::Absent, "", "null"),
            (Cell::Text("a \"b\"\n".into()), "a \"b\"\n", r#""a \"b\"\n""#),
            (Cell::Bool(true), "1", "true"),
            (Cell::Int(-1), "-1", "-1"),
            (Cell::Float(0.5), "0.500000", "0.500000"),
            (Cell::Float(f64::NAN), "NaN", "null"),
            (Cell::Json("[1]".into()), "[1]", "[1]"),
        ];
        for (cell, plain, json) in cells {
            assert_eq!((cell.plain().as_str(), cell.json().as_str()), (plain, json));
        }
    }
}
