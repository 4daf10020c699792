//! The `pacemark` binary.
fn main() {}
