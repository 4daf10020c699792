//! Any `tokenizer.json` is refused with a message, or encodes texts to ids that decode again.
#![no_main]

#[path = "../../crates/tokenizer/tests/inputs/mod.rs"]
#[allow(dead_code)]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::directory::tokenizer_json(bytes));
