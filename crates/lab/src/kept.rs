//! Jobs on disk: a folder each, with `job.json` and what was measured. A job that was under way when the
//! process ended is one that failed, with all that was measured of it.

use crate::job::{Job, Status};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A job's file.
const FILE: &str = "job.json";
/// Held by who has the folder.
const LOCK: &str = "lock";
/// Why a job that was under way is over.
pub(crate) const CUT_OFF: &str =
    "the server ended while it was measured; what was measured is kept";
/// Longest `job.json` that is read: its settings are bounded.
const LONGEST: u64 = 1 << 20;

/// Why jobs cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// The folder cannot be read or made.
    #[error("{}: {source}", .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is another process's.
    #[error("{}: the jobs there are another server's; --jobs-dir names another folder", .path.display())]
    Taken {
        /// Which.
        path: PathBuf,
    },
    /// What is there was not read when the server was started: nothing is put beside it.
    #[error("{why}; a server that is started when that is mended takes jobs again")]
    Unread {
        /// Why not.
        why: String,
    },
    /// A job's file cannot be written.
    #[error("{}: {source}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: pacemark_files::OutputError,
    },
}

/// The folder of jobs: this process's alone once it has been taken.
pub(crate) struct Kept {
    folder: PathBuf,
    lock: Mutex<Option<File>>,
    /// Why its jobs could not be read.
    unread: OnceLock<String>,
}

impl Kept {
    /// That folder, which is not made before there is something to keep.
    pub(crate) fn at(folder: &Path) -> Kept {
        Kept { folder: folder.to_owned(), lock: Mutex::default(), unread: OnceLock::new() }
    }

    /// Where a job has what was measured.
    pub(crate) fn folder_of(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Takes the folder, if it is not taken yet.
    fn take(&self) -> Result<(), KeepError> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            return Ok(());
        }
        if let Some(why) = self.unread.get() {
            return Err(KeepError::Unread { why: why.clone() });
        }
        let wrong = |source| KeepError::Folder { path: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(wrong)?;
        let file = File::create(self.folder.join(LOCK)).map_err(wrong)?;
        file.try_lock().map_err(|_| KeepError::Taken { path: self.folder.clone() })?;
        *lock = Some(file);
        Ok(())
    }

    /// Keeps a job as it stands.
    pub(crate) fn save(&self, job: &Job) -> Result<(), KeepError> {
        self.take()?;
        let own = self.folder_of(&job.id);
        let wrong = |source| KeepError::Folder { path: own.clone(), source };
        std::fs::create_dir_all(&own).map_err(wrong)?;
        let path = own.join(FILE);
        let text = serde_json::to_vec_pretty(job).map_err(|error| wrong(error.into()))?;
        match pacemark_files::write(&path, &text) {
            Ok(_) => Ok(()),
            Err(source) => Err(KeepError::Write { path, source }),
        }
    }

    /// All jobs, by their ids; what cannot be read is told to `warn`, and stays. None where the folder
    /// cannot be taken or read, and then none is kept there.
    pub(crate) fn load(&self, warn: &mut dyn FnMut(String)) -> BTreeMap<String, Job> {
        let is_new = std::fs::metadata(&self.folder).is_err_and(|e| e.kind() == NotFound);
        if is_new {
            return BTreeMap::new();
        }
        let mut jobs = match self.take().and_then(|()| self.read(warn)) {
            Ok(jobs) => jobs,
            Err(error) => {
                let why = self.unread.get_or_init(|| error.to_string());
                warn(why.clone());
                return BTreeMap::new();
            }
        };
        for job in jobs.values_mut().filter(|job| job.status == Status::Running) {
            job.status = Status::Failed;
            job.error = Some(CUT_OFF.to_owned());
            if let Err(error) = self.save(job) {
                warn(error.to_string());
            }
        }
        jobs
    }

    fn read(&self, warn: &mut dyn FnMut(String)) -> Result<BTreeMap<String, Job>, KeepError> {
        let mut jobs = BTreeMap::new();
        let wrong = |source| KeepError::Folder { path: self.folder.clone(), source };
        for entry in std::fs::read_dir(&self.folder).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path().join(FILE);
            if !path.is_file() {
                continue;
            }
            match read(&path) {
                Ok(job) => drop(jobs.insert(job.id.clone(), job)),
                Err(why) => warn(format!("{}: {why}", path.display())),
            }
        }
        Ok(jobs)
    }
}

fn read(path: &Path) -> Result<Job, String> {
    let n = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if n > LONGEST {
        return Err(format!("expected {LONGEST} bytes at most, found {n}"));
    }
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let job: Job = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let own = path.parent().and_then(Path::file_name);
    match own.is_some_and(|own| own == job.id.as_str()) {
        true => Ok(job),
        false => Err("it is not of this folder".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{TestType, Wanted};

    fn job(id: &str, status: Status) -> Job {
        Job {
            id: id.into(),
            status,
            request: Wanted {
                model_name: "m".into(),
                test_types: vec![TestType::Memory],
                settings: serde_json::Map::new(),
                name: None,
            },
            created_at: 5,
            started_at: None,
            finished_at: None,
            progress: None,
            waits_for: None,
            error: None,
        }
    }

    #[test]
    fn jobs_come_back_and_what_was_under_way_has_failed() {
        let folder = std::env::temp_dir().join(format!("pacemark-kept-{}", std::process::id()));
        let kept = Kept::at(&folder);
        assert!(kept.load(&mut |why| panic!("{why}")).is_empty() && !folder.exists());
        for (id, status) in
            [("a", Status::Queued), ("b", Status::Running), ("c", Status::Completed)]
        {
            kept.save(&job(id, status)).unwrap();
        }
        let other = Kept::at(&folder);
        let mut told = Vec::new();
        assert!(other.load(&mut |why| told.push(why)).is_empty());
        assert!(told[0].contains("another server's"), "{told:?}");
        drop(kept);
        // It has not read what is there.
        let unkept = other.save(&job("d", Status::Queued)).unwrap_err();
        assert!(unkept.to_string().contains("another server's"), "{unkept}");

        std::fs::create_dir_all(folder.join("torn")).unwrap();
        std::fs::write(folder.join("torn").join(FILE), "{\"id\": ").unwrap();
        std::fs::create_dir_all(folder.join("strange")).unwrap();
        let strange = serde_json::to_vec(&job("elsewhere", Status::Queued)).unwrap();
        std::fs::write(folder.join("strange").join(FILE), strange).unwrap();
        let mut told = Vec::new();
        let jobs = Kept::at(&folder).load(&mut |why| told.push(why));
        let statuses: Vec<Status> = jobs.values().map(|job| job.status).collect();
        assert_eq!(statuses, [Status::Queued, Status::Failed, Status::Completed]);
        assert_eq!(jobs["b"].error.as_deref(), Some(CUT_OFF));
        assert_eq!(told.len(), 2, "{told:?}");
        let file = Kept::at(&folder.join("torn").join(FILE));
        let mut told = Vec::new();
        assert!(file.load(&mut |why| told.push(why)).is_empty() && told.len() == 1, "{told:?}");
        assert!(matches!(file.save(&job("d", Status::Queued)), Err(KeepError::Unread { .. })));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
