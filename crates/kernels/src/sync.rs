//! What the thread team synchronizes with: the standard library. The models in `loom/` compile
//! `team.rs` with loom's twins.

pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::{Arc, atomic};
pub(crate) use std::thread;

/// Turns of the waiting loop before a worker parks: about 100 µs.
pub(crate) const SPINS: u32 = 4000;
