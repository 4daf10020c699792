//! Expressions and the names in them.

use crate::interpret::environment::{Filter, Predicate};
use crate::value::Text;
use crate::value::number::Arithmetic;
use std::sync::Arc;

/// A name of the template.
pub(crate) type Name = Arc<str>;

/// Where a variable is: in the function so many levels out, at this place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Functions (macros, blocks, recursive loops) to go out through.
    pub hops: u32,
    /// The place in that function.
    pub index: usize,
}

/// A variable that is read or set.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    /// Its name.
    pub name: Name,
    /// Where it is.
    pub slot: Slot,
}

/// Whether what is written gets HTML escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Escape {
    /// No.
    #[default]
    Off,
    /// Inside of `{% autoescape true %}`.
    On,
    /// Inside of an `{% autoescape %}` whose value is not a constant.
    AsSet,
}

/// A literal.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub(crate) enum Literal {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Text),
}

/// An expression.
#[derive(Debug)]
pub(crate) enum Expr {
    /// A literal.
    Literal(Literal),
    /// A variable.
    Variable(Variable),
    /// `[…]`
    List(Vec<Expr>),
    /// `(…, …)`
    Tuple(Vec<Expr>),
    /// `{…: …}`
    Dict(Vec<(Expr, Expr)>),
    /// A value and what is applied to it, in order.
    Postfix(Box<Expr>, Vec<Postfix>),
    /// `-x`
    Negative(Box<Expr>),
    /// `+x`
    Positive(Box<Expr>),
    /// `not x`
    Not(Box<Expr>),
    /// Operators of one precedence, from left to right.
    Arithmetic(Box<Expr>, Vec<(Arithmetic, Expr)>),
    /// `a ~ b ~ …`
    Concat(Vec<Expr>, Escape),
    /// `a < b == …`
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    /// `a and b and …`
    And(Vec<Expr>),
    /// `a or b or …`
    Or(Vec<Expr>),
    /// `a if b else c if d else …`: values with their conditions, and the last one.
    Conditional(Vec<(Expr, Expr)>, Option<Box<Expr>>),
}

/// An operator that compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// What is applied to a value.
#[derive(Debug)]
pub(crate) enum Postfix {
    /// `.name`
    Attribute(Name),
    /// `[key]`
    Item(Expr),
    /// `[start:stop:step]`
    Slice(Box<[Option<Expr>; 3]>),
    /// `(…)`
    Call(Arguments),
    /// `| name(…)`
    Filter(FilterCall),
    /// `is name(…)`, `is not name(…)`
    Test {
        /// Its name.
        name: Name,
        /// The test, if there is one of this name.
        predicate: Option<&'static Predicate>,
        /// What it is given.
        arguments: Arguments,
        /// Whether it is `is not`.
        negated: bool,
    },
}

/// A filter and what it is given.
#[derive(Debug)]
pub(crate) struct FilterCall {
    /// Its name.
    pub name: Name,
    /// The filter, if there is one of this name.
    pub filter: Option<&'static Filter>,
    /// What it is given.
    pub arguments: Arguments,
}

/// The arguments of a call.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// `a, b`
    pub positional: Vec<Expr>,
    /// `a=b`
    pub keyword: Vec<(Name, Expr)>,
    /// `*args`
    pub all: Option<Box<Expr>>,
    /// `**kwargs`
    pub all_keyword: Option<Box<Expr>>,
}
