//! What stands at an output's path, and so how it is written.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// Links that are followed; the systems' own limit.
const MAX_LINKS: usize = 40;

/// How a path is written.
pub(super) enum Place {
    /// As it stands.
    Through(File),
    /// By a file that takes the name `target`, from which `older` has it now.
    File {
        /// With links followed.
        target: PathBuf,
        /// What is there.
        older: Option<Metadata>,
    },
}

/// Finds out.
pub(super) fn of(path: &Path) -> io::Result<Place> {
    if path.as_os_str().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "its name is empty"));
    }
    let (target, older) = follow(path)?;
    match older {
        Some(about) if about.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ if is_descriptor(&target) => descriptor(&target).map(Place::Through),
        Some(about) if !about.is_file() => {
            File::options().write(true).open(&target).map(Place::Through)
        }
        older => Ok(Place::File { target, older }),
    }
}

/// The path of the file that links from `path` lead to, whether it exists or not.
pub fn resolved(path: &Path) -> io::Result<PathBuf> {
    follow(path).map(|(target, _)| target)
}

/// Follows links up to a descriptor: where that leads is no name, though it reads like one.
fn follow(path: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        if is_descriptor(&target) {
            return Ok((target, None));
        }
        match fs::symlink_metadata(&target) {
            Ok(about) if about.is_symlink() => {
                let to = fs::read_link(&target)?;
                target = target.parent().unwrap_or(Path::new("")).join(to);
            }
            Ok(about) => return Ok((target, Some(about))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((target, None)),
            Err(error) => return Err(error),
        }
    }
    // The system has a word for this, and says it.
    fs::metadata(path).map(|about| (target, Some(about)))
}

/// Whether `path` is an entry of a directory of open descriptors: `/dev/fd/N`, `/proc/self/fd/N`.
fn is_descriptor(path: &Path) -> bool {
    let number = path
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.parse::<u32>().is_ok());
    let directory = path
        .parent()
        .filter(|_| number && cfg!(unix))
        .and_then(|parent| parent.canonicalize().ok());
    directory.is_some_and(|directory| {
        let in_proc = directory.starts_with("/proc")
            && directory.file_name().is_some_and(|name| name == "fd");
        in_proc || directory == Path::new("/dev/fd")
    })
}

/// The open file behind a descriptor's name. Opened anew it would be written from its beginning,
/// over what is there, so our own are shared, and others appended to.
fn descriptor(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        if is_own(path, "1") {
            return io::stdout().as_fd().try_clone_to_owned().map(File::from);
        }
        if is_own(path, "2") {
            return io::stderr().as_fd().try_clone_to_owned().map(File::from);
        }
    }
    File::options().append(true).open(path)
}

/// Whether `path` is this process's descriptor of that number.
fn is_own(path: &Path, number: &str) -> bool {
    let own = ["/dev/fd", "/proc/self/fd"].map(|own| Path::new(own).canonicalize().ok());
    let directory = path.parent().and_then(|parent| parent.canonicalize().ok());
    path.file_name().is_some_and(|name| name == number)
        && directory.is_some()
        && own.contains(&directory)
}

/// Whether `path` is a name of standard output, such as `/dev/stdout`.
pub fn is_stdout(path: &Path) -> bool {
    resolved(path).is_ok_and(|target| is_descriptor(&target) && is_own(&target, "1"))
}
