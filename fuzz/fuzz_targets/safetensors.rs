//! libFuzzer drives [`pacemark_fuzz::safetensors`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::safetensors(bytes));
