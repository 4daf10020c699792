//! libFuzzer drives [`pacemark_fuzz::request`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::request(bytes));
