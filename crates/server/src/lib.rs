//! An OpenAI-compatible HTTP server over any [`Service`](pacemark_backend::Service).
//!
//! `routes` says what leads where, `prepare` makes a request for the service out of a body,
//! `respond` makes an answer out of the service's events, which come through `relay`, `tools` finds
//! calls in text, `net` owns sockets, `annex` has room for routes of others, `stages` lets a benchmark in at each layer. What is generated, and how, is the
//! service's affair; flags and models are the binary's.

mod admission;
pub mod annex;
mod app;
mod error;
mod fields;
mod json;
mod log;
mod metrics;
mod net;
mod options;
mod prepare;
mod relay;
mod respond;
mod routes;
pub mod stages;
mod tools;

pub use error::{ApiError, Result};
pub use json::{answer, typed};
pub use net::{Local, Running, start};
pub use options::Options;
pub use routes::wants_page;
