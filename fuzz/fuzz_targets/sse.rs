//! Any bytes are an event stream, and give the same events however they are split.
#![no_main]

#[path = "../../crates/openai-api/tests/inputs/mod.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::sse(bytes));
