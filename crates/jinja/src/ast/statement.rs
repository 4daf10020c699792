//! Statements, scopes, and the program that they are.

use super::{Escape, Expr, Name, Postfix, Slot, Variable};
use std::sync::Arc;

/// A statement and its line.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Counted from 1.
    pub line: u32,
    /// What it does.
    pub kind: StatementKind,
}

/// Statements in order.
pub(crate) type Body = Vec<Statement>;

/// What a statement does.
#[derive(Debug)]
pub(crate) enum StatementKind {
    /// Text as it stands.
    Text(Arc<str>),
    /// `{{ expression }}`
    Print(Expr, Escape),
    /// `{% if %}`: conditions with their bodies, and the `else`.
    If(Vec<(Expr, Body)>, Body),
    /// `{% for %}`
    For(Arc<For>),
    /// `{% set target = value %}`
    Set(AssignTarget, Expr, Exports),
    /// `{% set target | filter %}…{% endset %}`
    SetBlock(AssignTarget, Captured, Exports),
    /// `{% macro %}`
    Macro(Arc<Macro>, usize, Exports),
    /// `{% call(…) macro(…) %}…{% endcall %}`
    Call(Expr, Arc<Macro>),
    /// `{% filter %}…{% endfilter %}`
    Filter(Captured),
    /// `{% with %}`: targets with their values, and the body.
    With(Vec<(AssignTarget, Expr)>, Scoped),
    /// `{% autoescape %}`
    Autoescape(Expr, Scoped),
    /// `{% generation %}`: marks what the assistant says, for training. To Jinja2 its body is a
    /// `caller`.
    Generation(Arc<Macro>),
    /// `{% block %}`: its place among the blocks, and if it is `scoped` the variables it sees
    /// besides the context's.
    Block(usize, Option<Vec<(usize, Slot)>>),
    /// `{% break %}`
    Break,
    /// `{% continue %}`
    Continue,
    /// A statement that needs other templates.
    OtherTemplate(&'static str),
}

/// Variables of the top level that blocks see: number of the name, and place.
pub(crate) type Exports = Vec<(usize, usize)>;

/// How a variable of a scope begins.
#[derive(Clone, Debug)]
pub(crate) enum Load {
    /// With what the context has for the name of this number.
    Context(usize),
    /// With what the variable of an outer scope has.
    Outer(Slot),
    /// With nothing.
    Undefined,
}

/// The variables that a scope sets up when it is entered.
pub(crate) type Loads = Vec<(usize, Load)>;

/// A body with a scope of its own.
#[derive(Debug, Default)]
pub(crate) struct Scoped {
    /// What it contains.
    pub body: Body,
    /// Its variables.
    pub loads: Loads,
}

/// A body whose output becomes a value, and the filters that value goes through.
#[derive(Debug)]
pub(crate) struct Captured {
    /// What is captured.
    pub scoped: Scoped,
    /// In order.
    pub filters: Vec<Postfix>,
    /// Whether the value is markup.
    pub escape: Escape,
}

/// What is assigned to.
#[derive(Clone, Debug)]
pub(crate) enum AssignTarget {
    /// A variable.
    Variable(Variable),
    /// `namespace.attribute`
    Attribute(Variable, Name),
    /// `a, b`
    Tuple(Vec<AssignTarget>),
}

/// `{% for target in iterable if test recursive %}`
#[derive(Debug)]
pub(crate) struct For {
    /// What takes the items.
    pub target: AssignTarget,
    /// What is gone through.
    pub iterable: Expr,
    /// Which items are taken.
    pub test: Option<LoopTest>,
    /// What is done with each.
    pub body: Scoped,
    /// What is done if no iteration came to its end.
    pub otherwise: Option<Scoped>,
    /// Whether `loop(…)` runs it again, in variables of its own.
    pub recursive: Option<Function>,
    /// Where `loop` is, if it is used.
    pub loop_slot: Option<usize>,
    /// Whether what `loop(…)` returns is markup.
    pub escape: Escape,
}

/// The condition of a loop, with the target in variables of its own.
#[derive(Debug)]
pub(crate) struct LoopTest {
    /// The condition.
    pub test: Expr,
    /// What takes the item.
    pub target: AssignTarget,
    /// Its variables.
    pub loads: Loads,
}

/// What has variables of its own each time it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Function {
    /// How many variables.
    pub n_slots: usize,
}

/// `{% macro name(parameters) %}`, and the body of a `{% call %}`.
#[derive(Debug)]
pub(crate) struct Macro {
    /// None of a `{% call %}`.
    pub name: Option<Name>,
    /// Names, places and default values.
    pub parameters: Vec<Parameter>,
    /// Where `caller` is, if the body uses it.
    pub caller: Option<usize>,
    /// Where `kwargs` is, if the body uses it.
    pub kwargs: Option<usize>,
    /// Where `varargs` is, if the body uses it.
    pub varargs: Option<usize>,
    /// Its variables.
    pub function: Function,
    /// What it writes.
    pub scoped: Scoped,
    /// Its line.
    pub line: u32,
}

/// A parameter of a macro.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its place.
    pub slot: usize,
    /// Its value when none is given.
    pub default: Option<Expr>,
}

/// `{% block name %}`
#[derive(Debug)]
pub(crate) struct Block {
    /// Its name.
    pub name: Name,
    /// Whether it sees the variables of where it stands.
    pub scoped: bool,
    /// Whether it must be overridden, which nothing can do here.
    pub required: bool,
    /// What it writes.
    pub content: Scoped,
    /// Its variables.
    pub function: Function,
}

/// A whole template.
#[derive(Debug, Default)]
pub(crate) struct Program {
    /// The statements, and the variables of the top level.
    pub root: Scoped,
    /// The function that they are.
    pub function: Function,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// Names that are looked for in the context, by number.
    pub names: Vec<Name>,
}
