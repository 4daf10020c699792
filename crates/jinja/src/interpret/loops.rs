//! `for` loops.

use super::Run;
use super::frame::Frame;
use super::loop_state::{Loop, Source};
use super::statement::Flow;
use crate::ast::{For, Function};
use crate::error::Result;
use crate::limits::LEVELS_OF_CALL;
use crate::value::Value;
use crate::value::iterate::Cursor;
use crate::value::object::object;
use crate::value::text::Buffer;
use std::rc::Rc;
use std::sync::Arc;

impl Run<'_> {
    pub(super) fn for_loop(
        &self,
        inner: &Arc<For>,
        frame: &Rc<Frame>,
        out: &mut Buffer<'_>,
    ) -> Result<Flow> {
        let iterable = self.eval(&inner.iterable, frame)?;
        match inner.recursive {
            None => self.iterate(inner, &iterable, frame, frame, 0, out),
            Some(function) => {
                let text = self.recurse(inner, function, &iterable, frame, 0)?;
                out.push_str(text.text("loop")?)?;
                Ok(Flow::Next)
            }
        }
    }

    /// Runs a recursive loop in variables of its own.
    pub(super) fn recurse(
        &self,
        inner: &Arc<For>,
        function: Function,
        iterable: &Value,
        outer: &Rc<Frame>,
        depth0: usize,
    ) -> Result<Value> {
        self.budget.enter(LEVELS_OF_CALL)?;
        let frame = Frame::new(function, Some(outer.clone()), outer.context.clone(), &self.budget)?;
        let mut out = Buffer::new(&self.budget);
        self.iterate(inner, iterable, &frame, outer, depth0, &mut out)?;
        self.budget.leave(LEVELS_OF_CALL);
        Ok(Value::Text(out.into_text(self.escapes(inner.escape))))
    }

    fn iterate(
        &self,
        inner: &Arc<For>,
        iterable: &Value,
        frame: &Rc<Frame>,
        outer: &Rc<Frame>,
        depth0: usize,
        out: &mut Buffer<'_>,
    ) -> Result<Flow> {
        let mut source = Source {
            cursor: Cursor::new(iterable)?,
            definition: inner.clone(),
            frame: Rc::downgrade(frame),
        };
        let mut completed = false;
        let Some(slot) = inner.loop_slot else {
            while let Some(item) = source.next(self)? {
                match self.iteration(inner, item, None, frame, out)? {
                    Flow::Next => completed = true,
                    Flow::Continue => {}
                    Flow::Break => break,
                }
            }
            return self.otherwise(inner, completed, frame, out);
        };
        let length = if inner.test.is_some() { None } else { iterable.len() };
        let number = self.new_loop(source, length, depth0)?;
        let value = object(Loop { number, definition: inner.clone(), outer: Rc::downgrade(outer) });
        while let Some(item) = self.next_item(number)? {
            match self.iteration(inner, item, Some((slot, &value)), frame, out)? {
                Flow::Next => completed = true,
                Flow::Continue => {}
                Flow::Break => break,
            }
        }
        self.otherwise(inner, completed, frame, out)
    }

    fn iteration(
        &self,
        inner: &For,
        item: Value,
        of: Option<(usize, &Value)>,
        frame: &Rc<Frame>,
        out: &mut Buffer<'_>,
    ) -> Result<Flow> {
        self.enter_scope(&inner.body.loads, frame)?;
        self.assign(&inner.target, item, frame)?;
        if let Some((slot, value)) = of {
            frame.set(slot, Some(value.clone()));
        }
        self.body(&inner.body.body, frame, out)
    }

    /// The `else` of a loop runs if no iteration reached its end; also after a `break` or
    /// `continue` in each, as in Jinja2.
    fn otherwise(
        &self,
        inner: &For,
        completed: bool,
        frame: &Rc<Frame>,
        out: &mut Buffer<'_>,
    ) -> Result<Flow> {
        match &inner.otherwise {
            Some(otherwise) if !completed => {
                self.enter_scope(&otherwise.loads, frame)?;
                self.body(&otherwise.body, frame, out)
            }
            _ => Ok(Flow::Next),
        }
    }
}
