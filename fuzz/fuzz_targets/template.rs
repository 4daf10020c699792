//! libFuzzer drives [`pacemark_fuzz::template`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::template(bytes));
