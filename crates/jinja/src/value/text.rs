//! Strings, and the buffer they are built in.

use crate::error::Result;
use crate::limits::{Budget, exceeded};
use std::ops::Deref;
use std::sync::Arc;

/// A string. Markup is one that needs no HTML escapes; what is joined to it gets them (markupsafe's
/// `Markup`).
#[derive(Clone, Debug)]
pub(crate) struct Text {
    chars: Arc<str>,
    markup: bool,
}

impl Text {
    /// The string of a program.
    pub(crate) fn shared(chars: Arc<str>) -> Text {
        Text { chars, markup: false }
    }

    /// The same characters, as markup or not.
    pub(crate) fn with_markup(&self, markup: bool) -> Text {
        Text { chars: self.chars.clone(), markup }
    }

    /// Whether it is markup.
    pub(crate) fn is_markup(&self) -> bool {
        self.markup
    }

    /// Its characters.
    pub(crate) fn chars_shared(&self) -> &Arc<str> {
        &self.chars
    }

    /// How many characters it has.
    pub(crate) fn n_chars(&self) -> usize {
        if self.chars.is_ascii() { self.chars.len() } else { self.chars.chars().count() }
    }

    /// The characters from `start` to `end`, counted in characters.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &str {
        if start >= end {
            return "";
        }
        if self.chars.is_ascii() {
            return self.chars.get(start..end.min(self.chars.len())).unwrap_or_default();
        }
        let mut borders = self.chars.char_indices().map(|(at, _)| at).chain([self.chars.len()]);
        let from = borders.nth(start).unwrap_or(self.chars.len());
        let to = borders.nth(end - start - 1).unwrap_or(self.chars.len());
        self.chars.get(from..to).unwrap_or_default()
    }

    /// `self` with HTML's special characters escaped, unless it is markup.
    pub(crate) fn escaped(&self, budget: &Budget) -> Result<Text> {
        if self.markup {
            return Ok(self.clone());
        }
        let mut buffer = Buffer::new(budget);
        buffer.push_escaped(self)?;
        Ok(buffer.into_text(true))
    }
}

impl From<&str> for Text {
    fn from(chars: &str) -> Text {
        Text { chars: chars.into(), markup: false }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.chars
    }
}

/// A string that grows within a budget.
pub(crate) struct Buffer<'b> {
    text: String,
    budget: &'b Budget,
    /// Bytes that may be written, if this is what a rendering returns.
    limit: Option<u64>,
}

impl<'b> Buffer<'b> {
    /// For a value.
    pub(crate) fn new(budget: &'b Budget) -> Buffer<'b> {
        Buffer { text: String::new(), budget, limit: None }
    }

    /// For what the rendering returns.
    pub(crate) fn output(budget: &'b Budget) -> Buffer<'b> {
        Buffer { text: String::new(), budget, limit: Some(budget.limits.output) }
    }

    /// Appends `text`.
    pub(crate) fn push_str(&mut self, text: &str) -> Result<()> {
        match self.limit {
            None => self.budget.produce(text.len())?,
            Some(limit) if (self.text.len() + text.len()) as u64 > limit => {
                return exceeded(limit, "bytes of output");
            }
            Some(_) => {}
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Appends `c`.
    pub(crate) fn push(&mut self, c: char) -> Result<()> {
        self.push_str(c.encode_utf8(&mut [0; 4]))
    }

    /// Appends `c`, `n` times.
    pub(crate) fn pad(&mut self, c: char, n: usize) -> Result<()> {
        self.budget.produce_many(n, c.len_utf8())?;
        self.text.extend(std::iter::repeat_n(c, n));
        Ok(())
    }

    /// Appends `text` as markupsafe's `escape` writes it.
    pub(crate) fn push_escaped(&mut self, text: &str) -> Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(['&', '<', '>', '\'', '"']) {
            self.push_str(&rest[..at])?;
            self.push_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'\'' => "&#39;",
                _ => "&#34;",
            })?;
            rest = &rest[at + 1..];
        }
        self.push_str(rest)
    }

    /// What it is counted in.
    pub(crate) fn budget(&self) -> &'b Budget {
        self.budget
    }

    /// What was built.
    pub(crate) fn into_string(self) -> String {
        self.text
    }

    /// What was built.
    pub(crate) fn into_text(self, markup: bool) -> Text {
        Text { chars: self.text.into(), markup }
    }
}

impl Budget {
    /// A string that was just made of `chars`; counted here, so it must be bounded already.
    pub(crate) fn text(&self, chars: &str) -> Result<Text> {
        self.produce(chars.len())?;
        Ok(Text::from(chars))
    }
}
