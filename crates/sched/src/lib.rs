//! The scheduler: which sequence computes how many tokens now, and in which blocks of the KV cache.
//!
//! There is no prefill phase and no decode phase. Each request has a number of computed tokens that
//! catches up with its tokens under a budget per step; a chunk of a prompt, a prefix found in the
//! cache, a generated token and the guesses of speculation are the same number. Blocks are counted
//! in [`BlockPool`], which shares full blocks between requests that begin alike.
//!
//! Pure bookkeeping: no tensors, no clock, no threads. Who calls computes what a [`StepPlan`] says
//! and reports what came of it. The scheme is that of vLLM's V1 scheduler (Kwon et al., 2023, and
//! its later design documents).

mod pool;
mod queue;
mod request;
mod scheduler;

pub use pool::BlockPool;
pub use request::{Class, NewRequest, RequestId, Residency};
pub use scheduler::{AddError, Counters, PlanItem, Scheduler, SchedulerConfig, StepPlan};

/// A token's number in the vocabulary.
pub type TokenId = u32;
