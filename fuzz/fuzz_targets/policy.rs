//! libFuzzer drives [`pacemark_fuzz::policy`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::policy(bytes));
