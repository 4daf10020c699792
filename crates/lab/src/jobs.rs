//! The queue of jobs: one is measured at a time, and none beside answers unless that was asked for. Who
//! waits is told that something has changed; nobody is told what.

use crate::job::{Job, Status, Wanted};
use crate::kept::{CUT_OFF, KeepError, Kept};
use crate::{Results, Runner};
use pacemark_server::annex::{Hold, Serving, Work};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// How often to look whether the server is idle, and how far a job is.
const LOOK: Duration = Duration::from_millis(200);
/// From a job to the next one: who was told to come again after a second (`Retry-After`) finds the server
/// free.
const BETWEEN_JOBS: Duration = Duration::from_secs(3);

/// What of jobs is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Jobs that wait at once.
    pub max_queued: usize,
    /// Jobs are measured while answers are computed too.
    pub beside_answers: bool,
    /// Jobs may be asked for; without it what was measured can be read only.
    pub takes_jobs: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_queued: 100, beside_answers: false, takes_jobs: true }
    }
}

/// All jobs.
pub struct Jobs {
    kept: Kept,
    runner: Arc<dyn Runner>,
    limits: Limits,
    inner: Mutex<Inner>,
    woken: Condvar,
    changes: watch::Sender<u64>,
    next: AtomicU64,
}

#[derive(Default)]
struct Inner {
    /// In the order in which they were asked for.
    jobs: BTreeMap<String, Job>,
    running: Option<Running>,
    /// Answers come first until then.
    not_before: Option<Instant>,
    ended: bool,
}

/// The job that is measured.
#[derive(Clone)]
struct Running {
    id: String,
    /// Ends it.
    stop: Arc<AtomicBool>,
    /// Somebody did not want it any more, before the server ended or not.
    is_cancelled: bool,
}

impl Inner {
    fn queued(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|job| job.status == Status::Queued)
    }
}

/// A job that may be measured now.
struct Begun {
    job: Job,
    /// No answers beside it, unless that was asked for.
    _hold: Option<Hold>,
    /// The server does not end before it has.
    work: Work,
}

/// Why a job was not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uncancelled {
    /// There is none.
    Unknown,
    /// It is over.
    Over(Status),
}

impl Jobs {
    /// The jobs of a folder, which is made where something is to be kept. Those that wait still go on
    /// waiting. Of a folder that cannot be read none are taken; `warn` is told why.
    pub fn open(
        folder: &Path,
        runner: Arc<dyn Runner>,
        limits: Limits,
        mut warn: impl FnMut(String),
    ) -> Jobs {
        let kept = Kept::at(folder);
        let mut jobs = kept.load(&mut warn);
        // How far it was is in what was measured, where nobody lived to write it down.
        let open_ended = |job: &&mut Job| job.status.is_over() && job.progress.is_none();
        for job in jobs.values_mut().filter(open_ended) {
            job.progress = runner.progress(&kept.folder_of(&job.id));
        }
        Jobs {
            kept,
            runner,
            limits,
            inner: Mutex::new(Inner { jobs, ..Inner::default() }),
            woken: Condvar::new(),
            changes: watch::channel(0).0,
            next: AtomicU64::new(0),
        }
    }

    /// What is allowed.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Who measures.
    pub fn runner(&self) -> &dyn Runner {
        &*self.runner
    }

    /// Measures what is asked for until the server ends, on a thread of its own.
    pub(crate) fn work(self: &Arc<Jobs>, serving: Serving) {
        let jobs = Arc::clone(self);
        std::thread::spawn(move || {
            while let Some(begun) = jobs.begin(&serving) {
                jobs.measure(&begun, &serving);
                drop(begun);
            }
        });
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All jobs, the newest first.
    pub fn list(&self) -> Vec<Job> {
        let jobs: Vec<Job> = self.inner().jobs.values().rev().cloned().collect();
        jobs.into_iter().map(|job| self.told(job)).collect()
    }

    /// The job of that name.
    pub fn get(&self, id: &str) -> Option<Job> {
        let job = self.inner().jobs.get(id).cloned();
        job.map(|job| self.told(job))
    }

    /// Whether there is a job of that name.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.inner().jobs.contains_key(id)
    }

    /// A job and how far it is now, which is read from what it has written.
    fn told(&self, mut job: Job) -> Job {
        if job.status.is_over()
            && let Some(progress) = &mut job.progress
        {
            // Nothing is under way any more.
            progress.step = None;
        }
        if job.status == Status::Running {
            job.progress = self.runner.progress(&self.kept.folder_of(&job.id));
        }
        job
    }

    /// Whether nothing more is measured by this process.
    pub(crate) fn is_ended(&self) -> bool {
        self.inner().ended
    }

    /// Hears that something has changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes a job; `None` where too many wait.
    pub(crate) fn submit(&self, request: Wanted) -> Result<Option<Job>, KeepError> {
        let mut inner = self.inner();
        if inner.queued().count() >= self.limits.max_queued {
            return Ok(None);
        }
        let job = Job {
            id: self.new_id(&inner),
            status: Status::Queued,
            request,
            created_at: now_unix_s(),
            started_at: None,
            finished_at: None,
            progress: None,
            waits_for: None,
            error: None,
        };
        self.kept.save(&job)?;
        inner.jobs.insert(job.id.clone(), job.clone());
        drop(inner);
        self.changed();
        Ok(Some(job))
    }

    /// A name after all others'.
    fn new_id(&self, inner: &Inner) -> String {
        loop {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let n = self.next.fetch_add(1, Relaxed);
            let id = format!("{:012x}{:04x}", since.as_millis() as u64, n & 0xffff);
            if !inner.jobs.contains_key(&id) {
                return id;
            }
        }
    }

    /// Ends a job, or has it end soon.
    pub(crate) fn cancel(&self, id: &str) -> Result<Job, Uncancelled> {
        let mut inner = self.inner();
        let Inner { jobs, running, .. } = &mut *inner;
        let job = jobs.get_mut(id).ok_or(Uncancelled::Unknown)?;
        match (job.status, running) {
            (Status::Queued, _) => {
                job.status = Status::Cancelled;
                job.finished_at = Some(now_unix_s());
                job.waits_for = None;
                let job = job.clone();
                self.keep(&job);
                drop(inner);
                self.changed();
                Ok(job)
            }
            (Status::Running, Some(running)) if running.id == id => {
                running.is_cancelled = true;
                running.stop.store(true, Relaxed);
                let job = job.clone();
                drop(inner);
                Ok(self.told(job))
            }
            (status, _) => Err(Uncancelled::Over(status)),
        }
    }

    /// What was measured of a job, in a format.
    pub(crate) fn results(&self, id: &str, format: &str) -> Result<Results, String> {
        self.runner.results(&self.kept.folder_of(id), format)
    }

    /// Ends what is measured: the server is about to end. What waits goes on when it is there again.
    pub(crate) fn end(&self) {
        let mut inner = self.inner();
        inner.ended = true;
        if let Some(running) = &inner.running {
            running.stop.store(true, Relaxed);
        }
        drop(inner);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
        self.woken.notify_all();
    }

    /// What cannot be kept is known by its error when the folder is next written to: a job goes on.
    fn keep(&self, job: &Job) {
        if let Err(error) = self.kept.save(job) {
            eprintln!("warning: a job is not kept as it stands: {error}");
        }
    }

    /// The next job, once it may be measured; `None` when there is to be none any more.
    fn begin(&self, serving: &Serving) -> Option<Begun> {
        let mut inner = self.inner();
        loop {
            // Before it is asked whether the server ends: it either waits for this, or says so.
            let work = serving.work();
            if inner.ended || serving.is_draining() {
                drop(inner);
                self.end();
                return None;
            }
            let first = inner.queued().next().map(|job| job.id.clone());
            let Some(id) = first else {
                drop(work);
                inner = self.sleep(inner);
                continue;
            };
            let hold = match self.hold(&inner, &id, serving) {
                Ok(hold) => hold,
                Err(why) => {
                    drop(work);
                    let job = inner.jobs.get_mut(&id);
                    if job.is_some_and(|job| job.waits_for.replace(why.clone()) != Some(why)) {
                        self.changed();
                    }
                    inner = self.sleep(inner);
                    continue;
                }
            };
            let stop = Arc::new(AtomicBool::new(false));
            inner.running = Some(Running { id: id.clone(), stop, is_cancelled: false });
            let job = inner.jobs.get_mut(&id)?;
            job.status = Status::Running;
            job.started_at = Some(now_unix_s());
            job.waits_for = None;
            let job = job.clone();
            self.keep(&job);
            drop(inner);
            self.changed();
            return Some(Begun { job, _hold: hold, work });
        }
    }

    /// Has no answers computed from now on, where that is to be; why that cannot be now.
    fn hold(&self, inner: &Inner, id: &str, serving: &Serving) -> Result<Option<Hold>, String> {
        if !self.limits.takes_jobs {
            return Err("a server that takes jobs".to_owned());
        }
        if self.limits.beside_answers {
            return Ok(None);
        }
        if inner.not_before.is_some_and(|time| Instant::now() < time) {
            return Err("answers that waited for the job before".to_owned());
        }
        let hold = serving.hold(&format!("the benchmark {id} is measured"));
        hold.map(Some).ok_or_else(|| match serving.answers() {
            1 => "1 answer under way".to_owned(),
            n => format!("{n} answers under way"),
        })
    }

    fn sleep<'a>(&self, inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        let woken = self.woken.wait_timeout(inner, LOOK);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Measures it, and says what became of it.
    fn measure(&self, Begun { job, work: own, .. }: &Begun, serving: &Serving) {
        let Some(Running { stop, .. }) = self.inner().running.clone() else { return };
        let folder = self.kept.folder_of(&job.id);
        let result = std::thread::scope(|scope| {
            let work = scope.spawn(|| self.runner.run(&job.request, &folder, &stop));
            let mut before = None;
            while !work.is_finished() {
                std::thread::sleep(LOOK);
                if serving.is_draining() {
                    self.end();
                }
                let progress = self.runner.progress(&folder);
                if progress != before {
                    before = progress;
                    self.changed();
                }
            }
            work.join().unwrap_or_else(|_| Err("it broke down".to_owned()))
        });
        let mut inner = self.inner();
        let is_cancelled = inner.running.take().is_some_and(|running| running.is_cancelled);
        inner.not_before = Some(Instant::now() + BETWEEN_JOBS);
        if let Some(job) = inner.jobs.get_mut(&job.id) {
            job.finished_at = Some(now_unix_s());
            job.progress = self.runner.progress(&folder);
            (job.status, job.error) = match (result, stop.load(Relaxed)) {
                (Ok(()), _) => (Status::Completed, None),
                (Err(_), true) if is_cancelled => (Status::Cancelled, None),
                (Err(_), true) => {
                    own.cut_short();
                    (Status::Failed, Some(CUT_OFF.to_owned()))
                }
                (Err(why), false) => (Status::Failed, Some(why)),
            };
            let job = job.clone();
            self.keep(&job);
        }
        drop(inner);
        self.changed();
    }
}

/// Seconds since 1970 UTC.
fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
