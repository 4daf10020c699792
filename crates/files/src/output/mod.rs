//! The one way in which a file is written: whole or not at all, in the place of nothing but an
//! older one.
//!
//! Where a regular file is, or nothing, the bytes go to a new file beside it that takes its name
//! when it is complete, with the older one's mode and owner; a failure leaves the older one as it
//! was. What is no regular file (a device, a FIFO, an open descriptor such as `/dev/stdout`) is
//! written to as it stands. Links are followed: the file at their end is replaced, they stay.

mod place;

use crate::excerpt;
use crate::temporary::TemporaryFile;
use place::Place;
pub use place::{is_stdout, resolved};
use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Why an output was not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", excerpt(&path.to_string_lossy()))]
pub struct OutputError {
    /// As it was named.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

/// A file in the making. Without [`Output::finish`] nothing has happened to what was there.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    /// The file to be, if one is to be replaced or made.
    replaces: Option<Replaces>,
    written: u64,
}

#[derive(Debug)]
struct Replaces {
    temporary: TemporaryFile,
    /// What gets the bytes: `path` with all links followed.
    target: PathBuf,
}

impl Output {
    /// Makes sure that `path` can be written. A FIFO waits here for its reader, as it does for
    /// every program.
    pub fn create(path: &Path) -> Result<Output, OutputError> {
        let failed = |source| OutputError { path: path.to_owned(), source };
        let (file, replaces) = match place::of(path).map_err(failed)? {
            Place::Through(file) => (file, None),
            Place::File { target, older } => {
                let (temporary, file) = beside(&target, older.as_ref()).map_err(failed)?;
                (file, Some(Replaces { temporary, target }))
            }
        };
        Ok(Output { path: path.to_owned(), file: BufWriter::new(file), replaces, written: 0 })
    }

    /// It takes the place of a file, or makes one: it may be written again and again, each time
    /// whole. What goes through a device or a FIFO is written once.
    pub fn replaces(&self) -> bool {
        self.replaces.is_some()
    }

    /// Writes all of it and finishes.
    pub fn write_whole(mut self, bytes: &[u8]) -> Result<u64, OutputError> {
        match self.write_all(bytes) {
            Ok(()) => self.finish(),
            Err(source) => Err(OutputError { path: self.path, source }),
        }
    }

    /// Brings the bytes to the disk and gives the file its name. Tells how many there were.
    pub fn finish(self) -> Result<u64, OutputError> {
        let Output { path, file, replaces, written } = self;
        let failed = |source| OutputError { path: path.clone(), source: told(source) };
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        let Some(Replaces { temporary, target }) = replaces else { return Ok(written) };
        file.sync_all().map_err(failed)?;
        drop(file);
        match temporary.rename(&target) {
            Ok(()) => {}
            // The file is a mount point of its own, as containers have them: no other can take its
            // place. Its bytes are all there, so only now does the older file go.
            Err((temporary, error)) if is_mount_point(&error) => {
                overwrite(temporary.path(), &target).map_err(failed)?
            }
            Err((_, error)) => return Err(failed(error)),
        }
        // The name too is to outlast a power cut; some file systems cannot be asked for that.
        if let Some(directory) = target.parent() {
            let _ = File::open(directory).and_then(|directory| directory.sync_all());
        }
        Ok(written)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes).map_err(told)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(told)
    }
}

/// Writes a whole file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<u64, OutputError> {
    Output::create(path)?.write_whole(bytes)
}

/// A reader of ours that goes away ends a program quietly where it read standard output; who was to
/// get a file is told.
fn told(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::other("its reader has gone (broken pipe)"),
        _ => error,
    }
}

/// A new file that can take the place of `target`, which is opened to be sure that it may be
/// written.
fn beside(target: &Path, older: Option<&Metadata>) -> io::Result<(TemporaryFile, File)> {
    if older.is_some() {
        File::options().write(true).open(target)?;
    }
    let directory = target.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let made = TemporaryFile::new_in(directory);
    let (temporary, file) = made.map_err(|error| match older {
        // In its own place it could not be replaced as a whole, and a failure would cost what is
        // there.
        Some(_) => io::Error::new(
            error.kind(),
            format!("its directory takes no new file, and so cannot hold both until the new one is whole: {error}"),
        ),
        None => error,
    })?;
    if let Some(older) = older {
        keep(&file, older)?;
    }
    Ok((temporary, file))
}

/// Gives `file` mode and owner of an older one. Where only root may set that owner, the new file is
/// ours.
fn keep(file: &File, older: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let ours = file.metadata()?;
        if (ours.uid(), ours.gid()) != (older.uid(), older.gid()) {
            let _ = fchown(file, Some(older.uid()), Some(older.gid()));
        }
    }
    // After the owner, whose change takes set-user bits away.
    file.set_permissions(older.permissions())
}

fn is_mount_point(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices)
}

fn overwrite(from: &Path, to: &Path) -> io::Result<()> {
    let mut whole = File::open(from)?;
    let mut file = File::options().write(true).truncate(true).open(to)?;
    io::copy(&mut whole, &mut file)?;
    file.sync_all()
}
