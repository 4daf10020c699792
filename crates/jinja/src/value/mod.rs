//! Values with the meaning they have in Python.
//!
//! Nothing here is shared between threads: a rendering makes its values from JSON and drops them. A
//! container knows how many are within one another in it and refuses one too many, so that whatever
//! recurses through a value ends. What can be changed after it was made (namespaces, loops) lives
//! in the rendering's own tables and a value has only its number, so there are no cycles either.

pub(crate) mod compare;
pub(crate) mod dict;
pub(crate) mod iterate;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod object;
pub(crate) mod operators;
pub(crate) mod repr;
pub(crate) mod sequence;
pub(crate) mod text;

pub(crate) use dict::Dict;
pub(crate) use iterate::Iter;
pub(crate) use object::Object;
pub(crate) use sequence::{Range, Seq, View};
pub(crate) use text::Text;

use crate::error::{Result, fail};
use crate::limits::Budget;
use std::rc::Rc;
use std::sync::Arc;

/// A value of a template.
#[derive(Clone)]
pub(crate) enum Value {
    /// What is not there: prints as nothing, and most of what is done with it is an error.
    Undefined(Rc<Missing>),
    /// `None`.
    None,
    /// `True` and `False`, which are the integers 1 and 0 too.
    Bool(bool),
    /// An integer; Python's have no bound.
    Int(i128),
    /// A float.
    Float(f64),
    /// A string, or markup.
    Text(Text),
    /// A list.
    List(Rc<Seq>),
    /// A tuple.
    Tuple(Rc<Seq>),
    /// A dictionary.
    Dict(Rc<Dict>),
    /// A `range`.
    Range(Range),
    /// `keys()`, `values()` or `items()` of a dictionary.
    View(Rc<View>),
    /// A generator: what it yields is gone.
    Iter(Rc<Iter>),
    /// Everything else.
    Object(Rc<dyn Object>),
}

/// Why a value is undefined, to be said when it is used.
#[derive(Debug)]
pub(crate) enum Missing {
    /// There is no such variable.
    Name(Arc<str>),
    /// A value of this type has no such attribute or element, which is given as `repr` writes it.
    Member {
        /// The name of the type.
        of: &'static str,
        /// The attribute or element.
        name: String,
        /// Whether it was looked for by name.
        is_attribute: bool,
    },
    /// Anything else.
    Because(String),
}

impl Missing {
    /// As Jinja2 says it.
    pub(crate) fn message(&self) -> String {
        match self {
            Missing::Name(name) => format!("'{name}' is undefined"),
            Missing::Member { of, name, is_attribute: true } => {
                format!("'{of} object' has no attribute {name}")
            }
            Missing::Member { of, name, is_attribute: false } => {
                format!("{of} object has no element {name}")
            }
            Missing::Because(reason) => reason.clone(),
        }
    }
}

impl Value {
    /// An undefined value for a reason of its own.
    pub(crate) fn undefined(reason: impl Into<String>) -> Value {
        Value::Undefined(Rc::new(Missing::Because(reason.into())))
    }

    /// A string that costs nothing new: a constant or a part of the program.
    pub(crate) fn str(text: &str) -> Value {
        Value::Text(Text::from(text))
    }

    /// A list.
    pub(crate) fn list(items: Vec<Value>, budget: &Budget) -> Result<Value> {
        Ok(Value::List(Seq::new(items, budget)?))
    }

    /// A tuple.
    pub(crate) fn tuple(items: Vec<Value>, budget: &Budget) -> Result<Value> {
        Ok(Value::Tuple(Seq::new(items, budget)?))
    }

    /// A dictionary.
    pub(crate) fn dict(dict: Dict) -> Value {
        Value::Dict(Rc::new(dict))
    }

    /// The name of its type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Undefined(_) => "Undefined",
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Text(text) if text.is_markup() => "Markup",
            Value::Text(_) => "str",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Dict(_) => "dict",
            Value::Range(_) => "range",
            Value::View(view) => view.type_name(),
            Value::Iter(_) => "generator",
            Value::Object(object) => object.type_name(),
        }
    }

    /// How many containers are within one another in it.
    pub(crate) fn depth(&self) -> u16 {
        match self {
            Value::List(seq) | Value::Tuple(seq) => seq.depth(),
            Value::Dict(dict) => dict.depth(),
            Value::View(view) => view.dict.depth().saturating_add(1),
            Value::Iter(iter) => iter.depth(),
            Value::Object(object) => object.depth(),
            _ => 0,
        }
    }

    /// Whether Python takes it for true.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Value::Undefined(_) | Value::None => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Iter(_) => true,
            Value::Text(text) => !text.is_empty(),
            Value::Object(object) => object.is_true(),
            sized => sized.len().is_none_or(|len| len > 0),
        }
    }

    /// Its length, if it has one without asking further.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Value::Undefined(_) => Some(0),
            Value::Text(text) => Some(text.n_chars()),
            Value::List(seq) | Value::Tuple(seq) => Some(seq.items.len()),
            Value::Dict(dict) => Some(dict.len()),
            Value::Range(range) => Some(range.len()),
            Value::View(view) => Some(view.dict.len()),
            _ => None,
        }
    }

    /// Its text, if it is a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its items, if it is a list or a tuple.
    pub(crate) fn as_items(&self) -> Option<&[Value]> {
        match self {
            Value::List(seq) | Value::Tuple(seq) => Some(&seq.items),
            _ => None,
        }
    }

    /// As an integer where Python takes nothing else (indices, widths, counts).
    pub(crate) fn as_index(&self) -> Option<i128> {
        match self {
            Value::Int(value) => Some(*value),
            Value::Bool(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    /// [`Value::as_index`], or an error that names `what`.
    pub(crate) fn index(&self, what: &str) -> Result<i128> {
        match self.as_index() {
            Some(value) => Ok(value),
            None => fail(format!("{what}: expected an integer, found {}", self.described())),
        }
    }

    /// Its text, or an error that names `what`.
    pub(crate) fn text(&self, what: &str) -> Result<&Text> {
        match self {
            Value::Text(text) => Ok(text),
            other => fail(format!("{what}: expected a string, found {}", other.described())),
        }
    }

    /// For errors: its type, or why it is undefined.
    pub(crate) fn described(&self) -> String {
        match self {
            Value::Undefined(missing) => missing.message(),
            other => other.type_name().to_owned(),
        }
    }

    /// Fails if it is undefined, as most operations on it do.
    pub(crate) fn defined(&self) -> Result<&Value> {
        match self {
            Value::Undefined(missing) => fail(missing.message()),
            value => Ok(value),
        }
    }

    /// Whether it can be called.
    pub(crate) fn is_callable(&self) -> bool {
        match self {
            Value::Undefined(_) => true,
            Value::Object(object) => object.is_callable(),
            _ => false,
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{}>", self.type_name())
    }
}
