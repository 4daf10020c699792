//! Runs statements.

use super::frame::{Frame, Overlay};
use super::{Args, Run};
use crate::ast::{
    AssignTarget, Block, Body, Captured, Escape, Exports, Expr, Scoped, Slot, Statement,
    StatementKind,
};
use crate::error::{Result, fail};
use crate::value::text::Buffer;
use crate::value::{Value, iterate, repr};
use std::rc::Rc;

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// At its end.
    Next,
    /// At `{% break %}`.
    Break,
    /// At `{% continue %}`.
    Continue,
}

impl Run<'_> {
    /// Runs statements in order.
    pub(super) fn body(
        &self,
        body: &Body,
        frame: &Rc<Frame>,
        out: &mut Buffer<'_>,
    ) -> Result<Flow> {
        self.budget.enter(1)?;
        for statement in body {
            self.budget.step()?;
            let flow =
                self.statement(statement, frame, out).map_err(|error| error.at(statement.line))?;
            if flow != Flow::Next {
                self.budget.leave(1);
                return Ok(flow);
            }
        }
        self.budget.leave(1);
        Ok(Flow::Next)
    }

    fn statement(
        &self,
        statement: &Statement,
        frame: &Rc<Frame>,
        out: &mut Buffer<'_>,
    ) -> Result<Flow> {
        match &statement.kind {
            StatementKind::Text(text) => out.push_str(text)?,
            StatementKind::Print(value, escape) => {
                let value = self.eval(value, frame)?;
                self.print(&value, *escape, out)?;
            }
            StatementKind::If(arms, otherwise) => {
                for (test, body) in arms {
                    if self.eval(test, frame)?.is_true() {
                        return self.body(body, frame, out);
                    }
                }
                return self.body(otherwise, frame, out);
            }
            StatementKind::For(inner) => return self.for_loop(inner, frame, out),
            StatementKind::Set(target, value, exports) => {
                self.set(target, value, exports, frame)?
            }
            StatementKind::SetBlock(target, captured, exports) => {
                let (value, flow) = self.capture(captured, frame)?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
                self.assign(target, value, frame)?;
                self.export_all(exports, frame);
            }
            StatementKind::Macro(definition, place, exports) => {
                frame.set(*place, Some(self.new_macro(definition, frame)?));
                self.export_all(exports, frame);
            }
            StatementKind::Call(call, definition) => {
                let caller = self.new_macro(definition, frame)?;
                self.call_block(call, caller, frame, out)?;
            }
            StatementKind::Filter(captured) => {
                let (value, flow) = self.capture(captured, frame)?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
                out.push_str(value.text("filter block")?)?;
            }
            StatementKind::With(pairs, scoped) => return self.with(pairs, scoped, frame, out),
            StatementKind::Autoescape(value, scoped) => {
                return self.autoescape(value, scoped, frame, out);
            }
            StatementKind::Generation(definition) => {
                let words = self.call(&self.new_macro(definition, frame)?, Args::default())?;
                out.push_str(words.text("generation")?)?;
            }
            StatementKind::Block(number, seen) => {
                self.block(*number, seen.as_deref(), frame, out)?
            }
            StatementKind::Break => return Ok(Flow::Break),
            StatementKind::Continue => return Ok(Flow::Continue),
            StatementKind::OtherTemplate(tag) => {
                return fail(format!("'{tag}' is not supported: there are no other templates"));
            }
        }
        Ok(Flow::Next)
    }

    fn print(&self, value: &Value, escape: Escape, out: &mut Buffer<'_>) -> Result<()> {
        if !self.escapes(escape) {
            return repr::write_str(self, value, out);
        }
        match value {
            Value::Text(text) if text.is_markup() => out.push_str(text),
            other => out.push_escaped(&repr::to_text(self, other)?),
        }
    }

    fn scoped(&self, scoped: &Scoped, frame: &Rc<Frame>, out: &mut Buffer<'_>) -> Result<Flow> {
        self.enter_scope(&scoped.loads, frame)?;
        self.body(&scoped.body, frame, out)
    }

    fn set(
        &self,
        target: &AssignTarget,
        value: &Expr,
        exports: &Exports,
        frame: &Rc<Frame>,
    ) -> Result<()> {
        check_namespaces(target, frame)?;
        let value = self.eval(value, frame)?;
        self.assign(target, value, frame)?;
        self.export_all(exports, frame);
        Ok(())
    }

    fn export_all(&self, exports: &Exports, frame: &Frame) {
        for (number, index) in exports {
            self.export(*number, frame.get(Slot { hops: 0, index: *index }));
        }
    }

    /// What a captured body writes, after its filters.
    fn capture(&self, captured: &Captured, frame: &Rc<Frame>) -> Result<(Value, Flow)> {
        let mut buffer = Buffer::new(&self.budget);
        let flow = self.scoped(&captured.scoped, frame, &mut buffer)?;
        let text = Value::Text(buffer.into_text(self.escapes(captured.escape)));
        if flow != Flow::Next {
            return Ok((text, flow));
        }
        Ok((self.filtered(text, &captured.filters, frame)?, flow))
    }

    /// Assigns `value`, in parts if the target is a tuple.
    pub(super) fn assign(&self, target: &AssignTarget, value: Value, frame: &Frame) -> Result<()> {
        match target {
            AssignTarget::Variable(variable) => frame.set(variable.slot.index, Some(value)),
            AssignTarget::Attribute(variable, name) => {
                let number = namespace_of(frame.get(variable.slot).as_ref())?;
                if let Some(attributes) = self.state.namespaces.borrow_mut().get_mut(number) {
                    attributes.insert_str(name, value, &self.budget)?;
                }
            }
            AssignTarget::Tuple(targets) => {
                let values = self.unpack(&value, targets.len())?;
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value, frame)?;
                }
            }
        }
        Ok(())
    }

    /// `n` values from one.
    fn unpack(&self, value: &Value, n: usize) -> Result<Vec<Value>> {
        let Some(mut cursor) = iterate::Cursor::of(value) else {
            return fail(format!("cannot unpack non-iterable {} object", value.type_name()));
        };
        let mut values = Vec::with_capacity(n);
        while let Some(value) = cursor.next(self)? {
            if values.len() == n {
                return fail(format!("too many values to unpack (expected {n})"));
            }
            values.push(value);
        }
        if values.len() < n {
            return fail(format!(
                "not enough values to unpack (expected {n}, got {})",
                values.len()
            ));
        }
        Ok(values)
    }

    fn call_block(
        &self,
        call: &Expr,
        caller: Value,
        frame: &Rc<Frame>,
        out: &mut Buffer<'_>,
    ) -> Result<()> {
        let Expr::Postfix(base, applied) = call else { return fail("expected a call") };
        let value = self.postfix(base, applied, Some(caller), frame)?;
        out.push_str(value.text("call block")?)
    }

    fn with(
        &self,
        pairs: &[(AssignTarget, Expr)],
        scoped: &Scoped,
        frame: &Rc<Frame>,
        out: &mut Buffer<'_>,
    ) -> Result<Flow> {
        let values =
            pairs.iter().map(|(_, value)| self.eval(value, frame)).collect::<Result<Vec<_>>>()?;
        self.enter_scope(&scoped.loads, frame)?;
        for ((target, _), value) in pairs.iter().zip(values) {
            self.assign(target, value, frame)?;
        }
        self.body(&scoped.body, frame, out)
    }

    fn autoescape(
        &self,
        value: &Expr,
        scoped: &Scoped,
        frame: &Rc<Frame>,
        out: &mut Buffer<'_>,
    ) -> Result<Flow> {
        self.enter_scope(&scoped.loads, frame)?;
        let on = self.eval(value, frame)?.is_true();
        let before = self.autoescape.replace(on);
        let flow = self.body(&scoped.body, frame, out)?;
        self.autoescape.set(before);
        Ok(flow)
    }

    /// A block sees the context, and what is around it only if it is `scoped`.
    fn block(
        &self,
        number: usize,
        seen: Option<&[(usize, Slot)]>,
        frame: &Frame,
        out: &mut Buffer<'_>,
    ) -> Result<()> {
        let Some(block) = self.program.blocks.get(number) else { return Ok(()) };
        let Block { name, required, content, function, .. } = block;
        if *required {
            return fail(format!("required block '{name}' not found"));
        }
        let context = match seen {
            None => frame.context.clone(),
            Some(seen) => {
                let mut overlay = frame.context.as_deref().cloned().unwrap_or_else(Overlay::new);
                self.budget.produce_many(overlay.len() + seen.len(), 2 * size_of::<Value>())?;
                overlay.extend(
                    seen.iter().filter_map(|(number, slot)| Some((*number, frame.get(*slot)?))),
                );
                Some(Rc::new(overlay))
            }
        };
        let frame = Frame::new(*function, None, context, &self.budget)?;
        self.scoped(content, &frame, out)?;
        Ok(())
    }
}

/// Attributes can be set of namespaces only, and none that begins with `_`; that is looked at
/// before the value is evaluated.
fn check_namespaces(target: &AssignTarget, frame: &Frame) -> Result<()> {
    match target {
        AssignTarget::Variable(_) => Ok(()),
        AssignTarget::Attribute(variable, name) => {
            namespace_of(frame.get(variable.slot).as_ref())?;
            crate::value::object::check_name(name)
        }
        AssignTarget::Tuple(targets) => {
            targets.iter().try_for_each(|target| check_namespaces(target, frame))
        }
    }
}

fn namespace_of(value: Option<&Value>) -> Result<usize> {
    match value {
        Some(Value::Object(object)) if object.as_namespace().is_some() => {
            Ok(object.as_namespace().unwrap_or(0))
        }
        _ => fail("cannot assign attribute on non-namespace object"),
    }
}
