//! Fills in the places in expressions and targets, and knows which filters and tests there are.

use super::Resolver;
use crate::ast::{Arguments, AssignTarget, Expr, Postfix, Variable};
use crate::error::{Result, syntax};

impl Resolver {
    pub(super) fn target(&mut self, target: &mut AssignTarget) {
        match target {
            AssignTarget::Variable(variable) | AssignTarget::Attribute(variable, _) => {
                self.variable(variable)
            }
            AssignTarget::Tuple(parts) => parts.iter_mut().for_each(|part| self.target(part)),
        }
    }

    fn variable(&mut self, variable: &mut Variable) {
        self.load(&variable.name);
        variable.slot = self.find(&variable.name, false).unwrap_or_default();
    }

    pub(super) fn expr(&mut self, value: &mut Expr) -> Result<()> {
        match value {
            Expr::Literal(_) => Ok(()),
            Expr::Variable(variable) => {
                self.variable(variable);
                Ok(())
            }
            Expr::Concat(parts, escape) => {
                *escape = self.escape;
                parts.iter_mut().try_for_each(|part| self.expr(part))
            }
            Expr::List(parts) | Expr::Tuple(parts) | Expr::And(parts) | Expr::Or(parts) => {
                parts.iter_mut().try_for_each(|part| self.expr(part))
            }
            Expr::Dict(entries) => entries.iter_mut().try_for_each(|(key, value)| {
                self.expr(key)?;
                self.expr(value)
            }),
            Expr::Postfix(base, applied) => {
                self.expr(base)?;
                self.postfixes(applied)
            }
            Expr::Negative(inner) | Expr::Positive(inner) | Expr::Not(inner) => self.expr(inner),
            Expr::Arithmetic(first, rest) => {
                self.expr(first)?;
                rest.iter_mut().try_for_each(|(_, part)| self.expr(part))
            }
            Expr::Compare(first, rest) => {
                self.expr(first)?;
                rest.iter_mut().try_for_each(|(_, part)| self.expr(part))
            }
            Expr::Conditional(arms, otherwise) => self.softly(|resolver| {
                for (value, test) in arms {
                    resolver.expr(test)?;
                    resolver.expr(value)?;
                }
                otherwise.iter_mut().try_for_each(|value| resolver.expr(value))
            }),
        }
    }

    pub(super) fn postfixes(&mut self, applied: &mut [Postfix]) -> Result<()> {
        for postfix in applied {
            match postfix {
                Postfix::Attribute(_) => {}
                Postfix::Item(key) => self.expr(key)?,
                Postfix::Slice(bounds) => {
                    bounds.iter_mut().flatten().try_for_each(|bound| self.expr(bound))?
                }
                Postfix::Call(arguments) => self.arguments(arguments)?,
                Postfix::Filter(call) => {
                    self.known(call.filter.is_some(), "filter", &call.name)?;
                    self.arguments(&mut call.arguments)?;
                }
                Postfix::Test { name, predicate, arguments, .. } => {
                    self.known(predicate.is_some(), "test", name)?;
                    self.arguments(arguments)?;
                }
            }
        }
        Ok(())
    }

    fn known(&self, is_known: bool, kind: &str, name: &str) -> Result<()> {
        if is_known || self.soft {
            Ok(())
        } else {
            syntax(self.line, format!("no {kind} named '{name}'"))
        }
    }

    fn arguments(&mut self, arguments: &mut Arguments) -> Result<()> {
        arguments.positional.iter_mut().try_for_each(|value| self.expr(value))?;
        arguments.keyword.iter_mut().try_for_each(|(_, value)| self.expr(value))?;
        arguments.all.iter_mut().try_for_each(|value| self.expr(value))?;
        arguments.all_keyword.iter_mut().try_for_each(|value| self.expr(value))
    }
}
