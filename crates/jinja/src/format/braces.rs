//! `'{}'.format(…)`: fields in braces.

use super::percent::represented;
use super::spec;
use crate::error::{Result, fail};
use crate::interpret::{Args, Run, access};
use crate::value::text::Buffer;
use crate::value::{Text, Value, repr};

/// `template.format(…)`; markup escapes what it is given.
pub(crate) fn format(run: &Run<'_>, template: &Text, args: &Args) -> Result<Value> {
    let mut out = Buffer::new(&run.budget);
    let mut fields = Fields { run, args, next: Next::Unknown, markup: template.is_markup() };
    fields.write(template, 2, &mut out)?;
    Ok(Value::Text(out.into_text(template.is_markup())))
}

/// How fields without a name are counted: all by themselves or all by hand.
enum Next {
    Unknown,
    Counted(usize),
    ByHand,
}

struct Fields<'f, 'r> {
    run: &'f Run<'r>,
    args: &'f Args,
    next: Next,
    markup: bool,
}

impl Fields<'_, '_> {
    /// Writes `template`; a field's specification may hold fields itself, `levels` deep.
    fn write(&mut self, template: &str, levels: u32, out: &mut Buffer<'_>) -> Result<()> {
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            self.run.budget.step()?;
            out.push_str(&rest[..at])?;
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                out.push_str(brace)?;
                rest = after;
                continue;
            }
            if brace == "}" {
                return fail("Single '}' encountered in format string");
            }
            if levels == 0 {
                return fail("Max string recursion exceeded");
            }
            self.run.budget.read(after.len())?;
            let (field, after) = field(after)?;
            self.write_field(field, levels, out)?;
            rest = after;
        }
        out.push_str(rest)
    }

    fn write_field(&mut self, field: &str, levels: u32, out: &mut Buffer<'_>) -> Result<()> {
        let end = name_end(field);
        let (name, rest) = field.split_at(end);
        let mut value = self.value(name)?;
        let rest = match rest.strip_prefix('!') {
            Some(rest) => {
                let mut chars = rest.chars();
                value = Value::Text(match chars.next() {
                    Some('s') => repr::to_text(self.run, &value)?,
                    Some(kind @ ('r' | 'a')) => represented(self.run, &value, kind == 'a')?,
                    _ => return fail("Unknown conversion specifier"),
                });
                chars.as_str()
            }
            None => rest,
        };
        let mut spec = Buffer::new(&self.run.budget);
        match rest.strip_prefix(':') {
            Some(inner) => self.write(inner, levels - 1, &mut spec)?,
            None if rest.is_empty() => {}
            None => return fail("expected ':' after conversion specifier"),
        }
        let spec = spec.into_string();
        if !self.markup {
            return spec::format(self.run, &value, &spec, out);
        }
        let is_markup = matches!(&value, Value::Text(text) if text.is_markup());
        if is_markup && !spec.is_empty() {
            return fail("unsupported format specification for markup");
        }
        let mut text = Buffer::new(&self.run.budget);
        spec::format(self.run, &value, &spec, &mut text)?;
        let text = text.into_text(is_markup).escaped(&self.run.budget)?;
        out.push_str(&text)
    }

    /// The value of `0`, `name`, `0.attribute[item]`, ….
    fn value(&mut self, name: &str) -> Result<Value> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut path) = name.split_at(end);
        let mut value = self.first(first)?;
        while !path.is_empty() {
            let rest = &path[1..];
            if path.starts_with('.') {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                value = access::attribute(self.run, &value, &rest[..end])?;
                path = &rest[end..];
            } else {
                let Some((key, after)) = rest.split_once(']') else {
                    return fail("Missing ']' in format string");
                };
                let key = match key.parse::<i128>() {
                    Ok(number) if key.bytes().all(|b| b.is_ascii_digit()) => Value::Int(number),
                    _ => Value::Text(self.run.budget.text(key)?),
                };
                value = access::item(self.run, &value, &key)?;
                path = after;
                if !path.is_empty() && !path.starts_with(['.', '[']) {
                    return fail("Only '.' or '[' may follow ']' in format field specifier");
                }
            }
        }
        Ok(value)
    }

    fn first(&mut self, name: &str) -> Result<Value> {
        let place = match (name.parse::<usize>(), &self.next) {
            (Ok(_), Next::Counted(_)) => {
                return fail(
                    "cannot switch from automatic field numbering to manual field specification",
                );
            }
            (Ok(place), _) => {
                self.next = Next::ByHand;
                place
            }
            (Err(_), _) if !name.is_empty() => {
                return match self.args.keyword.iter().find(|(key, _)| key[..] == *name) {
                    Some((_, value)) => Ok(value.clone()),
                    None => fail(format!("KeyError: '{name}'")),
                };
            }
            (Err(_), Next::ByHand) => {
                return fail(
                    "cannot switch from manual field specification to automatic field numbering",
                );
            }
            (Err(_), next) => {
                let place = if let Next::Counted(place) = next { *place } else { 0 };
                self.next = Next::Counted(place + 1);
                place
            }
        };
        match self.args.positional.get(place) {
            Some(value) => Ok(value.clone()),
            None => {
                fail(format!("Replacement index {place} out of range for positional args tuple"))
            }
        }
    }
}

/// A field and what follows its closing brace.
fn field(text: &str) -> Result<(&str, &str)> {
    let mut open = 1;
    let mut in_brackets = false;
    // Braces in brackets do not count, if the brackets are closed at all.
    let last_bracket = text.rfind(']').unwrap_or(0);
    for (at, c) in text.char_indices() {
        match c {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            '{' => open += 1,
            '}' if !(in_brackets && open == 1 && at < last_bracket) => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok((&text[..at], &text[at + 1..]));
        }
    }
    fail("expected '}' before end of string")
}

/// Where the name of a field ends: at `!` or `:` outside of brackets.
fn name_end(field: &str) -> usize {
    let mut in_brackets = false;
    for (at, c) in field.char_indices() {
        match c {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            '!' | ':' if !in_brackets => return at,
            _ => {}
        }
    }
    field.len()
}
