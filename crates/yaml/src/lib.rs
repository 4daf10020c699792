//! Files that people write by hand: YAML as a tree with lines, and typed reading of it.
//!
//! [`parse()`] makes a [`Node`] tree of one document under bounds of size, depth and number of
//! values, so that no file takes more than it says. [`read`] walks it through [`Table`]s and
//! [`Item`]s, which keep every mistake with its line and its keys: a file is refused once, with all
//! that is wrong in it, unknown keys and repeated ones among it. What the keys mean is left to
//! whoever reads the file.
//!
//! ```
//! let text = "latency:\n  test_runs: 10\n  lengths: [128, 512]\n  warmup_run: 3\n";
//! let found = pacemark_yaml::read("suite.yaml", text, |file| {
//!     let latency = file.table("latency")?;
//!     let found = (latency.count("test_runs"), latency.counts("lengths"));
//!     let warmup_runs = latency.count("warmup_runs").unwrap_or(1);
//!     latency.finish();
//!     file.finish();
//!     Some((found, warmup_runs))
//! });
//! assert_eq!(
//!     found.unwrap_err().to_string(),
//!     "suite.yaml:4: latency.warmup_run: unknown key, did you mean warmup_runs?"
//! );
//! ```

mod mistakes;
mod node;
mod parse;
mod table;

pub use mistakes::{Mistake, YamlError};
pub use node::{Entry, Node, Value};
pub use parse::{LARGEST, MOST_VALUES, parse};
pub use table::{Item, Table, read, read_tree};
