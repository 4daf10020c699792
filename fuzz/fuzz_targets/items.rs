//! libFuzzer drives [`pacemark_fuzz::items`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::items(bytes));
