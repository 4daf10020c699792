//! From source to tokens, with the white space that Jinja2 drops under `trim_blocks` and
//! `lstrip_blocks`.
//!
//! The rules are those of jinja2's `lexer.py`: text up to the next `{{`, `{%` or `{#`, then the
//! inside of that tag. A `-` inside a tag's border drops all white space beyond it, a `+` keeps it;
//! without either, the blanks before a block or comment that is first in its line go, and so does
//! the line feed after it.

mod literal;
mod tag;
mod token;

pub(crate) use token::{Kind, Token};

use crate::error::{Result, syntax};
use crate::unicode::is_space;
use std::sync::Arc;

/// The tokens of `source`; the last is [`Kind::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Token>> {
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    // One line feed at the end is dropped: `keep_trailing_newline` is off.
    if source.ends_with('\n') {
        source.pop();
    }
    let mut lexer =
        Lexer { source: &source, at: 0, line: 1, starts_line: true, tokens: Vec::new() };
    while lexer.at < source.len() {
        lexer.text()?;
    }
    lexer.push(Kind::End);
    Ok(lexer.tokens)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: u32,
    /// Whether what was read last ends with a line feed, or nothing was.
    starts_line: bool,
    tokens: Vec<Token>,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn push(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, line: self.line });
    }

    /// Moves on, counting lines.
    fn skip(&mut self, length: usize) {
        let skipped = &self.rest()[..length];
        self.line += skipped.bytes().filter(|byte| *byte == b'\n').count() as u32;
        self.starts_line = skipped.ends_with('\n');
        self.at += length;
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches(is_space).len();
        if length > 0 {
            self.skip(length);
        }
    }

    fn data(&mut self, text: &str) {
        if !text.is_empty() {
            self.push(Kind::Data(Arc::from(text)));
        }
    }

    /// Text up to the next tag, and the tag.
    fn text(&mut self) -> Result<()> {
        let rest = self.rest();
        let starts_tag =
            |at: &usize| matches!(rest.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#'));
        let Some(length) = rest.match_indices('{').map(|(at, _)| at).find(starts_tag) else {
            self.data(rest);
            self.at = self.source.len();
            return Ok(());
        };
        let (text, tag) = rest.split_at(length);
        let kind = tag.as_bytes()[1];
        let sign = tag[2..].chars().next().filter(|c| matches!(c, '-' | '+'));
        self.data(stripped(text, sign, self.starts_line, kind != b'{'));
        self.skip(length);
        if let Some(length) = (kind == b'%').then(|| raw_tag(tag)).flatten() {
            self.skip(length);
            return self.raw();
        }
        self.skip(2 + sign.map_or(0, char::len_utf8));
        match kind {
            b'#' => self.comment(),
            b'%' => self.tag("%}", Kind::BlockBegin, Kind::BlockEnd),
            _ => self.tag("}}", Kind::VariableBegin, Kind::VariableEnd),
        }
    }

    fn comment(&mut self) -> Result<()> {
        let Some(length) = self.rest().find("#}") else {
            return syntax(self.line, "missing end of comment tag");
        };
        let sign = self.rest()[..length].chars().next_back();
        self.skip(length + 2);
        self.after_end(sign);
        Ok(())
    }

    /// What is dropped after `%}` or `#}` behind `sign`.
    fn after_end(&mut self, sign: Option<char>) {
        match sign {
            Some('-') => self.skip_space(),
            Some('+') => {}
            _ if self.rest().starts_with('\n') => self.skip(1),
            _ => {}
        }
    }

    /// Text up to `{% endraw %}`, as it stands.
    fn raw(&mut self) -> Result<()> {
        let rest = self.rest();
        for (at, _) in rest.match_indices("{%") {
            let Some((sign, length, end_sign)) = end_of_raw(&rest[at..]) else { continue };
            self.data(stripped(&rest[..at], sign, self.starts_line, true));
            self.skip(at + length);
            self.after_end(end_sign);
            return Ok(());
        }
        syntax(self.line, "missing end of raw directive")
    }
}

/// `text` before a tag without the white space that the tag drops.
fn stripped(text: &str, sign: Option<char>, starts_line: bool, is_block: bool) -> &str {
    match sign {
        Some('-') => text.trim_end_matches(is_space),
        None if is_block => {
            let line = text.rfind('\n').map_or(0, |at| at + 1);
            let is_blank = text[line..].chars().all(is_space);
            if is_blank && (line > 0 || starts_line) { &text[..line] } else { text }
        }
        _ => text,
    }
}

/// The length of `{% raw %}`, and of the white space that `-%}` drops.
fn raw_tag(tag: &str) -> Option<usize> {
    let inside = tag[2..].strip_prefix(['-', '+']).unwrap_or(&tag[2..]);
    let after =
        inside.trim_start_matches(is_space).strip_prefix("raw")?.trim_start_matches(is_space);
    let rest = match after.strip_prefix("-%}") {
        Some(rest) => rest.trim_start_matches(is_space),
        None => after.strip_prefix("%}")?,
    };
    Some(tag.len() - rest.len())
}

/// The sign of `{% endraw %}`, its length, and the sign at its end.
fn end_of_raw(tag: &str) -> Option<(Option<char>, usize, Option<char>)> {
    let sign = tag[2..].chars().next().filter(|c| matches!(c, '-' | '+'));
    let inside = &tag[2 + sign.map_or(0, char::len_utf8)..];
    let after =
        inside.trim_start_matches(is_space).strip_prefix("endraw")?.trim_start_matches(is_space);
    let end_sign = after.chars().next().filter(|c| matches!(c, '-' | '+'));
    let rest = after[end_sign.map_or(0, char::len_utf8)..].strip_prefix("%}")?;
    Some((sign, tag.len() - rest.len(), end_sign))
}

#[cfg(test)]
mod tests;
