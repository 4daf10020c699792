//! What stands around llama.cpp's RPC protocol, by which a model is spread over machines.
//!
//! llama.cpp's own client ends the process when a worker is lost, never times out, names nobody and
//! counts nothing. So three things stand around it. A [`Client`] asks a worker what it has and
//! measures the way to it, before llama.cpp is let near. [`Relays`] stand in this process between
//! llama.cpp and each worker: they forward bytes as they come, count them, time the workers' turns
//! and say which worker was lost and why. A [`Gate`] stands on a worker's machine before
//! llama.cpp's server: it says who calls, times the worker's own computing, and answers that the
//! worker is alive while it computes.
//!
//! Of llama.cpp's library it knows nothing; it knows the bytes ([`protocol`]). What is done with
//! the figures, what is printed and when a process ends are the callers'.

mod away;
mod bridge;
mod client;
mod conversation;
mod endpoint;
mod error;
mod gate;
mod link;
pub mod protocol;
mod relay;
mod socket;
pub mod testing;
mod usage;

pub use client::{Client, Device};
pub use endpoint::{Endpoint, EndpointError, is_private};
pub use error::RpcError;
pub use gate::{Gate, GateEvent, GateOptions, GateUsage, OnEvent};
pub use link::{Link, Transfer};
pub use relay::{Lost, OnLost, RelayOptions, Relays};
pub use usage::{Usage, WorkerUsage};
