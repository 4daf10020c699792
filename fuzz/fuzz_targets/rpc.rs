//! libFuzzer drives [`pacemark_fuzz::rpc`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pacemark_fuzz::rpc(bytes));
