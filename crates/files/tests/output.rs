//! What an output does to what is there: every kind of thing that a path can name.
#![cfg(unix)]

use pacemark_files::{Output, OutputError, write};
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// An empty directory, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path =
            std::env::temp_dir().join(format!("pacemark-output-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names.into_iter().map(|name| name.into_string().unwrap()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn kind(result: Result<impl Sized, OutputError>) -> io::ErrorKind {
    result.err().expect("this must fail").source.kind()
}

#[test]
fn a_new_file_and_its_successor() {
    let directory = Directory::new("successor");
    let path = directory.path("run.json");
    assert_eq!(write(&path, b"old").unwrap(), 3);
    // As every program's: by the umask.
    assert_eq!(
        mode(&path),
        mode(&{
            let other = directory.path("other");
            File::create(&other).unwrap();
            other
        })
    );
    for wanted in [0o600, 0o640, 0o666, 0o444 | 0o200] {
        fs::set_permissions(&path, Permissions::from_mode(wanted)).unwrap();
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"new").unwrap();
        output.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old", "whole until there is another");
        output.finish().unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"new".to_vec(), wanted));
        write(&path, b"old").unwrap();
    }
    assert_eq!(directory.names(), ["other", "run.json"]);
}

#[test]
fn what_is_given_up_leaves_nothing_and_touches_nothing() {
    let directory = Directory::new("given-up");
    let path = directory.path("run.json");
    drop(Output::create(&path).unwrap());
    assert!(directory.names().is_empty());
    fs::write(&path, "old").unwrap();
    let mut output = Output::create(&path).unwrap();
    output.write_all(&[0; 1 << 20]).unwrap();
    drop(output);
    assert_eq!(
        (directory.names(), fs::read(&path).unwrap()),
        (vec!["run.json".to_owned()], b"old".to_vec())
    );
}

#[test]
fn names_beside_are_not_ours() {
    let directory = Directory::new("beside");
    let taken = format!(".pacemark-{}-", std::process::id());
    let mut names: Vec<String> = (0..200).map(|n| format!("{taken}{n}.tmp")).collect();
    names.extend(["m.gguf.part", "m.gguf.tmp", ".m.gguf.part"].map(str::to_owned));
    names.push(format!("m.gguf.{}.tmp", std::process::id()));
    names.iter().for_each(|name| fs::write(directory.path(name), "mine").unwrap());
    write(&directory.path("m.gguf"), b"new").unwrap();
    names
        .iter()
        .for_each(|name| assert_eq!(fs::read(directory.path(name)).unwrap(), b"mine", "{name}"));
    // The longest name there can be has no room for an ending.
    let long = directory.path(&"x".repeat(255));
    write(&long, b"new").unwrap();
    assert_eq!(directory.names().len(), names.len() + 2);
}

#[test]
fn links_stay_and_what_they_lead_to_is_replaced() {
    let directory = Directory::new("links");
    fs::create_dir(directory.path("far")).unwrap();
    symlink("far/file", directory.path("b")).unwrap();
    symlink("b", directory.path("a")).unwrap();
    for text in [b"one", b"two"] {
        write(&directory.path("a"), text).unwrap(); // at first it leads to nothing
        assert_eq!(fs::read(directory.path("far/file")).unwrap(), text);
    }
    for link in ["a", "b"] {
        assert!(fs::symlink_metadata(directory.path(link)).unwrap().is_symlink());
    }
    // Another name of the same file keeps what it has.
    fs::hard_link(directory.path("far/file"), directory.path("other")).unwrap();
    write(&directory.path("a"), b"six").unwrap();
    assert_eq!(fs::read(directory.path("other")).unwrap(), b"two");
    symlink("loop", directory.path("loop")).unwrap();
    assert_eq!(
        write(&directory.path("loop"), b"").unwrap_err().source.raw_os_error(),
        Some(nix::libc::ELOOP)
    );
}

#[test]
fn a_fifo_is_written_to() {
    let directory = Directory::new("fifo");
    let (path, link) = (directory.path("pipe"), directory.path("link"));
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    symlink("pipe", &link).unwrap();
    for name in [&path, &link] {
        let reader = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut text = String::new();
                File::open(path).unwrap().read_to_string(&mut text).unwrap();
                text
            }
        });
        assert_eq!(write(name, b"record").unwrap(), 6);
        assert_eq!(reader.join().unwrap(), "record");
    }
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
    assert_eq!(directory.names(), ["link", "pipe"]);
}

#[test]
fn a_reader_that_goes_is_a_failure() {
    let directory = Directory::new("gone");
    let path = directory.path("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader = std::thread::spawn({
        let path = path.clone();
        move || drop(File::open(path).unwrap())
    });
    let mut output = Output::create(&path).unwrap();
    reader.join().unwrap();
    // What is small is in the buffer until the end.
    let error = output
        .write_all(&[0; 1 << 16])
        .err()
        .or_else(|| output.finish().err().map(|e| e.source))
        .unwrap();
    assert!(
        error.to_string().contains("reader has gone") && error.kind() != io::ErrorKind::BrokenPipe,
        "{error}"
    );
}

#[test]
fn an_open_descriptor_is_appended_to() {
    let directory = Directory::new("descriptor");
    let path = directory.path("log");
    fs::write(&path, "before ").unwrap();
    let open = File::options().append(true).open(&path).unwrap();
    let number = fs::metadata(&path).unwrap().ino();
    for name in ["/dev/fd", "/proc/self/fd"] {
        write(&Path::new(name).join(open.as_raw_fd().to_string()), b"and after ").unwrap();
    }
    assert_eq!(fs::read(&path).unwrap(), b"before and after and after ");
    assert_eq!(fs::metadata(&path).unwrap().ino(), number);
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is() {
    let directory = Directory::new("refused");
    fs::write(directory.path("file"), "x").unwrap();
    assert_eq!(kind(Output::create(&directory.0)), io::ErrorKind::IsADirectory);
    assert_eq!(kind(Output::create(&directory.path("no/file"))), io::ErrorKind::NotFound);
    assert_eq!(kind(Output::create(&directory.path("file/below"))), io::ErrorKind::NotADirectory);
    assert_eq!(
        kind(Output::create(&directory.path(&"x".repeat(256)))),
        io::ErrorKind::InvalidFilename
    );
    assert_eq!(kind(Output::create(Path::new(""))), io::ErrorKind::InvalidInput);
    let error = Output::create(&directory.path("no/file")).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot write ") && error.to_string().ends_with("no/file"),
        "{error}"
    );
    assert_eq!(directory.names(), ["file"]);
}
