//! Sends requests to an OpenAI-compatible server and stamps what comes back.
//!
//! A load is a shape (so many streams, or arrivals at a rate), a source of prompts and a server.
//! [`run()`] gives raw [`pacemark_record::Request`]s; which figures are made of them is said by
//! [`METRICS`], whose statistics live in `record`. A [`LoadPlan`] is all rows of a load, each of
//! which it makes a trial. Nothing here prints. The client works on one
//! thread that only sends, receives and stamps; prompts are made on another and answers are read on
//! a third.

mod analyse;
pub mod api;
mod arrival;
mod body;
pub mod clock;
mod lengths;
mod limits;
mod metrics;
mod net;
mod numbers;
pub mod plan;
pub mod prompt;
mod random;
mod run;
mod scrape;
pub mod self_test;
mod sweep;
mod target;
mod warnings;

pub use arrival::{Arrival, Arrivals, Rate};
pub use body::Endpoint;
pub use lengths::Lengths;
pub use limits::{LimitError, allow_open_files};
pub use metrics::METRICS;
pub use net::{
    Client, Connections, ConnectorError, Piece, Sending, Timeouts, Trust, TrustError, Whole,
    system_certificates,
};
pub use plan::{Level, LoadPlan};
pub use run::{Bounds, Live, LoadError, Measured, Settings, Shape, Watch, run};
pub use scrape::server_counts;
pub use sweep::{Knee, Point, Sweep};
pub use target::{Target, TargetError};
pub use warnings::{BUSY, warnings};
