//! libFuzzer drives [`pacemark_fuzz::yaml`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::yaml(bytes));
