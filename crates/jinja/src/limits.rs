//! What a template may use: it comes with a model and is not trusted, and neither is what it is
//! given.
//!
//! Everything that grows with the input is counted here: instructions, bytes that are read and
//! bytes that are produced, levels of recursion. What reads or makes a whole text counts its length
//! before it does. Bytes are counted when they are made and never given back, so the bound on them
//! holds for what lives at one time and for the work of copying as well.

use crate::error::{Error, Result};
use std::cell::Cell;

/// Bytes of a template. Real ones have up to 30 KiB.
pub const MAX_SOURCE: usize = 128 << 10;
/// Expressions and statements around one another in a source. Jinja2 itself ends near 70
/// parentheses.
pub const MAX_NESTING: usize = 100;
/// Evaluations within one another, over all macros that have been entered: with it the stack is
/// bounded. A macro may call itself about 200 times, as in Jinja2; `tests/stack.rs` runs what takes
/// the most stack.
pub(crate) const MAX_LEVELS: u32 = 1000;
/// Levels that the call of a macro counts for besides those of its body: by its part of the stack.
pub(crate) const LEVELS_OF_CALL: u32 = 2;
/// Containers within one another. `json.loads` of Python ends near 1000, serde_json at 128.
pub const MAX_DEPTH: u16 = 500;
/// Jinja2's bound for a `range` in a sandbox.
pub(crate) const MAX_RANGE: i128 = 100_000;
/// Bytes that are read for the price of an instruction.
const BYTES_PER_STEP: usize = 128;

/// Bounds of one rendering.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Evaluations, iterations, and 128 bytes that are read or produced.
    pub instructions: u64,
    /// Bytes of strings and lists produced on the way.
    pub memory: u64,
    /// Bytes written.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { instructions: 400_000, memory: 32 << 20, output: 16 << 20 }
    }
}

/// What a rendering has used of its [`Limits`].
#[derive(Debug)]
pub(crate) struct Budget {
    pub limits: Limits,
    instructions: Cell<u64>,
    memory: Cell<u64>,
    levels: Cell<u32>,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Budget {
        Budget { limits, instructions: Cell::new(0), memory: Cell::new(0), levels: Cell::new(0) }
    }

    /// One instruction.
    pub(crate) fn step(&self) -> Result<()> {
        self.steps(1)
    }

    /// `n` instructions.
    pub(crate) fn steps(&self, n: usize) -> Result<()> {
        spend(&self.instructions, n as u64, self.limits.instructions, "instructions")
    }

    /// `bytes` are about to be read.
    pub(crate) fn read(&self, bytes: usize) -> Result<()> {
        self.steps(bytes / BYTES_PER_STEP)
    }

    /// `bytes` are about to be produced.
    pub(crate) fn produce(&self, bytes: usize) -> Result<()> {
        let before = self.memory.get();
        spend(&self.memory, bytes as u64, self.limits.memory, "bytes of values")?;
        // Many small pieces cost as much as a large one.
        self.steps(self.memory.get() as usize / BYTES_PER_STEP - before as usize / BYTES_PER_STEP)
    }

    /// `n` pieces of `bytes` each.
    pub(crate) fn produce_many(&self, n: usize, bytes: usize) -> Result<()> {
        self.produce(n.saturating_mul(bytes))
    }

    /// Goes so many levels deeper; [`Budget::leave`] returns.
    pub(crate) fn enter(&self, levels: u32) -> Result<()> {
        let level = self.levels.get() + levels;
        if level > MAX_LEVELS {
            return exceeded(u64::from(MAX_LEVELS), "levels of recursion");
        }
        self.levels.set(level);
        Ok(())
    }

    /// Comes back from as many levels.
    pub(crate) fn leave(&self, levels: u32) {
        self.levels.set(self.levels.get().saturating_sub(levels));
    }
}

fn spend(used: &Cell<u64>, more: u64, limit: u64, what: &'static str) -> Result<()> {
    let sum = used.get().saturating_add(more);
    if sum > limit {
        return exceeded(limit, what);
    }
    used.set(sum);
    Ok(())
}

/// The error of a bound that was passed.
pub(crate) fn exceeded<T>(limit: u64, what: &'static str) -> Result<T> {
    Err(Box::new(Error::Limit { limit, what }))
}
