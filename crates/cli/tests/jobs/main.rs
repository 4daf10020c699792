//! Benchmarks over HTTP through the real binary: jobs that are `asked` for, to their results and against
//! wrong bodies, `beside` answers, after the server has `ended`, and by whom they are `reached`.

#![cfg(unix)]

mod asked;
mod beside;
#[path = "../binary/mod.rs"]
mod binary;
mod ended;
mod reached;
mod served;
