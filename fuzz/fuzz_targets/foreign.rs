//! libFuzzer drives [`pacemark_fuzz::foreign`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::foreign(bytes));
