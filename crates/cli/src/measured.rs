//! Measurements that were saved: records of ours, runs of the history, and results of other tools.

use crate::exit::UsageError;
use crate::{history, input};
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
    let kept = format!(
        "\n  {:12} latest, latest~N or the first digits of an id (a file of that name comes first)",
        "history"
    );
    format!("What can be read:{ours}{kept}{}", others.collect::<String>())
}

/// The measurement in a file, whoever made it, or that run of the history.
pub(crate) fn read(path: &Path) -> Result<Source> {
    let name = path.display().to_string();
    if let Some(kept) = kept(path) {
        return Ok(Source { name: format!("run {kept}"), run: history::run(kept)? });
    }
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

/// Whether a file begins as a record of ours does; not how far a suite is, nor its report.
pub(crate) fn is_ours(path: &Path) -> bool {
    input::read_file(path).is_ok_and(|text| is_record(&text))
}

/// A record begins with its schema, also where the rest of it is damaged: its own errors say what is
/// wrong with it. How far a suite is begins so too, and has the suite's file next.
fn is_record(text: &str) -> bool {
    let mut words = text.split('"');
    let has_schema =
        words.next().is_some_and(|head| head.trim() == "{") && words.next() == Some("schema");
    has_schema && words.nth(1) != Some("file")
}

/// The name of a run of the history, where it is no file's.
fn kept(path: &Path) -> Option<&str> {
    let name = path.to_str().filter(|name| history::is_name(name))?;
    matches!(look::at(path), Ok(None)).then_some(name)
}

/// A measurement that is given twice would be compared with itself.
pub(crate) fn once(paths: &[&PathBuf]) -> Result<()> {
    let mut ids = Vec::new();
    for (i, path) in paths.iter().enumerate() {
        let id = kept(path).map(history::id).transpose()?;
        let is_there = id.is_some() && ids.contains(&id);
        if is_there || paths[..i].iter().any(|other| look::is_same(other, path)) {
            return Err(UsageError(format!("{} is given twice", path.display())).into());
        }
        ids.push(id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_told_from_how_far_a_suite_is() {
        for record in [
            "{\n  \"schema\": 2,\n  \"command\": [\"file\"]}",
            "{\"schema\": 99, \"trials\": []}",
            "{\"schema\": 2",
        ] {
            assert!(is_record(record), "{record}");
        }
        let suite = "{\n  \"schema\": 1,\n  \"file\": \"suite.yaml\"}";
        for other in [suite, "", "[]", "{\"model_name\": \"schema\"}"] {
            assert!(!is_record(other), "{other}");
        }
    }
}
