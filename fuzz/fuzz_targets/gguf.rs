//! libFuzzer drives [`pacemark_fuzz::gguf`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::gguf(bytes));
