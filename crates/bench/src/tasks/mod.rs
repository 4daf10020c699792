//! Tasks: items that a model answers, under one setting of its KV cache or several, and what the
//! settings differ by on the same items.
//!
//! Two kinds of items: choices that are ranked by likelihood ([`choices`]), and texts in whose answer
//! some words should stand ([`retrieval`], [`ruler`]). What they are made of is text here; how text
//! becomes tokens is an [`Encoder`]'s affair, which models and policies there are the command's.

mod answer;
mod battery;
pub mod choices;
mod difference;
mod encoder;
mod experiment;
mod page;
mod picture;
pub mod retrieval;
pub mod ruler;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use battery::{Ask, Battery, Question, Setting, Task};
pub use encoder::Encoder;
pub use experiment::{Accuracy, Retrieval};
pub use picture::heat;
