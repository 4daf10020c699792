//! What a template finds by name, as Jinja2's `Environment` holds it: the kinds of entries, and how
//! each is looked up.
//!
//! Some entries look up others (`map('upper')`, `'{0.x}'.format(y)`, `is filter`), so they are asked
//! for here and not in the tables themselves: `filters`, `predicates`, `methods` and `globals` hold
//! the tables and know this room, which knows none of them. The crate puts them together.

use super::{Args, Run};
use crate::error::Result;
use crate::value::Value;
use std::fmt::{Debug, Formatter};

/// What a filter or a method does with a value and its arguments.
pub(crate) type Call = fn(&Run<'_>, &Value, Args) -> Result<Value>;

/// A filter.
pub(crate) struct Filter {
    /// Its name.
    pub name: &'static str,
    /// What it makes of a value.
    pub call: Call,
}

impl Debug for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A test of `is`.
pub(crate) struct Predicate {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds of a value.
    pub holds: fn(&Run<'_>, &Value, Args) -> Result<bool>,
}

impl Debug for Predicate {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A method of a built-in type.
pub(crate) struct Method {
    /// Its name.
    pub name: &'static str,
    /// What it does with a value of the type.
    pub call: Call,
    /// Whether the sandbox hides it since it changes the value.
    pub is_unsafe: bool,
}

/// How each kind is found.
pub(crate) struct Environment {
    /// The filter of a name.
    pub filter: fn(&str) -> Option<&'static Filter>,
    /// The test of a name.
    pub predicate: fn(&str) -> Option<&'static Predicate>,
    /// The global of a name.
    pub global: fn(&str) -> Option<Value>,
    /// The method of a name that values of this type have.
    pub method: fn(&Value, &str) -> Option<&'static Method>,
    /// The attribute of a name that is no method.
    pub property: fn(&Value, &str) -> Option<Value>,
}
