//! How a model is loaded and run: one [`Setup`] that commands make of their flags, benchmarks vary,
//! and every backend loads by.
//!
//! A backend that cannot do what a setup asks for says so with an [`Unsupported`], which names the
//! [`Setting`]; nothing that was asked for is passed over. Which settings a backend has is its own
//! to say (`backends`), flags and their spelling are `cli`'s, names in records `bench`'s.

mod offload;
mod precision;
mod server;
mod setting;
mod setup;

pub use offload::{Offload, Split};
pub use pacemark_kernels::{Cpus, Numa, Place};
pub use pacemark_modelfile::quantize::Recipe;
pub use pacemark_quant::DType;
pub use precision::Precision;
pub use server::{Secret, Server};
pub use setting::{Setting, Unsupported};
pub use setup::{CacheTypes, Residence, Setup, Threads};
