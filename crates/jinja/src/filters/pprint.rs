//! `pprint`: what Python's `pprint.pformat` writes, in lines of 80 characters where that goes.

use crate::error::{Error, Result};
use crate::interpret::{Args, Run};
use crate::limits::{MAX_DEPTH, exceeded};
use crate::methods::split::lines;
use crate::unicode::is_space;
use crate::value::compare::{less, sort};
use crate::value::text::Buffer;
use crate::value::{Text, Value, repr};

const WIDTH: usize = 80;

/// `pprint`
pub(super) fn pprint(run: &Run<'_>, value: &Value, args: Args) -> Result<Value> {
    let [] = args.optional("pprint", [])?;
    let mut out = Buffer::new(&run.budget);
    Printer { run }.write(value, 0, 0, 0, &mut out)?;
    Ok(Value::Text(out.into_text(false)))
}

struct Printer<'r, 'p> {
    run: &'r Run<'p>,
}

impl Printer<'_, '_> {
    /// Writes `value` where the line is at `indent`, with `after` characters to follow it.
    fn write(
        &self,
        value: &Value,
        indent: usize,
        after: usize,
        level: u16,
        out: &mut Buffer<'_>,
    ) -> Result<()> {
        let short = self.short(value, level)?;
        if short.n_chars() + indent + after <= WIDTH {
            return out.push_str(&short);
        }
        match value {
            Value::Dict(dict) if dict.len() > 0 => {
                out.push('{')?;
                let entries = self.sorted(dict.entries())?;
                for (n, (key, value)) in entries.iter().enumerate() {
                    self.separate(n, indent + 1, out)?;
                    let key = self.short(key, level + 1)?;
                    out.push_str(&key)?;
                    out.push_str(": ")?;
                    let after = if n + 1 == entries.len() { after + 1 } else { 1 };
                    self.write(value, indent + 3 + key.n_chars(), after, level + 1, out)?;
                }
                out.push('}')
            }
            Value::List(seq) => self.items(&seq.items, ["[", "]"], indent, after, level, out),
            Value::Tuple(seq) => {
                let end = if seq.items.len() == 1 { ",)" } else { ")" };
                self.items(&seq.items, ["(", end], indent, after, level, out)
            }
            Value::Text(text) if !text.is_markup() => self.text(text, indent, after, level, out),
            _ => out.push_str(&short),
        }
    }

    fn items(
        &self,
        items: &[Value],
        [open, close]: [&str; 2],
        indent: usize,
        after: usize,
        level: u16,
        out: &mut Buffer<'_>,
    ) -> Result<()> {
        out.push_str(open)?;
        for (n, item) in items.iter().enumerate() {
            self.separate(n, indent + 1, out)?;
            let after = if n + 1 == items.len() { after + close.len() } else { 1 };
            self.write(item, indent + 1, after, level + 1, out)?;
        }
        out.push_str(close)
    }

    fn separate(&self, n: usize, indent: usize, out: &mut Buffer<'_>) -> Result<()> {
        self.run.budget.step()?;
        if n > 0 {
            out.push_str(",\n")?;
            out.pad(' ', indent)?;
        }
        Ok(())
    }

    /// A string as several literals beside one another, in parentheses if it is all there is.
    fn text(
        &self,
        text: &Text,
        indent: usize,
        after: usize,
        level: u16,
        out: &mut Buffer<'_>,
    ) -> Result<()> {
        let alone = usize::from(level == 0);
        let (indent, after) = (indent + alone, after + alone);
        let mut literals: Vec<Text> = Vec::new();
        let parts_of = lines(text, true);
        for (n, line) in parts_of.iter().enumerate() {
            let end = if n + 1 == parts_of.len() { after } else { 0 };
            let whole = self.quoted(line)?;
            if whole.n_chars() + indent + end <= WIDTH {
                literals.push(whole);
            } else {
                self.words(line, indent, end, &mut literals)?;
            }
        }
        let shown = if literals.len() > 1 { alone } else { 0 };
        out.push_str(&"("[..shown])?;
        for (n, literal) in literals.iter().enumerate() {
            if n > 0 {
                out.push('\n')?;
                out.pad(' ', indent)?;
            }
            out.push_str(literal)?;
        }
        out.push_str(&")"[..shown])
    }

    /// A line cut between words.
    fn words(&self, line: &str, indent: usize, end: usize, literals: &mut Vec<Text>) -> Result<()> {
        let mut start = 0;
        let mut at = 0;
        while at < line.len() {
            let rest = &line[at..];
            let word = rest.find(is_space).unwrap_or(rest.len());
            let next =
                at + rest[word..].find(|c| !is_space(c)).map_or(rest.len(), |space| word + space);
            let end = if next == line.len() { end } else { 0 };
            if self.quoted(&line[start..next])?.n_chars() + indent + end > WIDTH && start < at {
                literals.push(self.quoted(&line[start..at])?);
                start = at;
            }
            at = next;
        }
        literals.push(self.quoted(&line[start..])?);
        Ok(())
    }

    fn quoted(&self, text: &str) -> Result<Text> {
        let mut out = Buffer::new(&self.run.budget);
        repr::quoted(text, &mut out)?;
        Ok(out.into_text(false))
    }

    /// `repr`, with dictionaries in the order of their keys.
    fn short(&self, value: &Value, level: u16) -> Result<Text> {
        let mut out = Buffer::new(&self.run.budget);
        self.write_short(value, level, &mut out)?;
        Ok(out.into_text(false))
    }

    fn write_short(&self, value: &Value, level: u16, out: &mut Buffer<'_>) -> Result<()> {
        if level > MAX_DEPTH {
            return exceeded(u64::from(MAX_DEPTH), "levels of values");
        }
        self.run.budget.step()?;
        let (items, open, close) = match value {
            Value::Dict(dict) => {
                out.push('{')?;
                for (n, (key, value)) in self.sorted(dict.entries())?.iter().enumerate() {
                    out.push_str(if n > 0 { ", " } else { "" })?;
                    self.write_short(key, level + 1, out)?;
                    out.push_str(": ")?;
                    self.write_short(value, level + 1, out)?;
                }
                return out.push('}');
            }
            Value::List(seq) => (&seq.items, "[", "]"),
            Value::Tuple(seq) => (&seq.items, "(", if seq.items.len() == 1 { ",)" } else { ")" }),
            other => return repr::write(self.run, other, out, level),
        };
        out.push_str(open)?;
        for (n, item) in items.iter().enumerate() {
            out.push_str(if n > 0 { ", " } else { "" })?;
            self.write_short(item, level + 1, out)?;
        }
        out.push_str(close)
    }

    /// Entries by their keys; keys that have no order are ordered by the names of their types.
    fn sorted(&self, entries: &[(Value, Value)]) -> Result<Vec<(Value, Value)>> {
        self.run.budget.produce_many(entries.len(), 2 * size_of::<Value>())?;
        let mut entries = entries.to_vec();
        sort(&mut entries, &mut |a, b| match less(&a.0, &b.0, &self.run.budget) {
            Err(error) if matches!(*error, Error::Render { .. }) => {
                Ok(a.0.type_name() < b.0.type_name())
            }
            order => order,
        })?;
        Ok(entries)
    }
}
