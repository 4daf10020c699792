//! Whether a file is there: yes, no, or a reason why that cannot be said.
//!
//! `Path::exists` and its kin answer "no" where a directory may not be searched, a link leads in a
//! circle or a name is too long, so that a model that may not be read was "unknown". Here only a
//! name that nothing has is absent.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

/// What is at `path`, links followed; `None` where there is nothing. A link that leads nowhere is
/// an error: somebody made it for a file that ought to be there.
pub fn at(path: &Path) -> io::Result<Option<Metadata>> {
    absent_or(path, fs::metadata(path))
}

/// The open file at `path`; `None` as for [`at`].
pub fn open(path: &Path) -> io::Result<Option<File>> {
    absent_or(path, File::open(path))
}

fn absent_or<T>(path: &Path, found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() =>
        {
            Ok(None)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(io::Error::new(error.kind(), "it is a link to something that is not there"))
        }
        other => other.map(Some),
    }
}

/// Whether both names lead to the same file: by the system's own number of it, so through links of
/// either kind.
pub fn is_same(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let number = |path: &Path| fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
        number(a).is_some_and(|a| number(b) == Some(a))
    }
    #[cfg(not(unix))]
    a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_what_is_not_there_is_absent() {
        let directory = std::env::temp_dir().join(format!("pacemark-look-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let name = |name: &str| directory.join(name);
        assert!(at(&name("no")).unwrap().is_none() && open(&name("no/further")).unwrap().is_none());
        fs::write(name("file"), "x").unwrap();
        assert!(at(&name("file")).unwrap().unwrap().is_file());
        symlink("loop", name("loop")).unwrap();
        symlink("nowhere", name("dangling")).unwrap();
        let kind = |path: &str| at(&name(path)).unwrap_err().kind();
        assert_eq!(kind("file/below"), io::ErrorKind::NotADirectory);
        assert_eq!(kind("dangling"), io::ErrorKind::NotFound);
        // Both are what `Path::exists` calls absent.
        let long = "x".repeat(300);
        for odd in ["loop", "loop/config.json", &long] {
            assert!(
                !name(odd).exists() && at(&name(odd)).is_err() && open(&name(odd)).is_err(),
                "{odd}"
            );
        }
        symlink("file", name("link")).unwrap();
        fs::hard_link(name("file"), name("hard")).unwrap();
        assert!(is_same(&name("file"), &name("link")) && is_same(&name("hard"), &name("link")));
        fs::write(name("other"), "x").unwrap();
        assert!(!is_same(&name("file"), &name("other")) && !is_same(&name("no"), &name("no")));
        fs::remove_dir_all(&directory).unwrap();
    }
}
