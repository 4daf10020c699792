//! Whether a file that a hub sent is what its name says, and not the page of a proxy, an error or a
//! part of it.

use crate::error::{HubError, Result};
use pacemark_modelfile::{ModelFileError, foreign, gguf};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes that tell what a file is.
const START: u64 = 4096;

/// What is wrong with the file at `path`, if it is to be `name`; a GGUF file must be whole. What
/// else a model file may hold is not looked into: also one that this version cannot run is worth
/// keeping.
pub(crate) fn wrong(path: &Path, name: &str) -> Result<Option<String>> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(START).read_to_end(&mut start));
    read.map_err(|e| HubError::file(e, "read", path))?;
    let is_lfs = start.starts_with(b"version https://git-lfs");
    let ending = name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_lowercase());
    Ok(match &*ending {
        "gguf" => match gguf::check_whole(path) {
            Ok(()) => None,
            Err(ModelFileError::Invalid { found, .. }) => Some(found),
            Err(ModelFileError::CutShort { .. }) => Some("only the beginning of the model".into()),
            Err(error) => return Err(error.into()),
        },
        "safetensors" if start.get(8) != Some(&b'{') => {
            Some(foreign(&start).unwrap_or_else(|| "no safetensors file".into()))
        }
        "html" | "htm" | "xml" | "svg" | "xhtml" => None,
        // JSON and texts of any kind may be anything but a page, and anything may be empty that is
        // no model.
        _ if is_lfs || start.trim_ascii_start().starts_with(b"<") => foreign(&start),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Directory;
    use pacemark_modelfile::{DType, Metadata, TensorInfo, write_gguf};

    #[test]
    fn only_what_the_name_says() {
        let home = Directory::new("content");
        let path = home.join("f");
        let tensor = TensorInfo::new("t", [32], DType::F32);
        let model = write_gguf(Vec::new(), &Metadata::new(), &[(tensor, vec![0; 128])]).unwrap();
        let mut odd = model.clone();
        odd[4] = 9; // a version to come
        let lfs = b"version https://git-lfs.github.com/spec/v1\n";
        let cases: [(&[u8], &str, Option<&str>); 13] = [
            (&model, "m.gguf", None),
            (&odd, "m.gguf", None),
            (&model[..model.len() - 1], "m.gguf", Some("only the beginning")),
            (&model[..30], "M.GGUF", Some("only the beginning")),
            (b"", "m.gguf", Some("an empty file")),
            (b"<html>", "m.gguf", Some("an HTML page")),
            (b"{\"error\": 1}", "m.gguf", Some("JSON in place")),
            (lfs, "m.gguf", Some("a Git LFS pointer")),
            (lfs, "tokenizer.json", Some("a Git LFS pointer")),
            (b"<html>", "config.json", Some("an HTML page")),
            (b"{\"error\": 1}", "model.safetensors", Some("JSON in place")),
            (b"{\"a\": 1}", "config.json", None),
            (b"<html>", "page.html", None),
        ];
        for (bytes, name, says) in cases {
            std::fs::write(&path, bytes).unwrap();
            let found = wrong(&path, name).unwrap();
            assert_eq!(found.is_some(), says.is_some(), "{name}: {found:?}");
            assert!(
                found.is_none_or(|found| found.starts_with(says.unwrap_or_default())),
                "{name}"
            );
        }
        assert!(wrong(&home.join("absent"), "m.gguf").is_err());
    }
}
