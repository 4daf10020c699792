//! Arguments of calls, filters with theirs, and the parameters of macros.

use super::Parser;
use crate::ast::{Arguments, FilterCall, Name, Parameter, Postfix};
use crate::error::{Result, syntax};
use crate::filters;
use crate::lexer::Kind;

impl Parser {
    /// `(a, *b, c=d, **e)`
    pub(super) fn arguments(&mut self) -> Result<Arguments> {
        let line = self.line();
        let misplaced = || syntax(line, "invalid syntax for function call expression");
        self.expect_sign("(")?;
        let mut found = Arguments::default();
        let mut is_first = true;
        while !self.is_sign(")") {
            if !is_first {
                self.expect_sign(",")?;
                if self.is_sign(")") {
                    break;
                }
            }
            is_first = false;
            let keyword = match (self.kind(), self.ahead()) {
                (Kind::Name(name), Kind::Sign("=")) => Some(name.clone()),
                _ => None,
            };
            if found.all_keyword.is_some() {
                return misplaced();
            }
            if self.skip_sign("*") {
                if found.all.is_some() {
                    return misplaced();
                }
                found.all = Some(Box::new(self.expression()?));
            } else if self.skip_sign("**") {
                found.all_keyword = Some(Box::new(self.expression()?));
            } else if let Some(name) = keyword {
                self.advance();
                self.advance();
                if found.keyword.iter().any(|(existing, _)| *existing == name) {
                    return syntax(line, format!("keyword argument repeated: {name}"));
                }
                found.keyword.push((name, self.expression()?));
            } else if found.all.is_some() || !found.keyword.is_empty() {
                return misplaced();
            } else {
                found.positional.push(self.expression()?);
            }
        }
        self.expect_sign(")")?;
        Ok(found)
    }

    /// `a.b`, the name of a filter or test.
    pub(super) fn dotted_name(&mut self) -> Result<Name> {
        let mut name = self.name()?;
        while self.skip_sign(".") {
            name = format!("{name}.{}", self.name()?).into();
        }
        Ok(name)
    }

    /// `| filter(…) | …`
    pub(super) fn filters(&mut self, applied: &mut Vec<Postfix>) -> Result<()> {
        while self.skip_sign("|") {
            self.filter(applied)?;
        }
        Ok(())
    }

    /// A filter without the `|` before it.
    pub(super) fn filter(&mut self, applied: &mut Vec<Postfix>) -> Result<()> {
        let name = self.dotted_name()?;
        let arguments = if self.is_sign("(") { self.arguments()? } else { Arguments::default() };
        let filter = filters::find(&name);
        applied.push(Postfix::Filter(FilterCall { name, filter, arguments }));
        Ok(())
    }

    /// `(a, b=c)`, as a macro declares it.
    pub(super) fn parameters(&mut self) -> Result<Vec<Parameter>> {
        self.expect_sign("(")?;
        let mut parameters: Vec<Parameter> = Vec::new();
        while !self.is_sign(")") {
            if !parameters.is_empty() {
                self.expect_sign(",")?;
            }
            let line = self.line();
            let name = self.assignable_name()?;
            if parameters.iter().any(|existing| existing.name == name) {
                return syntax(line, format!("duplicate argument '{name}'"));
            }
            let default = if self.skip_sign("=") { Some(self.expression()?) } else { None };
            if default.is_none() && parameters.last().is_some_and(|before| before.default.is_some())
            {
                return syntax(line, "non-default argument follows default argument");
            }
            parameters.push(Parameter { name, slot: 0, default });
        }
        self.expect_sign(")")?;
        Ok(parameters)
    }

    /// A name that is no literal.
    pub(super) fn assignable_name(&mut self) -> Result<Name> {
        let line = self.line();
        let name = self.name()?;
        match &name[..] {
            "true" | "false" | "none" | "True" | "False" | "None" => {
                syntax(line, format!("cannot assign to '{name}'"))
            }
            _ => Ok(name),
        }
    }
}
