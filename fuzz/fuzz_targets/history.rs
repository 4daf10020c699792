//! libFuzzer drives [`pacemark_fuzz::history`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::history(bytes));
