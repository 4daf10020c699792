//! Jinja templates with the meaning that Python's Jinja2 gives them.
//!
//! A chat template is a part of a model: it was written for Jinja2 as Hugging Face's `transformers`
//! sets it up, and its text decides what the model is asked, so a template that is read otherwise
//! asks something else. No library comes close enough. minijinja, which stood here before, has
//! operators, numbers and printing of its own that nothing outside of it can change (`'%s' % x`,
//! `+x`, `1e16`, what is iterable, macros' `varargs` and `kwargs`, `|safe`), and no bound on the
//! memory a template takes, which comes with the model and is not trusted.
//!
//! The target is jinja2 3.1's `ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)`
//! with loop controls, the `generation` tag, and the `tojson`, `raise_exception` and `strftime_now`
//! of `apply_chat_template`. A source is read by `lexer` and `parser`, its names are placed by
//! `resolve`, and `interpret` runs it over the values of `value`. Filters, tests, methods and
//! globals are tables (`ENVIRONMENT`). Refused by name is what a prompt cannot need: other templates (`include`,
//! `import`, `extends`, `self`, `super`), chance (`random`, `lipsum`), bytes (`encode`), complex
//! numbers and integers beyond 128 bits.
//!
//! Which template, which variables, and what a failure means for a request are left to the caller.

mod ast;
mod error;
mod filters;
mod format;
mod globals;
mod interpret;
mod lexer;
mod limits;
mod methods;
mod parser;
mod predicates;
mod resolve;
mod time;
mod unicode;
mod unicode_tables;
mod value;

pub use error::Error;
pub use limits::{Limits, MAX_DEPTH, MAX_NESTING, MAX_SOURCE};

use ast::Program;
use interpret::environment::Environment;
use serde_json::{Map, Value};
use std::time::SystemTime;

/// The tables that a template looks into.
static ENVIRONMENT: Environment = Environment {
    filter: filters::find,
    predicate: predicates::find,
    global: globals::find,
    method: methods::find,
    property: methods::property,
};

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    program: Program,
}

impl Template {
    /// Compiles `source`.
    pub fn compile(source: &str) -> Result<Template, Error> {
        if source.len() > MAX_SOURCE {
            return Err(Error::Limit { limit: MAX_SOURCE as u64, what: "bytes of template" });
        }
        let compiled =
            parser::parse(source).and_then(|(body, blocks)| resolve::resolve(body, blocks));
        Ok(Template { program: compiled.map_err(|error| *error)? })
    }

    /// What it writes for `variables`. `now` is what `strftime_now` tells, in UTC.
    pub fn render(
        &self,
        variables: &Map<String, Value>,
        now: SystemTime,
        limits: Limits,
    ) -> Result<String, Error> {
        interpret::render(&self.program, &ENVIRONMENT, variables, now, limits)
            .map_err(|error| *error)
    }
}
