//! Jobs on disk: a folder each, with `job.json` and what was measured. A job that was under way when the
//! process ended is one that failed, with all that was measured of it.

use crate::job::{Job, Status};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

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
pub enum KeepError {
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
    /// It was another process's when its jobs were to be read: nothing is put beside what was not read.
    is_foreign: AtomicBool,
}

impl Kept {
    /// That folder, which is not made before there is something to keep.
    pub(crate) fn at(folder: &Path) -> Kept {
        Kept {
            folder: folder.to_owned(),
            lock: Mutex::default(),
            is_foreign: AtomicBool::new(false),
        }
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
        if self.is_foreign.load(Relaxed) {
            return Err(KeepError::Taken { path: self.folder.clone() });
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
    /// is another process's.
    pub(crate) fn load(
        &self,
        mut warn: impl FnMut(String),
    ) -> Result<BTreeMap<String, Job>, KeepError> {
        let mut jobs = BTreeMap::new();
        if !self.folder.is_dir() {
            return Ok(jobs);
        }
        match self.take() {
            Err(error @ KeepError::Taken { .. }) => {
                self.is_foreign.store(true, Relaxed);
                warn(error.to_string());
                return Ok(jobs);
            }
            taken => taken?,
        }
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
        for job in jobs.values_mut().filter(|job| job.status == Status::Running) {
            job.status = Status::Failed;
            job.error = Some(CUT_OFF.to_owned());
            self.save(job)?;
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
        assert!(kept.load(|why| panic!("{why}")).unwrap().is_empty() && !folder.exists());
        for (id, status) in
            [("a", Status::Queued), ("b", Status::Running), ("c", Status::Completed)]
        {
            kept.save(&job(id, status)).unwrap();
        }
        let other = Kept::at(&folder);
        let mut told = Vec::new();
        assert!(other.load(|why| told.push(why)).unwrap().is_empty());
        assert!(told[0].contains("another server's"), "{told:?}");
        assert!(matches!(other.save(&job("d", Status::Queued)), Err(KeepError::Taken { .. })));
        drop(kept);
        // It has not read what is there.
        assert!(matches!(other.save(&job("d", Status::Queued)), Err(KeepError::Taken { .. })));

        std::fs::create_dir_all(folder.join("torn")).unwrap();
        std::fs::write(folder.join("torn").join(FILE), "{\"id\": ").unwrap();
        std::fs::create_dir_all(folder.join("strange")).unwrap();
        let strange = serde_json::to_vec(&job("elsewhere", Status::Queued)).unwrap();
        std::fs::write(folder.join("strange").join(FILE), strange).unwrap();
        let mut told = Vec::new();
        let jobs = Kept::at(&folder).load(|why| told.push(why)).unwrap();
        let statuses: Vec<Status> = jobs.values().map(|job| job.status).collect();
        assert_eq!(statuses, [Status::Queued, Status::Failed, Status::Completed]);
        assert_eq!(jobs["b"].error.as_deref(), Some(CUT_OFF));
        assert_eq!(told.len(), 2, "{told:?}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
