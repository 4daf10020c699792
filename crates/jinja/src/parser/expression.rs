//! Expressions.

use super::Parser;
use crate::ast::{Comparison, Escape, Expr, Literal, Postfix, Slot, Target, Variable};
use crate::error::{Result, syntax};
use crate::lexer::Kind;
use crate::predicates;
use crate::value::Text;
use crate::value::number::Arithmetic;

/// Where an expression list may end.
const TUPLE_ENDS: [Kind; 3] = [Kind::VariableEnd, Kind::BlockEnd, Kind::Sign(")")];

/// A way to parse the parts of a list.
type Part = fn(&mut Parser) -> Result<Expr>;

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

    fn operands(&mut self, operator: &str, part: Part, join: fn(Vec<Expr>) -> Expr) -> Result<Expr> {
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
        let operators =
            [("*", Arithmetic::Mul), ("/", Arithmetic::Div), ("//", Arithmetic::FloorDiv), ("%", Arithmetic::Mod)];
        self.chain(&operators, |parser| parser.chain(&[("**", Arithmetic::Pow)], |parser| parser.unary(true)))
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

    /// A sign binds more than a filter: `-1|abs` is 1.
    fn unary(&mut self, with_filters: bool) -> Result<Expr> {
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

    fn primary(&mut self) -> Result<Expr> {
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
    fn strings(&mut self) -> Result<Expr> {
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

    /// Parts up to `end`, with commas between them and perhaps one after the last.
    fn until<T>(&mut self, end: &str, part: impl Fn(&mut Parser) -> Result<T>) -> Result<Vec<T>> {
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
    pub(super) fn tuple_of(&mut self, part: Part, ends: &[&str], may_be_empty: bool) -> Result<Expr> {
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

    /// `.name`, `[…]` and `(…)`.
    fn postfix(&mut self, applied: &mut Vec<Postfix>) -> Result<()> {
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
        let ends = |parser: &Parser| parser.is_sign("]") || parser.is_sign(",") || parser.is_sign(":");
        let bound = |parser: &mut Parser| if ends(parser) { Ok(None) } else { parser.expression().map(Some) };
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

    fn filters_and_tests(&mut self, applied: &mut Vec<Postfix>) -> Result<()> {
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
                Ok(if applied.is_empty() { operand } else { Expr::Postfix(Box::new(operand), applied) })
            })?);
        }
        let predicate = predicates::find(&name);
        Ok(Postfix::Test { name, predicate, arguments, negated })
    }

    /// What may be assigned to: names, tuples of them, and attributes of a namespace if `with_namespace`.
    pub(super) fn target(&mut self, ends: &[&str], with_namespace: bool) -> Result<Target> {
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
fn to_target(parsed: Expr, line: u32) -> Result<Target> {
    match parsed {
        Expr::Variable(variable) => Ok(Target::Variable(variable)),
        Expr::Tuple(parts) => {
            Ok(Target::Tuple(parts.into_iter().map(|part| to_target(part, line)).collect::<Result<_>>()?))
        }
        Expr::Postfix(base, mut applied) => match (*base, applied.pop()) {
            (Expr::Variable(variable), Some(Postfix::Attribute(name))) if applied.is_empty() => {
                Ok(Target::Attribute(variable, name))
            }
            _ => syntax(line, "cannot assign to this expression"),
        },
        _ => syntax(line, "cannot assign to this expression"),
    }
}
