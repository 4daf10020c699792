//! Calls into llama.cpp that may never come back. Over a network it waits without a limit, and where
//! a worker is lost it ends the process (`GGML_ABORT`).
//!
//! Such calls are made on a thread of their own. Who made one waits for it, or for word that it will
//! not come back ([`Lifeline`]): from whoever watches the workers, or from llama.cpp itself, whose
//! last call before it ends the process is ours. That call never returns either, so the process goes
//! on. What the lost call was using must be left alone for good: its thread may still hold it.

use super::take_errors;
use llama_cpp_sys_2 as sys;
use std::ffi::{CStr, c_char};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError, Weak, mpsc};

/// All of them, for the call that comes before the end.
static GUARDS: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// What names of guards' threads begin with.
const NAME: &str = "llama.cpp";

type Job = Box<dyn FnOnce() + Send>;

/// A thread for calls that may never come back, one at a time.
pub(in super::super) struct Guard {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
}

/// Tells whoever waits for a call that it will not come back.
#[derive(Clone)]
pub(in super::super) struct Lifeline(Weak<Shared>);

struct Shared {
    /// Of the guard's thread, and where threads inherit it (Linux) of those that llama.cpp starts on
    /// it: how it is known whose call is given up.
    name: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Calls that are under way.
    calls: usize,
    /// Why no call will come back any more.
    lost: Option<String>,
}

/// What is handed to the other thread and is not `Send` by itself.
pub(super) struct Carried<T>(pub(super) T);

// SAFETY: made by callers of `Guard::call` alone, who wait for the other thread to be done with what
// they hand over, or never touch it again. So one thread at a time uses it, and none of what is handed
// over (objects of llama.cpp, arrays) belongs to the thread that made it.
unsafe impl<T> Send for Carried<T> {}

impl<T> Carried<T> {
    /// What was carried. By value, so that a closure takes all of it along.
    pub(super) fn get(self) -> T {
        self.0
    }
}

/// The end of a call.
struct End {
    shared: Arc<Shared>,
    ended: Arc<AtomicBool>,
}

impl Drop for End {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.calls -= 1;
        self.ended.store(true, SeqCst);
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, why: &str) {
        self.state().lost.get_or_insert_with(|| why.to_owned());
        self.changed.notify_all();
    }
}

impl Lifeline {
    /// No call comes back any more, for this reason; the first one counts.
    pub(in super::super) fn lose(&self, why: &str) {
        if let Some(shared) = self.0.upgrade() {
            shared.lose(why);
        }
    }
}

impl Guard {
    /// With a thread of its own, which ends with the guard if it can.
    pub(in super::super) fn new() -> io::Result<Guard> {
        static ONCE: Once = Once::new();
        // SAFETY: `aborted` is a function of the right type.
        ONCE.call_once(|| unsafe {
            sys::ggml_set_abort_callback(Some(aborted));
        });
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Linux keeps 15 bytes of a name.
        let name = format!("{NAME} {}", NEXT.fetch_add(1, SeqCst) % 100_000);
        let shared = Arc::new(Shared {
            name: name.clone(),
            state: Mutex::default(),
            changed: Condvar::default(),
        });
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new().name(name).spawn(move || {
            for job in queue {
                job();
            }
        })?;
        let mut guards = GUARDS.lock().unwrap_or_else(PoisonError::into_inner);
        guards.retain(|guard| guard.strong_count() > 0);
        guards.push(Arc::downgrade(&shared));
        Ok(Guard { jobs, shared })
    }

    /// For whoever watches.
    pub(in super::super) fn lifeline(&self) -> Lifeline {
        Lifeline(Arc::downgrade(&self.shared))
    }

    /// The error is why calls do not come back any more.
    pub(in super::super) fn check(&self) -> Result<(), String> {
        self.shared.state().lost.clone().map_or(Ok(()), Err)
    }

    /// Makes a call on the other thread and waits for it. The error is why it will not come back;
    /// whatever it was given must be left alone then, and all calls after it fail the same.
    pub(in super::super) fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, String> {
        let slot = Arc::new(Mutex::new(None));
        let (shared, result) = (self.shared.clone(), slot.clone());
        let mut state = self.shared.state();
        if let Some(why) = &state.lost {
            return Err(why.clone());
        }
        state.calls += 1;
        let ended = Arc::new(AtomicBool::new(false));
        let end = End { shared, ended: ended.clone() };
        let job = Box::new(move || {
            // Dropped however the work ends, and also if nobody takes the job.
            let end = end;
            // Nobody waits any more for what has not begun.
            if end.shared.state().lost.is_some() {
                return;
            }
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(work());
        });
        drop(state);
        // A thread that has ended drops the job, which ends the call.
        let _ = self.jobs.send(job);
        let mut state = self.shared.state();
        while !ended.load(SeqCst) && state.lost.is_none() {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let lost =
            state.lost.clone().unwrap_or_else(|| "the call into llama.cpp failed".to_owned());
        drop(state);
        // What came back counts, even if it is known by now that nothing else will.
        slot.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(lost)
    }
}

/// The name of this thread, if it is a guard's or was started on it. Threads of C++ have no name but
/// the system's.
fn thread_name() -> Option<String> {
    let systems = std::fs::read_to_string("/proc/thread-self/comm").ok();
    let ours = || std::thread::current().name().map(str::to_owned);
    let name = systems.map(|name| name.trim_end().to_owned()).or_else(ours)?;
    name.strip_prefix(NAME).is_some_and(|rest| rest.starts_with(' ')).then_some(name)
}

/// llama.cpp's last call before it ends the process, on any of its threads.
extern "C" fn aborted(message: *const c_char) {
    // SAFETY: ggml passes a NUL-terminated string that lives for the call.
    let said = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    let name = thread_name();
    let guards: Vec<Arc<Shared>> = {
        let guards = GUARDS.lock().unwrap_or_else(PoisonError::into_inner);
        guards.iter().filter_map(Weak::upgrade).collect()
    };
    // On a thread of no guard (one that computes), each call under way may be the one.
    let is_concerned = |guard: &Arc<Shared>| match &name {
        Some(name) => guard.name == *name,
        None => guard.state().calls > 0,
    };
    let guards: Vec<Arc<Shared>> = guards.into_iter().filter(is_concerned).collect();
    // A thread that is a guard's by its name, without the guard: nobody waits for it any more.
    if guards.is_empty() && name.is_none() {
        // Nobody would be told, and whoever made the call would wait forever.
        eprintln!("llama.cpp ends the process: {said}; {}", take_errors());
        return;
    }
    let why = format!("llama.cpp gave up: {}", said.trim());
    guards.iter().for_each(|guard| guard.lose(&why));
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn calls_come_back_with_what_they_made() {
        let guard = Guard::new().unwrap();
        let carried = Carried(7usize as *const u8);
        assert_eq!(guard.call(move || carried.get() as usize), Ok(7));
        assert_eq!(guard.call(|| "again".to_owned()), Ok("again".to_owned()));
    }

    #[test]
    fn callers_at_once_each_have_their_own_and_a_panic_ends_its_call() {
        let guard = Arc::new(Guard::new().unwrap());
        let callers: Vec<_> = (0..8)
            .map(|n| {
                let guard = guard.clone();
                std::thread::spawn(move || {
                    (0..50).all(|i| guard.call(move || n * 100 + i) == Ok(n * 100 + i))
                })
            })
            .collect();
        assert!(callers.into_iter().all(|caller| caller.join().unwrap()));
        let failed: Result<(), String> = guard.call(|| panic!("on purpose"));
        assert!(failed.is_err() && guard.call(|| 1).is_err());
    }

    #[test]
    fn a_call_that_was_given_up_before_it_began_never_begins() {
        let guard = Arc::new(Guard::new().unwrap());
        let (go, wait) = mpsc::channel::<()>();
        let (began, has_begun) = mpsc::channel();
        let first = guard.clone();
        let first = std::thread::spawn(move || {
            first.call(move || {
                began.send(()).unwrap();
                wait.recv()
            })
        });
        has_begun.recv().unwrap();
        let (second, ran) = (guard.clone(), Arc::new(AtomicBool::new(false)));
        let runs = ran.clone();
        let second = std::thread::spawn(move || second.call(move || runs.store(true, SeqCst)));
        while guard.shared.state().calls < 2 {
            std::thread::yield_now();
        }
        guard.lifeline().lose("gone");
        assert_eq!(second.join().unwrap(), Err("gone".to_owned()));
        assert_eq!(guard.check(), Err("gone".to_owned()));
        go.send(()).unwrap();
        let _ = first.join();
        // Both jobs are over when nothing is under way.
        while guard.shared.state().calls > 0 {
            std::thread::yield_now();
        }
        assert!(!ran.load(SeqCst));
    }

    #[test]
    fn a_thread_knows_whose_it_is() {
        let (one, other) = (Guard::new().unwrap(), Guard::new().unwrap());
        assert_eq!(one.call(thread_name), Ok(Some(one.shared.name.clone())));
        assert_eq!(other.call(thread_name), Ok(Some(other.shared.name.clone())));
        assert!(one.shared.name != other.shared.name && thread_name().is_none());
    }

    #[test]
    fn a_call_that_does_not_come_back_is_given_up() {
        let guard = Guard::new().unwrap();
        let lifeline = guard.lifeline();
        let told = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            lifeline.lose("10.0.0.2:50052: gone");
            lifeline.lose("later");
        });
        let lost = guard.call(|| {
            loop {
                std::thread::park();
            }
        });
        let lost: Result<(), String> = lost;
        assert_eq!(lost, Err("10.0.0.2:50052: gone".to_owned()));
        assert_eq!(guard.call(|| 1), Err("10.0.0.2:50052: gone".to_owned()));
        told.join().unwrap();
    }
}
