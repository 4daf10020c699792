//! Runs a resolved template.
//!
//! The tree is walked: an evaluation calls itself for its parts. How deep that goes is counted
//! ([`Budget::enter`]) and bounded for all macros together, so the stack is bounded too: `limits`
//! says by what, the test in `tests/stack.rs` measures it.

pub(crate) mod access;
mod arguments;
pub(crate) mod environment;
mod expression;
mod frame;
mod loop_state;
mod loops;
mod macros;
mod statement;

pub(crate) use arguments::Args;
pub(crate) use loop_state::LoopState;

use crate::ast::Program;
use crate::error::Result;
use crate::limits::{Budget, Limits};
use crate::value::json::from_json;
use crate::value::text::Buffer;
use crate::value::{Dict, Value};
use environment::Environment;
use frame::Frame;
use std::cell::{Cell, RefCell};
use std::time::SystemTime;

/// One rendering.
pub(crate) struct Run<'p> {
    program: &'p Program,
    /// What it finds by name besides its variables.
    pub environment: &'static Environment,
    /// What it may still use.
    pub budget: Budget,
    /// What can change.
    pub state: State,
    /// What `strftime_now` tells.
    pub now: SystemTime,
    /// Whether values get HTML escapes here.
    pub autoescape: Cell<bool>,
    /// Variables and globals, by the number of their name.
    given: Vec<Option<Value>>,
    /// Variables of the top level that blocks see, by the number of their name.
    exported: RefCell<Vec<Option<Value>>>,
}

/// What values refer to by number, since it changes after they were made.
#[derive(Default)]
pub(crate) struct State {
    /// The attributes of each namespace.
    pub namespaces: RefCell<Vec<Dict>>,
    /// How far each loop is.
    pub loops: RefCell<Vec<LoopState>>,
    /// The namespaces that are being written, which may contain themselves.
    pub written: RefCell<Vec<usize>>,
}

/// What `program` writes for `variables`.
pub(crate) fn render(
    program: &Program,
    environment: &'static Environment,
    variables: &serde_json::Map<String, serde_json::Value>,
    now: SystemTime,
    limits: Limits,
) -> Result<String> {
    let budget = Budget::new(limits);
    let given = program.names.iter().map(|name| match variables.get(&name[..]) {
        Some(value) => from_json(value, &budget).map(Some),
        None => Ok((environment.global)(name)),
    });
    let given = given.collect::<Result<Vec<_>>>()?;
    let run = Run {
        program,
        environment,
        budget,
        state: State::default(),
        now,
        autoescape: Cell::new(false),
        exported: RefCell::new(vec![None; given.len()]),
        given,
    };
    let mut out = Buffer::output(&run.budget);
    let frame = Frame::new(program.function, None, None, &run.budget)?;
    run.enter_scope(&program.root.loads, &frame)?;
    run.body(&program.root.body, &frame, &mut out)?;
    Ok(out.into_string())
}
