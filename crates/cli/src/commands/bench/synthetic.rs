//! Synthetic models for backends that read files only: written to the cache for the run, and
//! removed after it.
//!
//! All backends of the run then read that file, so that they are compared on the same bytes from
//! the same place.

use crate::commands::models::synth::write_file;
use crate::hub::{Cache, HubError};
use anyhow::Result;
use indicatif::DecimalBytes;
use pacemark_backends::find;
use pacemark_files::TemporaryFile;
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::synth::PREFIX;
use pacemark_record::Trial;
use std::collections::HashMap;
use std::path::PathBuf;

/// Puts a file in the place of each synthetic model of `paths` that a backend needs one of. They
/// live as long as the result.
pub(crate) fn write_needed(
    backends: &[String],
    paths: &mut HashMap<String, PathBuf>,
    cache: impl Fn() -> Result<Cache, HubError>,
) -> Result<Vec<TemporaryFile>> {
    let Some(reader) =
        backends.iter().find(|name| find(name).is_some_and(|entry| entry.files_only))
    else {
        return Ok(Vec::new());
    };
    let mut written = Vec::new();
    for (model, path) in paths.iter_mut().filter(|(model, _)| model.starts_with(PREFIX)) {
        let file = write(model, reader, &cache()?, written.len())?;
        *path = file.path().to_owned();
        written.push(file);
    }
    Ok(written)
}

fn write(model: &str, reader: &str, cache: &Cache, number: usize) -> Result<TemporaryFile> {
    let directory = cache.models();
    std::fs::create_dir_all(directory)
        .map_err(|e| HubError::file(e, "create the model cache", directory))?;
    // A name that lists of the cache pass over.
    let path = directory.join(format!(".synthetic-{}-{number}.gguf", std::process::id()));
    let made = ModelFile::open(model)?;
    let size = DecimalBytes(made.n_bytes());
    eprintln!(
        "{reader} reads files only: writing {model} ({size}) to {}, to be removed afterwards",
        path.display()
    );
    let file = TemporaryFile::at(path);
    write_file(&made, file.path())?;
    Ok(file)
}

/// Names what was measured as the user did, not by a file that is gone.
pub(super) fn restore_name(model: &str, trials: &mut [Trial]) {
    if model.starts_with(PREFIX) {
        trials.iter_mut().for_each(|trial| trial.model.path = model.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Directory;

    const TINY: &str = r#"synth:{"architecture": "llama", "n_embd": 64, "n_ff": 64, "n_layers": 1, "n_heads": 2, "n_vocab": 300}:Q8_0"#;

    fn paths() -> HashMap<String, PathBuf> {
        [(TINY, TINY), ("a.gguf", "/a.gguf")]
            .map(|(model, path)| (model.to_owned(), path.into()))
            .into()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn the_file_is_there_while_it_is_needed() {
        let home = Directory::new("synthetic");
        let cache = Cache::at(&home);
        let mut paths = paths();
        let written =
            write_needed(&names(&["native", "llama-cpp"]), &mut paths, || Ok(cache.clone()))
                .unwrap();
        let (file, made) = (ModelFile::open(&paths[TINY]).unwrap(), ModelFile::open(TINY).unwrap());
        assert_eq!((file.metadata(), file.n_bytes()), (made.metadata(), made.n_bytes()));
        assert_eq!(paths["a.gguf"], PathBuf::from("/a.gguf"));
        assert!(cache.files().unwrap().is_empty(), "it is no model of the cache");
        drop(written);
        assert_eq!(std::fs::read_dir(cache.models()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_written_for_backends_that_make_it_in_memory() {
        let mut paths = paths();
        let written =
            write_needed(&names(&["native"]), &mut paths, || panic!("no cache is needed")).unwrap();
        assert!(written.is_empty());
        assert_eq!(paths[TINY].to_str(), Some(TINY));
    }

    #[test]
    fn failures_leave_nothing() {
        let home = Directory::new("synthetic-fails");
        let cache = Cache::at(&home);
        let both = names(&["llama-cpp"]);
        let mut unknown: HashMap<String, PathBuf> =
            [("synth:nope".to_owned(), "synth:nope".into())].into();
        let error =
            write_needed(&both, &mut unknown, || Ok(cache.clone())).map(|_| ()).unwrap_err();
        assert!(format!("{error:#}").contains("expected one of smollm2-135m"), "{error:#}");
        assert_eq!(std::fs::read_dir(cache.models()).unwrap().count(), 0);
        std::fs::remove_dir(cache.models()).unwrap();
        std::fs::write(cache.models(), "a file where the directory should be").unwrap();
        let error =
            write_needed(&both, &mut paths(), || Ok(cache.clone())).map(|_| ()).unwrap_err();
        assert!(format!("{error:#}").contains("set PACEMARK_HOME"), "{error:#}");
    }
}
