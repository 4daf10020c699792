//! A template as a tree, built by `parser`; `resolve` fills in where each name is kept.
//!
//! What can be long without being deep (operators of one kind, subscripts, `elif`) is a list here
//! and not a chain of nodes, so nothing recurses through it.

mod expression;
mod statement;

pub(crate) use expression::*;
pub(crate) use statement::*;
