//! The variables of a function while it runs.

use super::Run;
use crate::ast::{Function, Load, Loads, Slot};
use crate::error::Result;
use crate::limits::Budget;
use crate::value::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// What a block finds in the context besides what all find, by the number of the name.
pub(super) type Overlay = HashMap<usize, Value>;

/// The variables of a function. Macros refer to the function they are in without keeping it, so
/// nothing is in a circle.
pub(super) struct Frame {
    slots: RefCell<Vec<Option<Value>>>,
    outer: Option<Rc<Frame>>,
    /// Of the block it is in.
    pub context: Option<Rc<Overlay>>,
}

impl Frame {
    /// Variables that are all unset, in a function that is inside of `outer`.
    pub(super) fn new(
        function: Function,
        outer: Option<Rc<Frame>>,
        context: Option<Rc<Overlay>>,
        budget: &Budget,
    ) -> Result<Rc<Frame>> {
        budget.produce_many(function.n_slots + 2, size_of::<Value>())?;
        Ok(Rc::new(Frame { slots: RefCell::new(vec![None; function.n_slots]), outer, context }))
    }

    /// The variable at `slot`, if it is set.
    pub(super) fn get(&self, slot: Slot) -> Option<Value> {
        let mut frame = self;
        for _ in 0..slot.hops {
            frame = frame.outer.as_ref()?;
        }
        frame.slots.borrow().get(slot.index).cloned().flatten()
    }

    /// Sets a variable of this function.
    pub(super) fn set(&self, index: usize, value: Option<Value>) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(index) {
            // What was there is dropped once nothing is borrowed.
            drop(std::mem::replace(slot, value));
        }
    }
}

impl Run<'_> {
    /// Sets up the variables of a scope that is entered.
    pub(super) fn enter_scope(&self, loads: &Loads, frame: &Frame) -> Result<()> {
        self.budget.steps(loads.len() / 8)?;
        for (index, load) in loads {
            let value = match load {
                Load::Undefined => None,
                Load::Outer(slot) => frame.get(*slot),
                Load::Context(number) => self.context(*number, frame),
            };
            frame.set(*index, value);
        }
        Ok(())
    }

    fn context(&self, number: usize, frame: &Frame) -> Option<Value> {
        if let Some(value) = frame.context.as_ref().and_then(|overlay| overlay.get(&number)) {
            return Some(value.clone());
        }
        let exported = self.exported.borrow().get(number).cloned().flatten();
        exported.or_else(|| self.given.get(number).cloned().flatten())
    }

    /// Shows blocks a variable of the top level.
    pub(super) fn export(&self, number: usize, value: Option<Value>) {
        if let Some(exported) = self.exported.borrow_mut().get_mut(number) {
            *exported = value;
        }
    }
}
