//! Lists of expressions, and what may be assigned to.

use super::Parser;
use crate::ast::{AssignTarget, Expr, Postfix};
use crate::error::{Result, syntax};
use crate::lexer::Kind;

/// Where an expression list may end.
const TUPLE_ENDS: [Kind; 3] = [Kind::VariableEnd, Kind::BlockEnd, Kind::Sign(")")];

/// A way to parse the parts of a list.
pub(super) type Part = fn(&mut Parser) -> Result<Expr>;

impl Parser {
    /// Parts up to `end`, with commas between them and perhaps one after the last.
    pub(super) fn until<T>(
        &mut self,
        end: &str,
        part: impl Fn(&mut Parser) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut parts = Vec::new();
        while !self.is_sign(end) {
            if !parts.is_empty() {
                self.expect_sign(",")?;
                if self.is_sign(end) {
                    break;
                }
            }
            parts.push(part(self)?);
        }
        self.expect_sign(end)?;
        Ok(parts)
    }

    /// An expression, or a tuple without parentheses.
    pub(super) fn tuple(&mut self) -> Result<Expr> {
        self.tuple_of(Parser::expression, &[], false)
    }

    /// A tuple of `part`s, or one alone; `ends` are names that may end it.
    pub(super) fn tuple_of(
        &mut self,
        part: Part,
        ends: &[&str],
        may_be_empty: bool,
    ) -> Result<Expr> {
        let mut parts = Vec::new();
        let mut is_tuple = false;
        loop {
            if !parts.is_empty() {
                self.expect_sign(",")?;
            }
            if TUPLE_ENDS.contains(self.kind()) || ends.iter().any(|end| self.is_name(end)) {
                break;
            }
            parts.push(part(self)?);
            if !self.is_sign(",") {
                break;
            }
            is_tuple = true;
        }
        match parts.pop() {
            Some(single) if !is_tuple => Ok(single),
            None if !may_be_empty => self.unexpected("an expression"),
            last => {
                parts.extend(last);
                Ok(Expr::Tuple(parts))
            }
        }
    }

    /// What may be assigned to: names, tuples of them, and attributes of a namespace if
    /// `with_namespace`.
    pub(super) fn target(&mut self, ends: &[&str], with_namespace: bool) -> Result<AssignTarget> {
        let line = self.line();
        let part: Part = if with_namespace { Parser::target_or_attribute } else { Parser::primary };
        let parsed = self.tuple_of(part, ends, false)?;
        to_target(parsed, line)
    }

    fn target_or_attribute(&mut self) -> Result<Expr> {
        let primary = self.primary()?;
        if !matches!(primary, Expr::Variable(_)) || !self.skip_sign(".") {
            return Ok(primary);
        }
        let attribute = Postfix::Attribute(self.name()?);
        Ok(Expr::Postfix(Box::new(primary), vec![attribute]))
    }
}

/// An expression that was parsed where something is assigned to.
fn to_target(parsed: Expr, line: u32) -> Result<AssignTarget> {
    match parsed {
        Expr::Variable(variable) => Ok(AssignTarget::Variable(variable)),
        Expr::Tuple(parts) => Ok(AssignTarget::Tuple(
            parts.into_iter().map(|part| to_target(part, line)).collect::<Result<_>>()?,
        )),
        Expr::Postfix(base, mut applied) => match (*base, applied.pop()) {
            (Expr::Variable(variable), Some(Postfix::Attribute(name))) if applied.is_empty() => {
                Ok(AssignTarget::Attribute(variable, name))
            }
            _ => syntax(line, "cannot assign to this expression"),
        },
        _ => syntax(line, "cannot assign to this expression"),
    }
}
