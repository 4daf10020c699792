//! libFuzzer drives [`pacemark_fuzz::tokenizer_json`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::tokenizer_json(bytes));
