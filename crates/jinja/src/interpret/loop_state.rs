//! `loop`, which tells how far a loop is (jinja2's `LoopContext`).

use super::frame::Frame;
use super::{Args, Run};
use crate::ast::For;
use crate::error::{Result, fail};
use crate::value::iterate::Cursor;
use crate::value::object::function;
use crate::value::text::Buffer;
use crate::value::{Object, Value, compare};
use std::rc::Weak;
use std::sync::Arc;

/// What a loop goes through: the items that pass its test.
pub(super) struct Source {
    pub cursor: Cursor,
    pub definition: Arc<For>,
    /// Of the loop's variables.
    pub frame: Weak<Frame>,
}

impl Source {
    pub(super) fn next(&mut self, run: &Run<'_>) -> Result<Option<Value>> {
        let Some(test) = &self.definition.test else { return self.cursor.next(run) };
        while let Some(item) = self.cursor.next(run)? {
            let Some(frame) = self.frame.upgrade() else { return fail("the loop has ended") };
            run.enter_scope(&test.loads, &frame)?;
            run.assign(&test.target, item.clone(), &frame)?;
            if run.eval(&test.test, &frame)?.is_true() {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }
}

/// How far a loop is (jinja2's `LoopContext`).
pub(crate) struct LoopState {
    /// Away while it is asked for the next item.
    source: Option<Source>,
    /// Items that were taken to know how many there are, backwards.
    waiting: Vec<Value>,
    length: Option<usize>,
    /// The number of the iteration, from 1; 0 before the first.
    index: usize,
    depth0: usize,
    before: Option<Value>,
    current: Option<Value>,
    /// The next item, if it was asked for.
    after: Option<Value>,
    /// What `changed` was given last.
    changed: Option<Vec<Value>>,
}

/// `loop`: the number of its state.
pub(super) struct Loop {
    pub number: usize,
    pub definition: Arc<For>,
    /// Where the loop stands, for calling it.
    pub outer: Weak<Frame>,
}

impl Run<'_> {
    pub(super) fn new_loop(
        &self,
        source: Source,
        length: Option<usize>,
        depth0: usize,
    ) -> Result<usize> {
        self.budget.produce(size_of::<LoopState>())?;
        let mut loops = self.state.loops.borrow_mut();
        loops.push(LoopState {
            source: Some(source),
            waiting: Vec::new(),
            length,
            index: 0,
            depth0,
            before: None,
            current: None,
            after: None,
            changed: None,
        });
        Ok(loops.len() - 1)
    }

    /// Reads or changes the state of a loop. It must not evaluate anything, which may come back
    /// here.
    fn with_loop<T>(&self, number: usize, act: impl FnOnce(&mut LoopState) -> T) -> Result<T> {
        match self.state.loops.borrow_mut().get_mut(number) {
            Some(state) => Ok(act(state)),
            None => fail("there is no such loop"),
        }
    }

    pub(super) fn next_item(&self, number: usize) -> Result<Option<Value>> {
        let item = match self.with_loop(number, |state| state.after.take())? {
            Some(after) => Some(after),
            None => self.pull(number)?,
        };
        if let Some(item) = &item {
            self.with_loop(number, |state| {
                state.index += 1;
                state.before = state.current.replace(item.clone());
            })?;
        }
        Ok(item)
    }

    fn pull(&self, number: usize) -> Result<Option<Value>> {
        if let Some(item) = self.with_loop(number, |state| state.waiting.pop())? {
            return Ok(Some(item));
        }
        let Some(mut source) = self.with_loop(number, |state| state.source.take())? else {
            return fail("generator already executing");
        };
        let item = source.next(self)?;
        self.with_loop(number, |state| state.source = Some(source))?;
        Ok(item)
    }

    fn peek(&self, number: usize) -> Result<Option<Value>> {
        if let Some(after) = self.with_loop(number, |state| state.after.clone())? {
            return Ok(Some(after));
        }
        let item = self.pull(number)?;
        self.with_loop(number, |state| state.after.clone_from(&item))?;
        Ok(item)
    }

    /// How many items a loop has; what comes from a generator is taken for that.
    fn loop_length(&self, number: usize) -> Result<usize> {
        if let Some(length) = self.with_loop(number, |state| state.length)? {
            return Ok(length);
        }
        let mut rest = Vec::new();
        while let Some(item) = self.pull(number)? {
            self.budget.produce(size_of::<Value>())?;
            rest.push(item);
        }
        rest.reverse();
        self.with_loop(number, |state| {
            let length = rest.len() + state.index + usize::from(state.after.is_some());
            state.waiting = rest;
            state.length = Some(length);
            length
        })
    }
}

impl Object for Loop {
    fn type_name(&self) -> &'static str {
        "LoopContext"
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn attribute(&self, run: &Run<'_>, name: &str) -> Result<Option<Value>> {
        let number = self.number;
        let (index, depth0) = run.with_loop(number, |state| (state.index, state.depth0))?;
        let int = |value: usize| Value::Int(value as i128);
        let item = |value: Option<Value>, reason| value.unwrap_or_else(|| Value::undefined(reason));
        Ok(Some(match name {
            "index" => int(index),
            "index0" => Value::Int(index as i128 - 1),
            "revindex" => Value::Int(run.loop_length(number)? as i128 - index as i128 + 1),
            "revindex0" => Value::Int(run.loop_length(number)? as i128 - index as i128),
            "first" => Value::Bool(index == 1),
            "last" => Value::Bool(run.peek(number)?.is_none()),
            "length" => int(run.loop_length(number)?),
            "depth" => int(depth0 + 1),
            "depth0" => int(depth0),
            "previtem" if index == 1 => Value::undefined("there is no previous item"),
            "previtem" => item(
                run.with_loop(number, |state| state.before.clone())?,
                "there is no previous item",
            ),
            "nextitem" => item(run.peek(number)?, "there is no next item"),
            "cycle" => function("cycle", 0, move |_, args| {
                let n = args.positional.len();
                if n == 0 || !args.keyword.is_empty() {
                    return fail("cycle: no items for cycling given");
                }
                Ok(args.positional[(index + n - 1) % n].clone())
            }),
            "changed" => {
                function("changed", 0, move |run, args| run.changed(number, args.positional))
            }
            _ => return Ok(None),
        }))
    }

    fn call(&self, run: &Run<'_>, args: Args) -> Result<Value> {
        let [iterable] = args.required("loop", ["iterable"])?;
        let Some(function) = self.definition.recursive else {
            return fail("the loop must have the 'recursive' marker to be called recursively");
        };
        let Some(outer) = self.outer.upgrade() else { return fail("the loop has ended") };
        let depth = run.with_loop(self.number, |state| state.depth0)? + 1;
        run.recurse(&self.definition, function, &iterable, &outer, depth)
    }

    fn repr(&self, run: &Run<'_>, out: &mut Buffer<'_>, _level: u16) -> Result<()> {
        let length = run.loop_length(self.number)?;
        let index = run.with_loop(self.number, |state| state.index)?;
        out.push_str(&format!("<LoopContext {index}/{length}>"))
    }
}

impl Run<'_> {
    /// Whether a loop's `changed` was given other values the last time.
    fn changed(&self, number: usize, values: Vec<Value>) -> Result<Value> {
        let before = self.with_loop(number, |state| state.changed.take())?;
        let mut same = before.as_ref().is_some_and(|before| before.len() == values.len());
        for (a, b) in before.iter().flatten().zip(&values) {
            same = same && compare::equal(a, b, &self.budget)?;
        }
        self.with_loop(number, |state| state.changed = Some(values))?;
        Ok(Value::Bool(!same))
    }
}
