//! Fills in the places: the second of the two passes over each scope.

use super::Resolver;
use super::walk::{self, Event};
use crate::ast::{
    AssignTarget, Body, Captured, Escape, Exports, Expr, For, Function, Literal, Macro, Name, Slot,
    Statement, StatementKind,
};
use crate::error::{Result, syntax};
use std::sync::Arc;

impl Resolver {
    pub(super) fn body(&mut self, body: &mut Body) -> Result<()> {
        body.iter_mut().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &mut Statement) -> Result<()> {
        self.line = statement.line;
        match &mut statement.kind {
            StatementKind::Text(_)
            | StatementKind::Break
            | StatementKind::Continue
            | StatementKind::OtherTemplate(_) => Ok(()),
            StatementKind::Print(value, escape) => {
                *escape = self.escape;
                self.expr(value)
            }
            StatementKind::If(arms, otherwise) => self.softly(|resolver| {
                for (test, body) in arms {
                    resolver.expr(test)?;
                    resolver.body(body)?;
                }
                resolver.body(otherwise)
            }),
            // Nothing else holds these yet.
            StatementKind::For(inner) => {
                Arc::get_mut(inner).map_or(Ok(()), |inner| self.for_loop(inner))
            }
            StatementKind::Set(target, value, exports) => {
                self.expr(value)?;
                self.target(target);
                *exports = self.exports(target);
                Ok(())
            }
            StatementKind::SetBlock(target, captured, exports) => {
                self.captured(captured)?;
                self.target(target);
                *exports = self.exports(target);
                Ok(())
            }
            StatementKind::Macro(inner, place, exports) => {
                let Some(inner) = Arc::get_mut(inner) else { return Ok(()) };
                self.macro_body(inner)?;
                if let Some(name) = inner.name.clone() {
                    *place = self.find(&name, false).map_or(0, |slot| slot.index);
                    if self.is_top_level() {
                        exports.push((self.context_name(&name), *place));
                    }
                }
                Ok(())
            }
            StatementKind::Call(call, inner) => {
                Arc::get_mut(inner).map_or(Ok(()), |inner| self.macro_body(inner))?;
                self.expr(call)
            }
            StatementKind::Filter(captured) => self.captured(captured),
            StatementKind::With(pairs, scoped) => {
                pairs.iter_mut().try_for_each(|(_, value)| self.expr(value))?;
                self.enter();
                pairs.iter().for_each(|(target, _)| self.parameters_of(target));
                pairs.iter_mut().for_each(|(target, _)| self.target(target));
                self.inner_scope(scoped)
            }
            StatementKind::Autoescape(value, scoped) => self.autoescape(value, scoped),
            StatementKind::Generation(inner) => {
                Arc::get_mut(inner).map_or(Ok(()), |inner| self.macro_body(inner))
            }
            StatementKind::Block(number, seen) => {
                if self.scoped_blocks.get(*number) == Some(&true) {
                    *seen = Some(self.assigned_names());
                }
                Ok(())
            }
        }
    }

    fn autoescape(&mut self, value: &mut Expr, scoped: &mut crate::ast::Scoped) -> Result<()> {
        let constant = match value {
            Expr::Literal(Literal::Bool(on)) => Some(*on),
            Expr::Literal(Literal::None) => Some(false),
            _ => None,
        };
        let inside = match constant {
            Some(true) => Escape::On,
            Some(false) => Escape::Off,
            None => Escape::AsSet,
        };
        self.enter();
        walk::expr(value, &mut |event| {
            if let Event::Load(name) = event {
                self.load(name);
            }
        });
        let soft = std::mem::replace(&mut self.soft, false);
        self.expr(value)?;
        self.soft = soft;
        let escape = std::mem::replace(&mut self.escape, inside);
        self.inner_scope(scoped)?;
        self.escape = escape;
        Ok(())
    }

    pub(super) fn softly(
        &mut self,
        resolve: impl FnOnce(&mut Resolver) -> Result<()>,
    ) -> Result<()> {
        let soft = std::mem::replace(&mut self.soft, true);
        resolve(self)?;
        self.soft = soft;
        Ok(())
    }

    fn for_loop(&mut self, inner: &mut For) -> Result<()> {
        let line = self.line;
        let mut sets_loop = false;
        let mut has_scoped_block = false;
        walk::for_loop(inner, &mut |event| match event {
            Event::Store(name) => sets_loop |= name[..] == *"loop",
            Event::Block(number) => {
                has_scoped_block |= self.scoped_blocks.get(number) == Some(&true)
            }
            _ => {}
        });
        if sets_loop {
            return syntax(line, "cannot assign to the special variable 'loop' in a for loop");
        }
        inner.escape = self.escape;
        self.expr(&mut inner.iterable)?;
        if inner.recursive.is_some() {
            self.functions.push(Function::default());
        }
        if let Some(test) = &mut inner.test {
            self.enter();
            self.parameters_of(&test.target);
            self.target(&mut test.target);
            let soft = std::mem::replace(&mut self.soft, false);
            walk::expr(&test.test, &mut |event| {
                if let Event::Load(name) = event {
                    self.load(name);
                }
            });
            self.expr(&mut test.test)?;
            self.soft = soft;
            test.loads = self.leave();
        }
        let reads_loop = !walk::undeclared(&inner.body.body, &["loop"]).is_empty();
        self.enter();
        if inner.recursive.is_some() || reads_loop || has_scoped_block {
            inner.loop_slot = Some(self.parameter(&Name::from("loop")));
        }
        self.parameters_of(&inner.target);
        self.target(&mut inner.target);
        self.inner_scope(&mut inner.body)?;
        if let Some(otherwise) = &mut inner.otherwise {
            self.scoped(otherwise)?;
        }
        if let Some(function) = &mut inner.recursive {
            *function = self.functions.pop().unwrap_or_default();
        }
        Ok(())
    }

    fn macro_body(&mut self, inner: &mut Macro) -> Result<()> {
        let used = walk::undeclared(&inner.scoped.body, &["caller", "kwargs", "varargs"]);
        let declares =
            |name: &str| inner.parameters.iter().find(|parameter| parameter.name[..] == *name);
        if used.contains(&"caller")
            && declares("caller").is_some_and(|parameter| parameter.default.is_none())
        {
            return syntax(
                inner.line,
                "the special 'caller' argument must be omitted or be given a default",
            );
        }
        let special = |name: &str| used.contains(&name) && declares(name).is_none();
        let specials =
            ["caller", "kwargs", "varargs"].map(|name| special(name).then(|| Name::from(name)));
        self.enter_function();
        for parameter in &mut inner.parameters {
            parameter.slot = self.parameter(&parameter.name);
        }
        let [caller, kwargs, varargs] = specials.map(|name| name.map(|name| self.parameter(&name)));
        (inner.caller, inner.kwargs, inner.varargs) = (caller, kwargs, varargs);
        let soft = std::mem::replace(&mut self.soft, false);
        for default in
            inner.parameters.iter_mut().filter_map(|parameter| parameter.default.as_mut())
        {
            walk::expr(default, &mut |event| {
                if let Event::Load(name) = event {
                    self.load(name);
                }
            });
            self.expr(default)?;
        }
        self.soft = soft;
        self.inner_scope(&mut inner.scoped)?;
        inner.function = self.functions.pop().unwrap_or_default();
        Ok(())
    }

    /// The filters run inside of the scope whose output they get.
    fn captured(&mut self, captured: &mut Captured) -> Result<()> {
        captured.escape = self.escape;
        self.enter();
        walk::postfixes(&captured.filters, &mut |event| {
            if let Event::Load(name) = event {
                self.load(name);
            }
        });
        let soft = std::mem::replace(&mut self.soft, false);
        self.postfixes(&mut captured.filters)?;
        self.soft = soft;
        self.inner_scope(&mut captured.scoped)
    }

    /// Where every name that is assigned around here is.
    fn assigned_names(&mut self) -> Vec<(usize, Slot)> {
        let mut names: Vec<Name> =
            self.scopes.iter().rev().flat_map(|scope| scope.stored().to_vec()).collect();
        names.sort();
        names.dedup();
        let placed = |resolver: &mut Resolver, name: &Name| {
            Some((resolver.context_name(name), resolver.find(name, false)?))
        };
        names.iter().filter_map(|name| placed(self, name)).collect()
    }

    fn exports(&mut self, target: &AssignTarget) -> Exports {
        let mut exports = Exports::new();
        if self.is_top_level() {
            let mut names = Vec::new();
            walk::target(target, &mut |event| {
                if let Event::Store(name) = event {
                    names.push(name.clone());
                }
            });
            for name in names {
                let number = self.context_name(&name);
                exports.extend(self.find(&name, false).map(|slot| (number, slot.index)));
            }
        }
        exports
    }
}
