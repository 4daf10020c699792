//! Counts of the calls through each layer of the serving stack, for the whole process.
//!
//! `pacemark stages` measures what each layer costs, and a figure is worth nothing if a layer was
//! gone round: so each layer counts where its work is done, by whomever, and the ladder shows and
//! tests the counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// The layers, from the bottom. Stage `n` of the ladder goes through layers 0 to `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StackLayer {
    /// A forward pass.
    Decoder,
    /// A token chosen from logits.
    Sampling,
    /// A batch put together from sequences.
    Assembly,
    /// A token that went through stop conditions, became text and an event.
    Output,
    /// A step that the scheduler planned.
    Scheduler,
    /// A request that the engine's thread took from its queue.
    Queue,
    /// A request that became a prompt.
    Prompt,
    /// An HTTP request that a handler took.
    Handler,
    /// A request that came through a socket.
    Http,
    /// An event written to a stream.
    Stream,
}

/// How many layers there are.
pub const N_LAYERS: usize = StackLayer::Stream as usize + 1;

static CALLS: [AtomicU64; N_LAYERS] = [const { AtomicU64::new(0) }; N_LAYERS];

/// Notes a call through `layer`.
pub fn pass(layer: StackLayer) {
    CALLS[layer as usize].fetch_add(1, Ordering::Relaxed);
}

/// Calls so far, by layer.
pub fn calls() -> [u64; N_LAYERS] {
    std::array::from_fn(|layer| CALLS[layer].load(Ordering::Relaxed))
}
