//! Any bytes as a trace, prompts, a dataset, a record or a flag of a load: read, or refused by
//! name.
#![no_main]

#[path = "../../crates/load/tests/inputs/mod.rs"]
mod inputs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inputs::input(bytes));
