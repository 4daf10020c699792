//! Names of hub files, and what a pull does with what it finds in the cache.

use super::*;
use crate::testing::{Directory, Quiet, Server, response};
use pacemark_modelfile::{DType, Metadata, TensorInfo, write_gguf};
use std::path::Path;

#[test]
fn names_are_read_and_written() {
    let file = HubFile::parse("org/repo/sub/m 1.gguf@refs/pr/7").unwrap();
    assert_eq!(file.url_path(), "/org/repo/resolve/refs%2Fpr%2F7/sub/m%201.gguf");
    assert_eq!(file.to_string(), "hf:org/repo/sub/m 1.gguf@refs/pr/7");
    let cache = Cache::at(Path::new("/h"));
    assert_eq!(
        file.cache_path(&cache),
        Path::new("/h/models/hf/org/repo/refs%2Fpr%2F7/sub/m 1.gguf")
    );
    assert_eq!(name_in_cache("org/repo/refs%2Fpr%2F7/sub/m 1.gguf").unwrap(), file.to_string());
    assert_eq!(HubFile::parse("o/r/f").unwrap().to_string(), "hf:o/r/f");
    assert_eq!(name_in_cache("o/r/main/f").unwrap(), "hf:o/r/f");
}

#[test]
fn names_that_lead_elsewhere_are_usage_errors() {
    for text in [
        "",
        "o",
        "o/r",
        "o/r/",
        "o//f",
        "o/r/../../x",
        "../r/f",
        "o/r/f@",
        "o/r/f@../x",
        "o/r/.f",
        "o/r/a\\b",
        "o/r/a\nb",
    ] {
        let error = HubFile::parse(text).unwrap_err();
        assert!(
            matches!(error, HubError::Name(_))
                && error.to_string().contains("hf:ORG/REPO/FILE[@REV]"),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn the_first_part_stands_for_all() {
    let parts = HubFile::parse("o/r/m-00001-of-00003.gguf").unwrap().parts();
    let names: Vec<_> = parts.iter().map(|part| part.file.as_str()).collect();
    assert_eq!(names, ["m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"]);
    for single in ["m.gguf", "m-00002-of-00003.gguf", "m-00001-of-3.gguf", "m-00001-of-00001.gguf"]
    {
        assert_eq!(HubFile::parse(&format!("o/r/{single}")).unwrap().parts().len(), 1);
    }
}

fn model() -> Vec<u8> {
    let tensor = TensorInfo::new("t", [32], DType::F32);
    write_gguf(Vec::new(), &Metadata::new(), &[(tensor, vec![0; 128])]).unwrap()
}

fn hub(server: &Server, offline: bool) -> Hub<'static> {
    Hub { endpoint: server.url.clone(), token: None, offline, ..Hub::from_env(&Quiet) }
}

/// What an older version kept, or a proxy of that time sent.
#[test]
fn what_is_in_the_cache_and_no_model_is_got_again() {
    let server = Server::start(|_, _| response("200 OK", &[("ETag", "\"t\"")], &model()));
    for bad in [
        b"<html>sign in</html>".to_vec(),
        Vec::new(),
        model()[..60].to_vec(),
        b"version https://git-lfs".to_vec(),
    ] {
        let home = Directory::new("hf-heal");
        let (cache, file) = (Cache::at(&home), HubFile::parse("o/r/m.gguf").unwrap());
        let target = file.cache_path(&cache);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(&target, &bad).unwrap();
        // The same tag as the hub's: it says nothing of what was kept.
        std::fs::write(target.with_file_name(".m.gguf.etag"), "\"t\"\nt\n").unwrap();
        let error = hub(&server, true).pull(&file, &cache, false).unwrap_err().in_full();
        assert!(error.contains("HF_HUB_OFFLINE forbids to get"), "{error}");
        for check in [false, true] {
            hub(&server, false).pull(&file, &cache, check).unwrap();
            assert_eq!(std::fs::read(&target).unwrap(), model());
        }
    }
}

#[test]
fn links_of_the_cache_stay() {
    let server = Server::start(|_, _| response("200 OK", &[], &model()));
    let home = Directory::new("hf-link");
    let (cache, file) = (Cache::at(&home), HubFile::parse("o/r/m.gguf").unwrap());
    let target = file.cache_path(&cache);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    std::fs::create_dir(home.join("disk")).unwrap();
    std::os::unix::fs::symlink(home.join("disk/m.gguf"), &target).unwrap();
    for _ in 0..2 {
        hub(&server, false).pull(&file, &cache, true).unwrap();
        assert!(std::fs::symlink_metadata(&target).unwrap().is_symlink());
        assert_eq!(std::fs::read(home.join("disk/m.gguf")).unwrap(), model());
    }
}

/// Root may read everything, so a link in a circle stands for a directory that may not be searched.
#[test]
fn a_cache_that_cannot_be_looked_into_is_no_empty_one() {
    let server = Server::start(|_, _| response("200 OK", &[], &model()));
    let home = Directory::new("hf-loop");
    std::os::unix::fs::symlink("models", home.join("models")).unwrap();
    let file = HubFile::parse("o/r/m.gguf").unwrap();
    let error = hub(&server, false).pull(&file, &Cache::at(&home), false).unwrap_err().in_full();
    assert!(
        error.contains("look into the model cache") && error.contains("symbolic link"),
        "{error}"
    );
    assert!(server.seen().is_empty());
}
