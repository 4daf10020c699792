//! `pacemark load` through the real binary, against a scripted server: `answers` good and bad,
//! `connections` that close, the `sources` of prompts and times, the `secure` kind of connection,
//! and the `terminal`.

mod answers;
#[path = "../binary/mod.rs"]
mod binary;
mod connections;
mod scripted;
mod secure;
mod several;
mod sources;
#[cfg(unix)]
mod terminal;
#[cfg(target_os = "linux")]
mod workers;
