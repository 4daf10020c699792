//! The inside of `{{ … }}` and `{% … %}`.

use super::{Kind, Lexer, literal};
use crate::error::{Result, syntax};
use crate::unicode::{is_identifier, is_space, is_word};
use std::sync::Arc;

/// Longer ones first.
const SIGNS: &[&str] = &[
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";",
];

impl Lexer<'_> {
    /// Everything up to and with `end`, which counts only where no bracket is open.
    pub(super) fn tag(&mut self, end: &str, begin: Kind, ended: Kind) -> Result<()> {
        self.push(begin);
        let mut open: Vec<&str> = Vec::new();
        while !self.rest().is_empty() {
            if open.is_empty() && self.end_of_tag(end, &ended) {
                return Ok(());
            }
            let c = self.rest().chars().next().unwrap_or_default();
            if is_space(c) {
                self.skip_space();
            } else if c.is_ascii_digit() {
                self.number()?;
            } else if is_word(c) {
                self.name()?;
            } else if let ('\'' | '"', Some(length)) = (c, literal::string_length(self.rest())) {
                let literal = &self.rest()[..length];
                match literal::unescaped(&literal[1..length - 1]) {
                    Ok(text) => self.push(Kind::Text(text.into())),
                    Err(reason) => return syntax(self.line, reason),
                }
                self.skip(length);
            } else {
                self.sign(&mut open)?;
            }
        }
        Ok(())
    }

    /// Reads `end` and what it drops, if it is here.
    fn end_of_tag(&mut self, end: &str, ended: &Kind) -> bool {
        let is_block = *ended == Kind::BlockEnd;
        let sign = self.rest().chars().next().filter(|c| *c == '-' || *c == '+' && is_block);
        let length = sign.map_or(0, char::len_utf8);
        if !self.rest()[length..].starts_with(end) {
            return false;
        }
        self.push(ended.clone());
        self.skip(length + end.len());
        match sign {
            None if !is_block => {}
            sign => self.after_end(sign),
        }
        true
    }

    fn number(&mut self) -> Result<()> {
        // After a point there is no float: `x.0.1` is two subscripts.
        let after_point = self.source[..self.at].ends_with('.');
        let (kind, length) = match literal::number(self.rest(), after_point) {
            Ok(found) => found,
            Err(reason) => return syntax(self.line, reason),
        };
        self.push(kind);
        self.skip(length);
        Ok(())
    }

    fn name(&mut self) -> Result<()> {
        let rest = self.rest();
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let name = &rest[..length];
        if !is_identifier(name) {
            return syntax(self.line, format!("invalid character in the name '{name}'"));
        }
        self.push(Kind::Name(Arc::from(name)));
        self.skip(length);
        Ok(())
    }

    fn sign(&mut self, open: &mut Vec<&str>) -> Result<()> {
        let rest = self.rest();
        let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else {
            return syntax(
                self.line,
                format!("unexpected character {:?}", rest.chars().next().unwrap_or_default()),
            );
        };
        match *sign {
            "{" => open.push("}"),
            "(" => open.push(")"),
            "[" => open.push("]"),
            "}" | ")" | "]" => match open.pop() {
                Some(expected) if expected == *sign => {}
                Some(expected) => {
                    return syntax(
                        self.line,
                        format!("unexpected '{sign}', expected '{expected}'"),
                    );
                }
                None => return syntax(self.line, format!("unexpected '{sign}'")),
            },
            _ => {}
        }
        self.push(Kind::Sign(sign));
        self.skip(sign.len());
        Ok(())
    }
}
