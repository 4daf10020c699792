//! From tokens to the tree, by the grammar of jinja2's `parser.py`.
//!
//! Where a name is kept is left to `resolve`. Nesting is bounded here, so that everything that
//! walks the tree may recurse.

mod arguments;
mod expression;
mod operand;
mod statement;
mod tuple;

use crate::ast::{Block, Body, Name};
use crate::error::{Result, syntax};
use crate::lexer::{Kind, Token, tokens};
use crate::limits::{MAX_NESTING, exceeded};
use std::mem::take;

/// The statements of `source`, and its blocks.
pub(crate) fn parse(source: &str) -> Result<(Body, Vec<Block>)> {
    let mut parser =
        Parser { tokens: tokens(source)?, at: 0, nesting: 0, loops: 0, blocks: Vec::new() };
    let body = parser.body(&[])?;
    Ok((body, parser.blocks))
}

struct Parser {
    /// The last is [`Kind::End`].
    tokens: Vec<Token>,
    at: usize,
    /// How many expressions and statements are around this one.
    nesting: usize,
    /// How many loops are around this statement, in the same function.
    loops: usize,
    blocks: Vec<Block>,
}

impl Parser {
    fn kind(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn ahead(&self) -> &Kind {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].kind
    }

    fn line(&self) -> u32 {
        self.tokens[self.at].line
    }

    /// Takes the token; the end stays.
    fn advance(&mut self) -> Kind {
        if self.at + 1 == self.tokens.len() {
            return Kind::End;
        }
        self.at += 1;
        std::mem::replace(&mut self.tokens[self.at - 1].kind, Kind::End)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.kind(), Kind::Sign(found) if *found == sign)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.kind(), Kind::Name(found) if found[..] == *name)
    }

    fn skip_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.advance();
        }
        found
    }

    fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        if found {
            self.advance();
        }
        found
    }

    fn unexpected<T>(&self, expected: &str) -> Result<T> {
        syntax(self.line(), format!("expected {expected}, found {}", self.kind().described()))
    }

    fn expect_sign(&mut self, sign: &str) -> Result<()> {
        if self.skip_sign(sign) { Ok(()) } else { self.unexpected(&format!("'{sign}'")) }
    }

    fn expect_keyword(&mut self, name: &str) -> Result<()> {
        if self.skip_name(name) { Ok(()) } else { self.unexpected(&format!("'{name}'")) }
    }

    fn expect_kind(&mut self, kind: &Kind) -> Result<()> {
        if self.kind() != kind {
            return self.unexpected(&kind.described());
        }
        self.advance();
        Ok(())
    }

    fn name(&mut self) -> Result<Name> {
        match self.kind() {
            Kind::Name(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            _ => self.unexpected("a name"),
        }
    }

    /// Goes a level deeper into the source.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Parser) -> Result<T>) -> Result<T> {
        if self.nesting == MAX_NESTING {
            return exceeded(MAX_NESTING as u64, "levels of expressions and statements");
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// Parses a body that is a function of its own: a `break` in it does not reach a loop around
    /// it.
    fn function<T>(&mut self, parse: impl FnOnce(&mut Parser) -> Result<T>) -> Result<T> {
        let loops = take(&mut self.loops);
        let parsed = parse(self);
        self.loops = loops;
        parsed
    }
}
