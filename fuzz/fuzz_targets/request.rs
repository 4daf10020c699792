//! Any bytes posted to any route are answered or refused, and never a fault of the server's.
#![no_main]

#[path = "../../crates/server/tests/inputs/mod.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::body(bytes));
