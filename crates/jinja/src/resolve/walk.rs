//! Goes through all names of a part of the tree, in the order in which jinja2's visitors do.

use crate::ast::{
    Arguments, AssignTarget, Body, Captured, Expr, For, Macro, Name, Postfix, Scoped, Statement,
    StatementKind, Variable,
};

/// A name, and what happens to it; or a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
    /// It is read.
    Load(&'a Name),
    /// It is assigned.
    Store(&'a Name),
    /// It is a parameter.
    Parameter(&'a Name),
    /// The block of this number stands here.
    Block(usize),
}

/// Visits every name in `body`, whatever scope it is in.
pub(super) fn body<'a>(body: &'a Body, visit: &mut dyn FnMut(Event<'a>)) {
    body.iter().for_each(|inner| statement(inner, visit));
}

fn statement<'a>(part: &'a Statement, visit: &mut dyn FnMut(Event<'a>)) {
    match &part.kind {
        StatementKind::Text(_)
        | StatementKind::Break
        | StatementKind::Continue
        | StatementKind::OtherTemplate(_) => {}
        StatementKind::Print(value, _) => expr(value, visit),
        StatementKind::If(arms, otherwise) => {
            for (test, then) in arms {
                expr(test, visit);
                body(then, visit);
            }
            body(otherwise, visit);
        }
        StatementKind::For(inner) => for_loop(inner, visit),
        StatementKind::Set(to, value, _) => {
            target(to, visit);
            expr(value, visit);
        }
        StatementKind::SetBlock(to, inner, _) => {
            target(to, visit);
            captured(inner, visit);
        }
        StatementKind::Macro(inner, ..) => {
            inner.name.iter().for_each(|name| visit(Event::Store(name)));
            macro_body(inner, visit);
        }
        StatementKind::Call(call, inner) => {
            expr(call, visit);
            macro_body(inner, visit);
        }
        StatementKind::Filter(inner) => captured(inner, visit),
        StatementKind::With(pairs, inner) => {
            pairs.iter().for_each(|(to, _)| parameter(to, visit));
            pairs.iter().for_each(|(_, value)| expr(value, visit));
            scoped(inner, visit);
        }
        StatementKind::Autoescape(value, inner) => {
            expr(value, visit);
            scoped(inner, visit);
        }
        StatementKind::Generation(inner) => macro_body(inner, visit),
        StatementKind::Block(number, _) => visit(Event::Block(*number)),
    }
}

/// Visits every name of a loop.
pub(super) fn for_loop<'a>(inner: &'a For, visit: &mut dyn FnMut(Event<'a>)) {
    target(&inner.target, visit);
    expr(&inner.iterable, visit);
    scoped(&inner.body, visit);
    inner.otherwise.iter().for_each(|inner| scoped(inner, visit));
    inner.test.iter().for_each(|test| expr(&test.test, visit));
}

fn macro_body<'a>(inner: &'a Macro, visit: &mut dyn FnMut(Event<'a>)) {
    inner.parameters.iter().for_each(|parameter| visit(Event::Parameter(&parameter.name)));
    inner
        .parameters
        .iter()
        .filter_map(|parameter| parameter.default.as_ref())
        .for_each(|value| expr(value, visit));
    scoped(&inner.scoped, visit);
}

fn scoped<'a>(inner: &'a Scoped, visit: &mut dyn FnMut(Event<'a>)) {
    body(&inner.body, visit);
}

fn captured<'a>(inner: &'a Captured, visit: &mut dyn FnMut(Event<'a>)) {
    postfixes(&inner.filters, visit);
    scoped(&inner.scoped, visit);
}

/// Visits what is assigned to.
pub(super) fn target<'a>(to: &'a AssignTarget, visit: &mut dyn FnMut(Event<'a>)) {
    match to {
        AssignTarget::Variable(Variable { name, .. }) => visit(Event::Store(name)),
        // A namespace is read, but by none of the visitors that ask which names are used.
        AssignTarget::Attribute(..) => {}
        AssignTarget::Tuple(parts) => parts.iter().for_each(|part| target(part, visit)),
    }
}

fn parameter<'a>(to: &'a AssignTarget, visit: &mut dyn FnMut(Event<'a>)) {
    target(to, &mut |event| {
        if let Event::Store(name) = event {
            visit(Event::Parameter(name));
        }
    });
}

/// Visits every name of an expression.
pub(super) fn expr<'a>(value: &'a Expr, visit: &mut dyn FnMut(Event<'a>)) {
    match value {
        Expr::Literal(_) => {}
        Expr::Variable(Variable { name, .. }) => visit(Event::Load(name)),
        Expr::List(parts)
        | Expr::Tuple(parts)
        | Expr::Concat(parts, _)
        | Expr::And(parts)
        | Expr::Or(parts) => {
            parts.iter().for_each(|part| expr(part, visit));
        }
        Expr::Dict(entries) => {
            for (key, value) in entries {
                expr(key, visit);
                expr(value, visit);
            }
        }
        Expr::Postfix(base, applied) => {
            expr(base, visit);
            postfixes(applied, visit);
        }
        Expr::Negative(inner) | Expr::Positive(inner) | Expr::Not(inner) => expr(inner, visit),
        Expr::Arithmetic(first, rest) => {
            expr(first, visit);
            rest.iter().for_each(|(_, part)| expr(part, visit));
        }
        Expr::Compare(first, rest) => {
            expr(first, visit);
            rest.iter().for_each(|(_, part)| expr(part, visit));
        }
        Expr::Conditional(arms, otherwise) => {
            for (value, test) in arms {
                expr(test, visit);
                expr(value, visit);
            }
            otherwise.iter().for_each(|value| expr(value, visit));
        }
    }
}

/// Visits every name of what is applied to a value.
pub(super) fn postfixes<'a>(applied: &'a [Postfix], visit: &mut dyn FnMut(Event<'a>)) {
    for postfix in applied {
        match postfix {
            Postfix::Attribute(_) => {}
            Postfix::Item(key) => expr(key, visit),
            Postfix::Slice(bounds) => bounds.iter().flatten().for_each(|bound| expr(bound, visit)),
            Postfix::Call(inner) => arguments(inner, visit),
            Postfix::Filter(call) => arguments(&call.arguments, visit),
            Postfix::Test { arguments: inner, .. } => arguments(inner, visit),
        }
    }
}

fn arguments<'a>(inner: &'a Arguments, visit: &mut dyn FnMut(Event<'a>)) {
    inner.positional.iter().for_each(|value| expr(value, visit));
    inner.keyword.iter().for_each(|(_, value)| expr(value, visit));
    inner.all.iter().for_each(|value| expr(value, visit));
    inner.all_keyword.iter().for_each(|value| expr(value, visit));
}

/// Which of `names` are read in `inner` before they are set, in the order of the source (jinja2's
/// `find_undeclared`).
pub(super) fn undeclared<'n>(inner: &Body, names: &[&'n str]) -> Vec<&'n str> {
    let mut watched = names.to_vec();
    let mut found = Vec::new();
    body(inner, &mut |event| match event {
        Event::Load(name) if watched.contains(&&name[..]) => {
            found.extend(watched.iter().find(|watched| **watched == &name[..]));
        }
        Event::Load(name) | Event::Store(name) | Event::Parameter(name) => {
            watched.retain(|other| *other != &name[..])
        }
        Event::Block(_) => {}
    });
    found
}
