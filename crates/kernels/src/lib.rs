//! The arithmetic: SIMD kernels behind run-time dispatch, packed weight panels and the thread team.
//!
//! - [`kernels`] chooses the best [`KernelSet`] of this CPU once; [`available`] lists all it can
//!   run, for tests.
//! - [`Matrix`] holds weights in panels, [`Activations`] what they meet, [`matmul`] multiplies them
//!   on a [`Team`].
//! - [`attention()`] reads the paged KV cache.
//!
//! What the numbers mean is the engine's business; what a quantized block means is specified in
//! `quant`, against whose scalar code every kernel is tested. Besides this crate, only the memory
//! map of `modelfile` and the C calls of the `llama-cpp` backend have unsafe code.

mod activations;
mod apart;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod buffer;
mod cut;
mod discard;
mod generic;
mod isa;
mod kernel_set;
mod kv_page;
mod kv_slot;
mod lane;
mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod panel;
mod place;
mod portable;
mod roof;
mod scratch;
mod simd;
#[cfg(target_arch = "x86_64")]
mod sse2;
mod sync;
mod team;
mod unrolled;

pub use activations::Activations;
pub use attention::{AttentionShape, KvLane, SequenceSpan, attention};
pub use buffer::{Arena, ArenaPlan, Chunk, memlock_limit};
pub use discard::discard;
pub use isa::{Isa, IsaError, available, kernels};
pub use kernel_set::KernelSet;
pub use kv_page::{
    KV_BLOCK, KvPairError, KvType, KvTypes, MAX_HEAD_DIM, value_dim, write_key, write_value,
};
pub use kv_slot::{read_key, read_value};
pub use lane::{HOLE, LaneSlots, attend, attention_mass, move_slot};
pub use matrix::{Matrix, MatrixError, Product, SharedBytes, matmul};
pub use place::{Cpus, Numa, Place, PlaceError};
pub use roof::Roof;
pub use team::Team;
