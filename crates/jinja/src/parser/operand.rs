//! What operators apply to: literals, names, brackets, and what follows them: subscripts, calls,
//! filters and tests.

use super::Parser;
use crate::ast::{Expr, Literal, Postfix, Slot, Variable};
use crate::error::{Result, syntax};
use crate::lexer::Kind;
use crate::predicates;
use crate::value::Text;

impl Parser {
    /// A sign binds more than a filter: `-1|abs` is 1.
    pub(super) fn unary(&mut self, with_filters: bool) -> Result<Expr> {
        let node = if self.skip_sign("-") {
            Expr::Negative(Box::new(self.nested(|parser| parser.unary(false))?))
        } else if self.skip_sign("+") {
            Expr::Positive(Box::new(self.nested(|parser| parser.unary(false))?))
        } else {
            self.primary()?
        };
        let mut applied = Vec::new();
        self.postfix(&mut applied)?;
        if with_filters {
            self.filters_and_tests(&mut applied)?;
        }
        Ok(if applied.is_empty() { node } else { Expr::Postfix(Box::new(node), applied) })
    }

    pub(super) fn primary(&mut self) -> Result<Expr> {
        let line = self.line();
        match self.kind() {
            Kind::Name(_) => {
                let name = self.name()?;
                Ok(match &name[..] {
                    "true" | "True" => Expr::Literal(Literal::Bool(true)),
                    "false" | "False" => Expr::Literal(Literal::Bool(false)),
                    "none" | "None" => Expr::Literal(Literal::None),
                    _ => Expr::Variable(Variable { name, slot: Slot::default() }),
                })
            }
            Kind::Text(_) => self.strings(),
            Kind::Int(value) => {
                let value = *value;
                self.advance();
                Ok(Expr::Literal(Literal::Int(value)))
            }
            Kind::Float(value) => {
                let value = *value;
                self.advance();
                Ok(Expr::Literal(Literal::Float(value)))
            }
            Kind::Sign("(") => {
                self.advance();
                let tuple = self.tuple_of(Parser::expression, &[], true)?;
                self.expect_sign(")")?;
                Ok(tuple)
            }
            Kind::Sign("[") => {
                self.advance();
                let items = self.until("]", Parser::expression)?;
                Ok(Expr::List(items))
            }
            Kind::Sign("{") => {
                self.advance();
                let entries = self.until("}", |parser| {
                    let key = parser.expression()?;
                    parser.expect_sign(":")?;
                    Ok((key, parser.expression()?))
                })?;
                Ok(Expr::Dict(entries))
            }
            other => syntax(line, format!("unexpected {}", other.described())),
        }
    }

    /// Literals beside one another are one.
    pub(super) fn strings(&mut self) -> Result<Expr> {
        let mut joined: Option<Text> = None;
        while let Kind::Text(text) = self.kind() {
            joined = Some(match joined {
                None => Text::shared(text.clone()),
                Some(before) => Text::from(&format!("{}{text}", &before[..])[..]),
            });
            self.advance();
        }
        Ok(Expr::Literal(Literal::Text(joined.unwrap_or_else(|| Text::from("")))))
    }

    /// `.name`, `[…]` and `(…)`.
    pub(super) fn postfix(&mut self, applied: &mut Vec<Postfix>) -> Result<()> {
        loop {
            match self.kind() {
                Kind::Sign(".") => {
                    self.advance();
                    applied.push(match self.kind() {
                        Kind::Name(_) => Postfix::Attribute(self.name()?),
                        Kind::Int(number) => {
                            let number = *number;
                            self.advance();
                            Postfix::Item(Expr::Literal(Literal::Int(number)))
                        }
                        _ => return self.unexpected("a name or a number"),
                    });
                }
                Kind::Sign("[") => {
                    self.advance();
                    applied.push(self.subscript()?);
                }
                Kind::Sign("(") => applied.push(Postfix::Call(self.arguments()?)),
                _ => return Ok(()),
            }
        }
    }

    fn subscript(&mut self) -> Result<Postfix> {
        let line = self.line();
        let mut keys = self.until("]", Parser::subscribed)?;
        let plain = |key: Postfix| match key {
            Postfix::Item(key) => Ok(key),
            _ => syntax(line, "a slice among other subscripts"),
        };
        match keys.pop() {
            Some(single) if keys.is_empty() => Ok(single),
            last => {
                let keys = keys.into_iter().chain(last).map(plain).collect::<Result<_>>()?;
                Ok(Postfix::Item(Expr::Tuple(keys)))
            }
        }
    }

    fn subscribed(&mut self) -> Result<Postfix> {
        let ends =
            |parser: &Parser| parser.is_sign("]") || parser.is_sign(",") || parser.is_sign(":");
        let bound = |parser: &mut Parser| {
            if ends(parser) { Ok(None) } else { parser.expression().map(Some) }
        };
        let start = if self.is_sign(":") { None } else { Some(self.expression()?) };
        if !self.skip_sign(":") {
            return match start {
                Some(key) => Ok(Postfix::Item(key)),
                None => self.unexpected("a subscript"),
            };
        }
        let stop = bound(self)?;
        let step = if self.skip_sign(":") { bound(self)? } else { None };
        Ok(Postfix::Slice(Box::new([start, stop, step])))
    }

    pub(super) fn filters_and_tests(&mut self, applied: &mut Vec<Postfix>) -> Result<()> {
        loop {
            if self.is_sign("|") {
                self.filters(applied)?;
            } else if self.skip_name("is") {
                let test = self.test()?;
                applied.push(test);
            } else if self.is_sign("(") {
                applied.push(Postfix::Call(self.arguments()?));
            } else {
                return Ok(());
            }
        }
    }

    fn test(&mut self) -> Result<Postfix> {
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        let mut arguments = crate::ast::Arguments::default();
        let starts_operand = match self.kind() {
            Kind::Name(name) => !matches!(&name[..], "else" | "or" | "and"),
            Kind::Text(_) | Kind::Int(_) | Kind::Float(_) | Kind::Sign("[" | "{") => true,
            _ => false,
        };
        if self.is_sign("(") {
            arguments = self.arguments()?;
        } else if starts_operand {
            if self.is_name("is") {
                return syntax(self.line(), "tests cannot be chained with 'is'");
            }
            arguments.positional.push(self.nested(|parser| {
                let operand = parser.primary()?;
                let mut applied = Vec::new();
                parser.postfix(&mut applied)?;
                Ok(if applied.is_empty() {
                    operand
                } else {
                    Expr::Postfix(Box::new(operand), applied)
                })
            })?);
        }
        let predicate = predicates::find(&name);
        Ok(Postfix::Test { name, predicate, arguments, negated })
    }
}
