//! Expressions: operators by what binds more.

use super::Parser;
use super::tuple::Part;
use crate::ast::{Comparison, Escape, Expr};
use crate::error::Result;
use crate::lexer::Kind;
use crate::value::number::Arithmetic;

impl Parser {
    /// An expression, `if` and `else` included.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.nested(|parser| {
            let mut value = parser.or()?;
            while parser.is_name("if") {
                value = parser.conditional(value)?;
            }
            Ok(value)
        })
    }

    /// `value if … else …`, with the conditions of `else` parts in one list.
    fn conditional(&mut self, value: Expr) -> Result<Expr> {
        let mut arms = Vec::new();
        let mut value = value;
        while self.skip_name("if") {
            arms.push((value, self.or()?));
            if !self.skip_name("else") {
                // A condition of its own for all so far: a level more.
                let missing = Expr::Conditional(arms, None);
                return if self.is_name("if") {
                    self.nested(|parser| parser.conditional(missing))
                } else {
                    Ok(missing)
                };
            }
            value = self.or()?;
        }
        Ok(Expr::Conditional(arms, Some(Box::new(value))))
    }

    /// An expression without a condition of its own.
    pub(super) fn or(&mut self) -> Result<Expr> {
        self.operands("or", Parser::and, Expr::Or)
    }

    fn and(&mut self) -> Result<Expr> {
        self.operands("and", Parser::not, Expr::And)
    }

    fn operands(
        &mut self,
        operator: &str,
        part: Part,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr> {
        let first = part(self)?;
        if !self.is_name(operator) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.skip_name(operator) {
            operands.push(part(self)?);
        }
        Ok(join(operands))
    }

    fn not(&mut self) -> Result<Expr> {
        if self.skip_name("not") {
            return Ok(Expr::Not(Box::new(self.nested(Parser::not)?)));
        }
        let first = self.sum()?;
        let mut rest = Vec::new();
        while let Some((operator, n_tokens)) = self.comparison() {
            (0..n_tokens).for_each(|_| drop(self.advance()));
            rest.push((operator, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    /// The operator that comes next, and of how many tokens it is.
    fn comparison(&self) -> Option<(Comparison, usize)> {
        Some(match self.kind() {
            Kind::Sign("==") => (Comparison::Equal, 1),
            Kind::Sign("!=") => (Comparison::NotEqual, 1),
            Kind::Sign("<") => (Comparison::Less, 1),
            Kind::Sign("<=") => (Comparison::LessOrEqual, 1),
            Kind::Sign(">") => (Comparison::Greater, 1),
            Kind::Sign(">=") => (Comparison::GreaterOrEqual, 1),
            Kind::Name(name) if name[..] == *"in" => (Comparison::In, 1),
            Kind::Name(name) if name[..] == *"not" => match self.ahead() {
                Kind::Name(next) if next[..] == *"in" => (Comparison::NotIn, 2),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn sum(&mut self) -> Result<Expr> {
        self.chain(&[("+", Arithmetic::Add), ("-", Arithmetic::Sub)], Parser::concat)
    }

    /// `~` binds more than `+`.
    fn concat(&mut self) -> Result<Expr> {
        let first = self.product()?;
        if !self.is_sign("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip_sign("~") {
            parts.push(self.product()?);
        }
        Ok(Expr::Concat(parts, Escape::Off))
    }

    fn product(&mut self) -> Result<Expr> {
        let operators = [
            ("*", Arithmetic::Mul),
            ("/", Arithmetic::Div),
            ("//", Arithmetic::FloorDiv),
            ("%", Arithmetic::Mod),
        ];
        self.chain(&operators, |parser| {
            parser.chain(&[("**", Arithmetic::Pow)], |parser| parser.unary(true))
        })
    }

    fn chain(&mut self, operators: &[(&str, Arithmetic)], part: Part) -> Result<Expr> {
        let first = part(self)?;
        let mut rest = Vec::new();
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.is_sign(sign)) {
            self.advance();
            rest.push((*operator, part(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Arithmetic(Box::new(first), rest) })
    }
}
