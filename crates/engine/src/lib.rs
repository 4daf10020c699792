//! The engine: a model file becomes a decoder, a decoder turns tokens to logits, a sampler turns
//! logits to a token.
//!
//! One [`Decoder`] runs every architecture. It is driven by the *features* in [`ModelConfig`] (norm
//! placement, RoPE, windows, feed-forward block, …), never by a model's name; an architecture is
//! described in `modelfile`, and its tensors are read by that description. Arithmetic is left to `kernels`, text to
//! `tokenizer`, and which sequence computes when to the caller.

mod account;
mod bounds;
mod decoder;
mod error;
mod kv;
mod model;
mod rope;
mod sampler;
mod weights;

pub use account::{Account, Usage};
pub use bounds::config as model_config;
pub use decoder::{BatchItem, Decoder, DecoderOptions, LogitRows};
pub use error::EngineError;
pub use kv::ledger::Ledger;
pub use kv::policy::{
    Attention, Budget, Future, KvPolicy, Lane, Moment, Needs, POLICIES, Policy, PolicyEntry,
    PolicyError, Pyramid, Size,
};
pub use kv::{KvCache, SequenceKv};
pub use model::{LoadTimes, Model};
pub use pacemark_kernels::{
    Cpus, KV_BLOCK, KernelSet, KvPairError, KvType, KvTypes, Numa, Place, PlaceError, kernels,
};
pub use pacemark_modelfile::arch::{
    ARCHS, Arch, ArchError, Ffn, LayerKind, ModelConfig, NormKind, NormPlacement, QkNorm, RopeStyle,
};
pub use pacemark_setup::{Residence, Threads};
pub use sampler::{Sampler, SamplerConfig, TokenLogprobs};

/// A token's number in the vocabulary.
pub type TokenId = u32;
