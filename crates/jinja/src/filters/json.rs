//! `tojson` with the meaning it has in Hugging Face's environment: Python's `json.dumps`, and no
//! HTML escapes.

use super::given;
use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use crate::value::iterate::collect;
use crate::value::repr::{float, to_text};
use crate::value::text::Buffer;
use crate::value::{Text, Value, compare};

/// The keyword arguments of `json.dumps` that templates use.
struct Dumps<'r, 'p> {
    run: &'r Run<'p>,
    ensure_ascii: bool,
    indent: Option<Text>,
    item_separator: Text,
    key_separator: Text,
    sort_keys: bool,
}

/// `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`
pub(super) fn tojson(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let [ensure_ascii, indent, separators, sort_keys] = args.optional("tojson", names)?;
    let indent = match given(indent) {
        None => None,
        Some(Value::Text(text)) => Some(text),
        Some(width) => {
            let width = usize::try_from(width.index("tojson")?.max(0)).unwrap_or(usize::MAX);
            let mut spaces = Buffer::new(&run.budget);
            spaces.pad(' ', width)?;
            Some(spaces.into_text(false))
        }
    };
    let (item_separator, key_separator) = match given(separators) {
        // With an indent, lines end without a space.
        None => (Text::from(if indent.is_some() { "," } else { ", " }), Text::from(": ")),
        Some(pair) => match &collect(run, &pair)?[..] {
            [Value::Text(item), Value::Text(key)] => (item.clone(), key.clone()),
            _ => return fail("tojson: separators: expected two strings"),
        },
    };
    let (ensure_ascii, sort_keys) = (super::is_true(ensure_ascii), super::is_true(sort_keys));
    let dumps = Dumps { run, ensure_ascii, indent, item_separator, key_separator, sort_keys };
    let mut out = Buffer::new(&run.budget);
    dumps.write(value, 0, &mut out)?;
    Ok(Value::Text(out.into_text(false)))
}

impl Dumps<'_, '_> {
    fn write(&self, value: &Value, depth: usize, out: &mut Buffer<'_>) -> Result<()> {
        self.run.budget.step()?;
        match value {
            Value::None => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Int(number) => out.push_str(&number.to_string()),
            Value::Float(number) => out.push_str(&json_float(*number)),
            Value::Text(text) => self.string(text, out),
            Value::List(seq) | Value::Tuple(seq) => {
                let items = seq.items.iter().map(|item| (None, item));
                self.container(["[", "]"], items, depth, out)
            }
            Value::Dict(dict) => {
                let mut entries = dict.entries().to_vec();
                self.run.budget.produce_many(entries.len(), 2 * size_of::<Value>())?;
                if self.sort_keys {
                    compare::sort(&mut entries, &mut |a, b| {
                        compare::less(&a.0, &b.0, &self.run.budget)
                    })?;
                }
                let keys =
                    entries.iter().map(|(key, _)| self.key(key)).collect::<Result<Vec<_>>>()?;
                let entries = keys.iter().zip(&entries).map(|(key, (_, value))| (Some(key), value));
                self.container(["{", "}"], entries, depth, out)
            }
            other => fail(format!(
                "tojson: object of type {} is not JSON serializable",
                other.type_name()
            )),
        }
    }

    fn container<'v>(
        &self,
        [open, close]: [&str; 2],
        items: impl Iterator<Item = (Option<&'v Text>, &'v Value)>,
        depth: usize,
        out: &mut Buffer<'_>,
    ) -> Result<()> {
        out.push_str(open)?;
        let mut is_empty = true;
        for (key, item) in items {
            self.run.budget.step()?;
            if !is_empty {
                out.push_str(&self.item_separator)?;
            }
            is_empty = false;
            self.new_line(depth + 1, out)?;
            if let Some(key) = key {
                self.string(key, out)?;
                out.push_str(&self.key_separator)?;
            }
            self.write(item, depth + 1, out)?;
        }
        if !is_empty {
            self.new_line(depth, out)?;
        }
        out.push_str(close)
    }

    fn new_line(&self, depth: usize, out: &mut Buffer<'_>) -> Result<()> {
        let Some(indent) = &self.indent else { return Ok(()) };
        out.push('\n')?;
        (0..depth).try_for_each(|_| out.push_str(indent))
    }

    /// Keys that are no strings become what they are in JSON.
    fn key(&self, key: &Value) -> Result<Text> {
        Ok(match key {
            Value::Text(text) => text.clone(),
            Value::None => Text::from("null"),
            Value::Bool(value) => Text::from(if *value { "true" } else { "false" }),
            Value::Float(number) => Text::from(&json_float(*number)[..]),
            Value::Int(_) => to_text(self.run, key)?,
            other => {
                let found = other.type_name();
                return fail(format!(
                    "tojson: keys must be str, int, float, bool or None, not {found}"
                ));
            }
        })
    }

    fn string(&self, text: &str, out: &mut Buffer<'_>) -> Result<()> {
        out.push('"')?;
        let mut rest = text;
        let is_special =
            |c: char| c < ' ' || c == '"' || c == '\\' || (self.ensure_ascii && c > '~');
        while let Some(at) = rest.find(is_special) {
            out.push_str(&rest[..at])?;
            let c = rest[at..].chars().next().unwrap_or_default();
            match c {
                '"' => out.push_str("\\\"")?,
                '\\' => out.push_str("\\\\")?,
                '\n' => out.push_str("\\n")?,
                '\r' => out.push_str("\\r")?,
                '\t' => out.push_str("\\t")?,
                '\u{8}' => out.push_str("\\b")?,
                '\u{c}' => out.push_str("\\f")?,
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"))?;
                    }
                }
            }
            rest = &rest[at + c.len_utf8()..];
        }
        out.push_str(rest)?;
        out.push('"')
    }
}

fn json_float(number: f64) -> String {
    match float(number).as_str() {
        "nan" => "NaN".to_owned(),
        "inf" => "Infinity".to_owned(),
        "-inf" => "-Infinity".to_owned(),
        finite => finite.to_owned(),
    }
}
