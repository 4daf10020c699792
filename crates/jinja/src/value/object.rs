//! Values that are neither data nor text: what can be called, and what keeps a state.

use super::text::Buffer;
use super::{Dict, Value};
use crate::error::{Result, fail};
use crate::interpret::{Args, Run};
use std::rc::Rc;

/// A value of a kind of its own.
pub(crate) trait Object {
    /// The name of its type.
    fn type_name(&self) -> &'static str;

    /// How many containers are within one another in it; 0 where it holds no value.
    fn depth(&self) -> u16 {
        0
    }

    /// Whether it can be called.
    fn is_callable(&self) -> bool {
        false
    }

    /// Whether Python takes it for true.
    fn is_true(&self) -> bool {
        true
    }

    /// Its attribute `name`.
    fn attribute(&self, _run: &Run<'_>, _name: &str) -> Result<Option<Value>> {
        Ok(None)
    }

    /// The result of calling it.
    fn call(&self, _run: &Run<'_>, _args: Args) -> Result<Value> {
        fail(format!("'{}' object is not callable", self.type_name()))
    }

    /// Writes it as `repr` does; `level` counts the containers around it.
    fn repr(&self, _run: &Run<'_>, out: &mut Buffer<'_>, _level: u16) -> Result<()> {
        out.push_str("<")?;
        out.push_str(self.type_name())?;
        out.push_str(" object>")
    }

    /// Its number, if it is a namespace.
    fn as_namespace(&self) -> Option<usize> {
        None
    }
}

/// `namespace(…)`: the number of its attributes in the rendering.
pub(crate) struct Namespace(pub usize);

impl Object for Namespace {
    fn type_name(&self) -> &'static str {
        "Namespace"
    }

    fn attribute(&self, run: &Run<'_>, name: &str) -> Result<Option<Value>> {
        Ok(run
            .state
            .namespaces
            .borrow()
            .get(self.0)
            .and_then(|attributes| attributes.get_str(name))
            .cloned())
    }

    fn repr(&self, run: &Run<'_>, out: &mut Buffer<'_>, level: u16) -> Result<()> {
        if run.state.written.borrow().contains(&self.0) {
            return out.push_str("<Namespace {...}>");
        }
        out.push_str("<Namespace ")?;
        let attributes = match run.state.namespaces.borrow().get(self.0) {
            Some(attributes) => attributes.copied(&run.budget)?,
            None => Dict::default(),
        };
        run.state.written.borrow_mut().push(self.0);
        super::repr::write(run, &Value::dict(attributes), out, level)?;
        run.state.written.borrow_mut().pop();
        out.push_str(">")
    }

    fn as_namespace(&self) -> Option<usize> {
        Some(self.0)
    }
}

/// An object as a value.
pub(crate) fn object(object: impl Object + 'static) -> Value {
    Value::Object(Rc::new(object))
}

/// A function of a program's own making.
struct Function<F> {
    name: &'static str,
    depth: u16,
    call: F,
}

impl<F: Fn(&Run<'_>, Args) -> Result<Value>> Object for Function<F> {
    fn type_name(&self) -> &'static str {
        "builtin_function_or_method"
    }

    fn depth(&self) -> u16 {
        self.depth.saturating_add(1)
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, run: &Run<'_>, args: Args) -> Result<Value> {
        (self.call)(run, args)
    }

    fn repr(&self, _run: &Run<'_>, out: &mut Buffer<'_>, _level: u16) -> Result<()> {
        out.push_str(&format!("<built-in function {}>", self.name))
    }
}

/// A function as a value; `depth` is that of the values that it holds.
pub(crate) fn function(
    name: &'static str,
    depth: u16,
    call: impl Fn(&Run<'_>, Args) -> Result<Value> + 'static,
) -> Value {
    object(Function { name, depth, call })
}

/// That a namespace may have an attribute of this name: transformers' has none that begins with
/// `_`.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.starts_with('_') {
        return fail(format!("namespace: expected a name without '_' in front, found {name:?}"));
    }
    Ok(())
}
