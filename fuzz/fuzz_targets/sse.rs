//! libFuzzer drives [`pacemark_fuzz::sse`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::sse(bytes));
