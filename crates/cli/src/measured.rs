//! Measurements that were saved: records of ours, and results of other tools.

use crate::exit::UsageError;
use crate::input;
use anyhow::{Context, Result, anyhow, bail};
use pacemark_bench::contrast::Source;
use pacemark_files::look;
use pacemark_foreign::READERS;
use pacemark_record::Run;
use std::path::{Path, PathBuf};

/// What can be read, for help.
pub(crate) fn readable() -> String {
    let others = READERS.iter().map(|reader| format!("\n  {:12} {}", reader.name, reader.help));
    let ours = format!("\n  {:12} what --save wrote, and record.json of kv", "Pacemark");
    format!("What can be read:{ours}{}", others.collect::<String>())
}

/// The measurement in a file, whoever made it.
pub(crate) fn read(path: &Path) -> Result<Source> {
    let name = path.display().to_string();
    let text = input::read_file(path)?;
    let run = if is_record(&text) {
        Run::from_json(&text).with_context(|| name.clone())?
    } else {
        let (_, run) = pacemark_foreign::read(&text)
            .map_err(|error| anyhow!("{name}: not a record of Pacemark, and {error}"))?;
        run
    };
    if run.trials.is_empty() {
        bail!("{name}: there is no row in it");
    }
    Ok(Source { name, run })
}

/// A record begins with its schema, also where the rest of it is damaged: its own errors say what is
/// wrong with it.
fn is_record(text: &str) -> bool {
    let mut words = text.split('"');
    words.next().is_some_and(|head| head.trim() == "{") && words.next() == Some("schema")
}

/// A file that is given twice would be compared with itself.
pub(crate) fn once(paths: &[&PathBuf]) -> Result<()> {
    for (i, path) in paths.iter().enumerate() {
        if paths[..i].iter().any(|other| look::is_same(other, path)) {
            return Err(UsageError(format!("{} is given twice", path.display())).into());
        }
    }
    Ok(())
}
