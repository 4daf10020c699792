//! libFuzzer drives [`pacemark_fuzz::config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::config(bytes));
