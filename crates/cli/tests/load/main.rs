//! `pacemark load` through the real binary, against a scripted server: `answers` good and bad, the `sources` of prompts and
//! times, and the `terminal`.

mod answers;
mod scripted;
mod sources;
#[cfg(unix)]
mod terminal;
