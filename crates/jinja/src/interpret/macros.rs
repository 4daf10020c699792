//! Macros, as values that can be called.

use super::frame::Frame;
use super::{Args, Run};
use crate::ast::Macro;
use crate::error::{Result, fail};
use crate::limits::LEVELS_OF_CALL;
use crate::value::object::object;
use crate::value::text::Buffer;
use crate::value::{Dict, Object, Text, Value};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// A macro or a `caller`, with the variables of where it was defined. They are gone when that has
/// ended, and only a namespace could keep the macro longer.
struct MacroValue {
    definition: Arc<Macro>,
    frame: Weak<Frame>,
}

impl Run<'_> {
    pub(super) fn new_macro(&self, definition: &Arc<Macro>, frame: &Rc<Frame>) -> Result<Value> {
        self.budget.produce(size_of::<MacroValue>())?;
        Ok(object(MacroValue { definition: definition.clone(), frame: Rc::downgrade(frame) }))
    }
}

impl MacroValue {
    fn name(&self) -> &str {
        self.definition.name.as_deref().unwrap_or("caller")
    }

    fn has_caller_parameter(&self) -> bool {
        self.definition.parameters.iter().any(|parameter| parameter.name[..] == *"caller")
    }

    /// Sets the parameters that are given; jinja2's `Macro.__call__`.
    fn bind(&self, run: &Run<'_>, args: Args, frame: &Rc<Frame>) -> Result<()> {
        let definition = &self.definition;
        let Args { positional, mut keyword } = args;
        let n_parameters = definition.parameters.len();
        let n_positional = positional.len().min(n_parameters);
        let mut take = |name: &str| {
            let at = keyword.iter().position(|(given, _)| given[..] == *name)?;
            Some(keyword.remove(at).1)
        };
        let mut positional = positional.into_iter();
        let mut found_caller = n_positional == n_parameters && self.has_caller_parameter();
        for (n, parameter) in definition.parameters.iter().enumerate() {
            let value = if n < n_positional {
                positional.next()
            } else {
                found_caller |= parameter.name[..] == *"caller";
                take(&parameter.name)
            };
            frame.set(parameter.slot, value);
        }
        if let (Some(slot), false) = (definition.caller, found_caller) {
            let missing = || Value::undefined("no caller defined");
            frame.set(
                slot,
                Some(
                    take("caller")
                        .filter(|caller| !matches!(caller, Value::None))
                        .unwrap_or_else(missing),
                ),
            );
        }
        if let Some(slot) = definition.kwargs {
            let mut dict = Dict::default();
            for (name, value) in keyword {
                dict.insert(Value::Text(Text::shared(name)), value, &run.budget)?;
            }
            frame.set(slot, Some(Value::dict(dict)));
        } else if let Some((name, _)) = keyword.first() {
            return fail(format!("macro '{}' takes no keyword argument '{name}'", self.name()));
        }
        if let Some(slot) = definition.varargs {
            frame.set(slot, Some(Value::tuple(positional.collect(), &run.budget)?));
        } else if positional.next().is_some() {
            return fail(format!(
                "macro '{}' takes not more than {n_parameters} argument(s)",
                self.name()
            ));
        }
        Ok(())
    }

    /// Sets the parameters that are not given.
    fn set_defaults(&self, run: &Run<'_>, frame: &Rc<Frame>) -> Result<()> {
        for parameter in &self.definition.parameters {
            let slot = crate::ast::Slot { hops: 0, index: parameter.slot };
            if frame.get(slot).is_none() {
                let value = match &parameter.default {
                    Some(default) => run.eval(default, frame)?,
                    None => {
                        Value::undefined(format!("parameter '{}' was not provided", parameter.name))
                    }
                };
                frame.set(parameter.slot, Some(value));
            }
        }
        Ok(())
    }
}

impl Object for MacroValue {
    fn type_name(&self) -> &'static str {
        "Macro"
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn attribute(&self, run: &Run<'_>, name: &str) -> Result<Option<Value>> {
        let definition = &self.definition;
        Ok(Some(match name {
            "name" => definition
                .name
                .as_ref()
                .map_or(Value::None, |name| Value::Text(Text::shared(name.clone()))),
            "arguments" => {
                let names = definition
                    .parameters
                    .iter()
                    .map(|parameter| Value::str(&parameter.name))
                    .collect();
                Value::tuple(names, &run.budget)?
            }
            "catch_kwargs" => Value::Bool(definition.kwargs.is_some()),
            "catch_varargs" => Value::Bool(definition.varargs.is_some()),
            "caller" => Value::Bool(definition.caller.is_some()),
            "explicit_caller" => Value::Bool(self.has_caller_parameter()),
            _ => return Ok(None),
        }))
    }

    fn call(&self, run: &Run<'_>, args: Args) -> Result<Value> {
        let Some(outer) = self.frame.upgrade() else {
            return fail(format!(
                "macro '{}' is called after what it was defined in has ended",
                self.name()
            ));
        };
        run.budget.enter(LEVELS_OF_CALL)?;
        let context = outer.context.clone();
        let frame = Frame::new(self.definition.function, Some(outer), context, &run.budget)?;
        self.bind(run, args, &frame)?;
        run.enter_scope(&self.definition.scoped.loads, &frame)?;
        self.set_defaults(run, &frame)?;
        let mut out = Buffer::new(&run.budget);
        run.body(&self.definition.scoped.body, &frame, &mut out)?;
        run.budget.leave(LEVELS_OF_CALL);
        Ok(Value::Text(out.into_text(run.autoescape.get())))
    }

    fn repr(&self, _run: &Run<'_>, out: &mut Buffer<'_>, _level: u16) -> Result<()> {
        match &self.definition.name {
            Some(name) => out.push_str(&format!("<Macro '{name}'>")),
            None => out.push_str("<Macro anonymous>"),
        }
    }
}
