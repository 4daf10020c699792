//! The thread team: one set of workers per process that computes every operation of a forward pass.
//!
//! The calling thread leads. [`Team::run`] publishes a job, takes tasks itself from an atomic
//! counter and returns when all are done. Workers wait for the next job by spinning for a while, so
//! that within a forward pass, where one operation follows the other within microseconds, none of
//! them sleeps; then they park. A worker that is late (descheduled, or still waking) is not waited
//! for: it can join a job only while the job is open, and the leader closes it first. Uneven cores
//! are evened out by the counter. No rayon here: see research on per-operation overhead. All
//! interleavings of small teams are checked by a model checker (`loom/` at the top). A team may
//! work with fewer threads than it has ([`Team::set_active`]): the others sleep until they are
//! wanted again.

use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::thread::{self, JoinHandle, Thread};
use crate::sync::{Arc, SPINS, spin_loop};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A published job: `run` is called with every task number below `n_tasks`.
struct Job<'a> {
    n_tasks: usize,
    run: &'a (dyn Fn(usize) + Sync),
}

/// Set in `state` while workers may join.
const OPEN: u64 = 1 << 31;
/// Low bits of `state`: how many workers are inside the job.
const ACTIVE: u64 = OPEN - 1;

struct Shared {
    /// `epoch << 32 | open | active`. A new job is a new epoch.
    state: AtomicU64,
    /// The open job; valid while `state` is open or someone is active.
    job: AtomicPtr<Job<'static>>,
    next: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
    /// Workers that are parked or about to park, of those that may take part.
    sleepers: AtomicUsize,
    /// Threads that may take part, the leader included: workers with a number below this.
    n_active: AtomicUsize,
}

/// What [`Team::rows2`] calls: row number and a row of each array.
type RowPair<'a, T, U> = dyn Fn(usize, &mut [T], &mut [U]) + Sync + 'a;

/// A fixed number of threads, the caller of [`Team::run`] included.
pub struct Team {
    shared: Arc<Shared>,
    threads: Vec<Thread>,
    handles: Vec<JoinHandle<()>>,
    /// Only one thread leads at a time.
    busy: AtomicBool,
    /// What ends with the team (`place.rs`: the leader's return).
    pub(crate) kept: Option<Box<dyn std::any::Any + Send + Sync>>,
}

impl Team {
    /// A team of `n_threads` (at least one); one of them is the caller of [`Team::run`].
    pub fn new(n_threads: usize) -> std::io::Result<Team> {
        Team::start(n_threads, &mut |_| Ok(()))
    }

    /// As [`Self::new`]; `before(i)` is called before worker `i` is started, which inherits what
    /// the caller then is.
    pub(crate) fn start(
        n_threads: usize,
        before: &mut dyn FnMut(usize) -> std::io::Result<()>,
    ) -> std::io::Result<Team> {
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: AtomicPtr::new(std::ptr::null_mut()),
            next: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            n_active: AtomicUsize::new(n_threads.max(1)),
        });
        let mut team = Team {
            shared,
            threads: Vec::new(),
            handles: Vec::new(),
            busy: AtomicBool::new(false),
            kept: None,
        };
        for i in 1..n_threads.max(1) {
            let shared = team.shared.clone();
            before(i)?;
            let handle = thread::Builder::new()
                .name(format!("compute-{i}"))
                .spawn(move || worker(&shared, i))?;
            team.threads.push(handle.thread().clone());
            team.handles.push(handle);
        }
        Ok(team)
    }

    /// Threads that compute, the leader included: all, or as many as [`Self::set_active`] said.
    pub fn n_threads(&self) -> usize {
        self.shared.n_active.load(Ordering::Relaxed)
    }

    /// From the next job on, `n_threads` of the team's threads compute: at least the leader, at
    /// most all.
    pub fn set_active(&self, n_threads: usize) {
        let n_threads = n_threads.clamp(1, self.threads.len() + 1);
        if self.shared.n_active.swap(n_threads, Ordering::SeqCst) != n_threads {
            // Those that sleep for want of jobs are counted among the sleepers: they learn which
            // kind of sleep theirs is.
            self.threads.iter().for_each(Thread::unpark);
        }
    }

    /// Calls `run` once for every task number below `n_tasks`, spread over the team; returns when
    /// all are done.
    ///
    /// # Panics
    /// If a task panicked, or if it is called from within a task of the same team.
    pub fn run(&self, n_tasks: usize, run: &(dyn Fn(usize) + Sync)) {
        let n_workers = self.n_threads() - 1;
        if n_tasks <= 1 || n_workers == 0 {
            (0..n_tasks).for_each(run);
            return;
        }
        assert!(!self.busy.swap(true, Ordering::Acquire), "Team::run within Team::run");
        let mut job = Job { n_tasks, run };
        let s = &*self.shared;
        s.next.store(0, Ordering::Relaxed);
        s.job.store((&raw mut job).cast(), Ordering::Relaxed);
        let epoch = (s.state.load(Ordering::Relaxed) >> 32).wrapping_add(1) & 0xffff_ffff;
        s.state.store(epoch << 32 | OPEN, Ordering::Release);
        // Pairs with the fence of a worker that is about to park: we see it among the sleepers, or
        // it sees the job.
        fence(Ordering::SeqCst);
        if s.sleepers.load(Ordering::Relaxed) > 0 {
            self.threads[..n_workers].iter().for_each(Thread::unpark);
        }
        let finished = catch_unwind(AssertUnwindSafe(|| take_tasks(s, &job)));
        s.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut turns = 0u32;
        while s.state.load(Ordering::Acquire) & ACTIVE != 0 {
            wait_a_little(&mut turns);
        }
        self.busy.store(false, Ordering::Release);
        if let Err(panic) = finished {
            std::panic::resume_unwind(panic);
        }
        assert!(!s.panicked.swap(false, Ordering::Relaxed), "a task of the thread team panicked");
    }

    /// Calls `f(i, row i)` for all rows of `data`, spread over the team.
    pub fn rows<T: Send>(
        &self,
        data: &mut [T],
        row_len: usize,
        f: &(dyn Fn(usize, &mut [T]) + Sync),
    ) {
        let n_rows = data.len() / row_len.max(1);
        let rows = SharedRows::new(data, row_len);
        self.ranges(n_rows, &|i| {
            // SAFETY: each task number, and so each row, is handed out once.
            f(i, unsafe { rows.row(i) })
        });
    }

    /// As [`Team::rows`] over two arrays with as many rows.
    pub fn rows2<T: Send, U: Send>(
        &self,
        (a, a_len): (&mut [T], usize),
        (b, b_len): (&mut [U], usize),
        f: &RowPair<'_, T, U>,
    ) {
        let n_rows = a.len() / a_len.max(1);
        assert_eq!(n_rows, b.len() / b_len.max(1), "rows2: as many rows in both");
        let (a, b) = (SharedRows::new(a, a_len), SharedRows::new(b, b_len));
        self.ranges(n_rows, &|i| {
            // SAFETY: each task number, and so each row, is handed out once.
            unsafe { f(i, a.row(i), b.row(i)) }
        });
    }

    /// Calls `f` with each number below `n`. Single rows are too small to be tasks: a task is a run
    /// of them.
    pub(crate) fn ranges(&self, n: usize, f: &(dyn Fn(usize) + Sync)) {
        let size = n.div_ceil(self.n_threads() * 4).max(1);
        self.run(n.div_ceil(size), &|task| (task * size..n.min((task + 1) * size)).for_each(f));
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.threads.iter().for_each(Thread::unpark);
        for handle in self.handles.drain(..) {
            let _ = handle.join(); // a worker catches panics of tasks, so there is nothing to learn here
        }
    }
}

fn take_tasks(shared: &Shared, job: &Job<'_>) {
    loop {
        let task = shared.next.fetch_add(1, Ordering::Relaxed);
        if task >= job.n_tasks {
            return;
        }
        (job.run)(task);
    }
}

fn wait_a_little(turns: &mut u32) {
    *turns += 1;
    if turns.is_multiple_of(1024) {
        thread::yield_now(); // more threads than cores: let the one we wait for run
    } else {
        spin_loop();
    }
}

fn worker(shared: &Shared, number: usize) {
    let mut seen = 0u64;
    let mut turns = 0u32;
    while !shared.stop.load(Ordering::SeqCst) {
        // In this order: who sees a job sees how many threads it is for.
        let state = shared.state.load(Ordering::SeqCst);
        if number >= shared.n_active.load(Ordering::SeqCst) {
            // `set_active` and `drop` change what was just read and unpark then: parking after that
            // returns at once.
            thread::park();
            continue;
        }
        if state >> 32 != seen && state & OPEN != 0 {
            // Joining fails if the leader has closed the job meanwhile: then its data may be gone.
            if shared
                .state
                .compare_exchange_weak(state, state + 1, Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
            {
                continue;
            }
            seen = state >> 32;
            turns = 0;
            // SAFETY: the leader keeps the job alive while the state is open or anyone is active,
            // and we are.
            let job = unsafe { &*shared.job.load(Ordering::Relaxed) };
            if catch_unwind(AssertUnwindSafe(|| take_tasks(shared, job))).is_err() {
                shared.panicked.store(true, Ordering::Relaxed);
            }
            shared.state.fetch_sub(1, Ordering::AcqRel);
        } else if turns < SPINS {
            wait_a_little(&mut turns);
        } else {
            shared.sleepers.fetch_add(1, Ordering::Relaxed);
            // Between announcing sleep and parking a job may have come: its leader saw us or we see
            // it.
            fence(Ordering::SeqCst);
            let state = shared.state.load(Ordering::Relaxed);
            if (state >> 32 == seen || state & OPEN == 0) && !shared.stop.load(Ordering::Relaxed) {
                thread::park();
            }
            shared.sleepers.fetch_sub(1, Ordering::Relaxed);
            turns = 0;
        }
    }
}

/// A slice cut to rows, from which threads take different rows to write.
pub(crate) struct SharedRows<'a, T> {
    data: *mut T,
    n_rows: usize,
    row_len: usize,
    lifetime: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: rows are disjoint, and `row`'s contract lets each be used by one thread only; `T: Send`
// lets it go there.
unsafe impl<T: Send> Sync for SharedRows<'_, T> {}

impl<'a, T> SharedRows<'a, T> {
    pub(crate) fn new(data: &'a mut [T], row_len: usize) -> Self {
        let n_rows = data.len() / row_len.max(1);
        SharedRows { data: data.as_mut_ptr(), n_rows, row_len, lifetime: std::marker::PhantomData }
    }

    /// Start of row `i`.
    ///
    /// # Safety
    /// No row may be written by two threads, or through two pointers at a time.
    pub(crate) unsafe fn row_ptr(&self, i: usize) -> *mut T {
        assert!(i < self.n_rows, "row {i} of {}", self.n_rows);
        // SAFETY: `i` is below the number of whole rows in the slice.
        unsafe { self.data.add(i * self.row_len) }
    }

    /// Row `i`.
    ///
    /// # Safety
    /// As [`Self::row_ptr`].
    #[allow(clippy::mut_from_ref, reason = "the contract makes the borrow exclusive")]
    pub(crate) unsafe fn row(&self, i: usize) -> &mut [T] {
        // SAFETY: in bounds by `row_ptr`; exclusive by the caller's contract.
        unsafe { std::slice::from_raw_parts_mut(self.row_ptr(i), self.row_len) }
    }
}
