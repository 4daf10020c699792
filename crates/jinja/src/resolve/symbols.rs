//! Which variables a scope has, as jinja2's `idtracking.py` finds it.
//!
//! A scope's variables are those it assigns anywhere, whether or not that is ever run, and those it
//! reads that no scope around it has. How a variable begins follows from what comes first: a name
//! that is set before it is read begins as undefined even if the context has it, unless it is set
//! in a branch only.

use super::Resolver;
use super::walk::{self, Event};
use crate::ast::{AssignTarget, Body, Load, Loads, Name, Slot, Statement, StatementKind};
use std::collections::{HashMap, HashSet};

/// A scope in the making.
pub(super) struct Scope {
    /// The function it is in, counted from the outermost.
    pub function: usize,
    refs: HashMap<Name, usize>,
    loads: HashMap<usize, Load>,
    stores: HashSet<Name>,
    /// `stores` in order.
    stored: Vec<Name>,
}

impl Scope {
    /// A scope without variables.
    pub(super) fn new(function: usize) -> Scope {
        Scope {
            function,
            refs: HashMap::new(),
            loads: HashMap::new(),
            stores: HashSet::new(),
            stored: Vec::new(),
        }
    }

    /// How its variables begin, by place.
    pub(super) fn into_loads(self) -> Loads {
        let mut loads: Loads = self.loads.into_iter().collect();
        loads.sort_by_key(|(place, _)| *place);
        loads
    }

    /// The names that are assigned in it.
    pub(super) fn stored(&self) -> &[Name] {
        &self.stored
    }
}

impl Resolver {
    fn scope(&mut self) -> &mut Scope {
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// Where `name` is, seen from the innermost scope; without that scope if `outer`.
    pub(super) fn find(&self, name: &Name, outer: bool) -> Option<Slot> {
        let function = self.scopes.last()?.function;
        let scopes = self.scopes.iter().rev().skip(usize::from(outer));
        scopes
            .filter_map(|scope| Some((scope.function, *scope.refs.get(name)?)))
            .next()
            .map(|(found, index)| Slot { hops: (function - found) as u32, index })
    }

    fn define(&mut self, name: &Name, load: Option<Load>) -> usize {
        let function = self.scope().function;
        let place = match self.scope().refs.get(name) {
            Some(place) => *place,
            None => {
                self.functions[function].n_slots += 1;
                self.functions[function].n_slots - 1
            }
        };
        let scope = self.scope();
        scope.refs.insert(name.clone(), place);
        match load {
            Some(load) => scope.loads.insert(place, load),
            None => scope.loads.remove(&place),
        };
        place
    }

    /// The innermost scope reads `name`.
    pub(super) fn load(&mut self, name: &Name) {
        if self.find(name, false).is_none() {
            let number = self.context_name(name);
            self.define(name, Some(Load::Context(number)));
        }
    }

    /// The innermost scope assigns `name`.
    pub(super) fn store(&mut self, name: &Name) {
        if self.scope().stores.insert(name.clone()) {
            self.scope().stored.push(name.clone());
        }
        if !self.scope().refs.contains_key(name) {
            let load = self.find(name, true).map_or(Load::Undefined, Load::Outer);
            self.define(name, Some(load));
        }
    }

    /// `name` is given to the innermost scope by what enters it.
    pub(super) fn parameter(&mut self, name: &Name) -> usize {
        if self.scope().stores.insert(name.clone()) {
            self.scope().stored.push(name.clone());
        }
        self.define(name, None)
    }

    /// All names of a target are parameters.
    pub(super) fn parameters_of(&mut self, target: &AssignTarget) {
        walk::target(target, &mut |event| {
            if let Event::Store(name) = event {
                self.parameter(name);
            }
        });
    }

    /// Finds the variables that `body` gives to the innermost scope.
    pub(super) fn find_symbols(&mut self, body: &Body) {
        for statement in body {
            self.line = statement.line;
            self.symbols_of(statement);
        }
    }

    /// The names that an expression reads.
    fn read(&mut self, event: Event<'_>) {
        if let Event::Load(name) = event {
            self.load(name);
        }
    }

    fn symbols_of(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Print(value, _) => walk::expr(value, &mut |event| self.read(event)),
            StatementKind::If(arms, otherwise) => {
                for (n, (test, body)) in arms.iter().enumerate() {
                    let first = n == 0;
                    if first {
                        walk::expr(test, &mut |event| self.read(event));
                    }
                    self.branch(|resolver| {
                        if !first {
                            walk::expr(test, &mut |event| resolver.read(event));
                        }
                        resolver.find_symbols(body);
                    });
                }
                self.branch(|resolver| resolver.find_symbols(otherwise));
            }
            StatementKind::For(inner) => walk::expr(&inner.iterable, &mut |event| self.read(event)),
            StatementKind::Set(target, value, _) => {
                walk::expr(value, &mut |event| self.read(event));
                self.assigned(target);
            }
            StatementKind::SetBlock(target, ..) => self.assigned(target),
            StatementKind::Macro(inner, ..) => inner.name.iter().for_each(|name| self.store(name)),
            StatementKind::Call(call, _) => walk::expr(call, &mut |event| self.read(event)),
            StatementKind::Filter(captured) => {
                walk::postfixes(&captured.filters, &mut |event| self.read(event))
            }
            StatementKind::With(pairs, _) => {
                pairs
                    .iter()
                    .for_each(|(_, value)| walk::expr(value, &mut |event| self.read(event)));
            }
            StatementKind::Text(_)
            | StatementKind::Autoescape(..)
            | StatementKind::Generation(_)
            | StatementKind::Block(..)
            | StatementKind::Break
            | StatementKind::Continue
            | StatementKind::OtherTemplate(_) => {}
        }
    }

    fn assigned(&mut self, target: &AssignTarget) {
        match target {
            AssignTarget::Variable(variable) => self.store(&variable.name),
            AssignTarget::Attribute(namespace, _) => self.load(&namespace.name),
            AssignTarget::Tuple(parts) => parts.iter().for_each(|part| self.assigned(part)),
        }
    }

    /// What is first assigned in a branch may not be assigned at all: it begins with what is
    /// outside.
    fn branch(&mut self, find: impl FnOnce(&mut Resolver)) {
        let n_before = self.scope().stored.len();
        find(self);
        let first_here: Vec<Name> = self.scope().stored[n_before..].to_vec();
        for name in first_here {
            let load = match self.find(&name, true) {
                Some(outer) => Load::Outer(outer),
                None => Load::Context(self.context_name(&name)),
            };
            self.define(&name, Some(load));
        }
    }
}
