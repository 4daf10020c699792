//! libFuzzer drives [`pacemark_fuzz::load`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::load(bytes));
