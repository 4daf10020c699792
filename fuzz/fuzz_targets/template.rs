//! Any chat template ends, with a prompt or an error, whatever the messages.
#![no_main]

#[path = "../../crates/tokenizer/tests/inputs/mod.rs"]
#[allow(dead_code)]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::template(bytes));
