//! Threads with a stack for the deepest template.
//!
//! Starting one costs a tenth of a millisecond and interrupts every processor when its stack is given back, so a few wait for
//! the next rendering; not those whose stack may hold much memory by now.

use super::TemplateError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;

/// Address space, not memory. minijinja takes up to [`LEVEL`] bytes a level of an expression or a value; a level costs a byte
/// of source or a unit of fuel.
const STACK: usize = 384 << 20;
/// Bytes of stack for a level.
const LEVEL: u64 = 640;
/// Stack that a waiting thread may have used.
const MAX_KEPT: u64 = 32 << 20;
/// Threads that may wait.
const MAX_WAITING: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

static WAITING: Mutex<Vec<Sender<Job>>> = Mutex::new(Vec::new());

/// Runs `work` on such a thread. It returns its result and how many levels deep it can have been.
pub fn on_large_stack<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> (T, u64) + Send + 'static,
) -> Result<T, TemplateError> {
    let (done, result) = channel();
    let job: Job = Box::new(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(work))); // who asked waits
    });
    let waiting = waiting().pop();
    let thread = waiting.map_or_else(|| start(name), Ok).map_err(TemplateError::Thread)?;
    let ended = |_| TemplateError::Thread(io::Error::other("the thread has ended"));
    thread.send(job).map_err(|_| ended(()))?;
    let (value, levels) = match result.recv().map_err(|_| ended(()))? {
        Ok(result) => result,
        Err(_) => return Err(TemplateError::Thread(io::Error::other("the template engine panicked"))),
    };
    let mut waiting = self::waiting();
    if levels.saturating_mul(LEVEL) <= MAX_KEPT && waiting.len() < MAX_WAITING {
        waiting.push(thread);
    }
    Ok(value)
}

fn waiting() -> std::sync::MutexGuard<'static, Vec<Sender<Job>>> {
    WAITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A thread that runs jobs until its sender is dropped.
fn start(name: &str) -> io::Result<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    Builder::new().name(name.into()).stack_size(STACK).spawn(move || jobs.into_iter().for_each(|job| job()))?;
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_thread_is_used_again_unless_its_stack_is_deep_or_it_panicked() {
        let id = |levels| on_large_stack("test", move || (thread::current().id(), levels)).unwrap();
        // Other tests render meanwhile, so which thread comes next is not certain.
        let again = (0..200).any(|_| id(10) == id(10));
        assert!(again, "a waiting thread is taken before a new one is started");
        let deep = id(u64::MAX);
        assert!((0..50).all(|_| id(10) != deep), "a deep stack is given back");
        let panicked: Result<(), _> = on_large_stack("test", || panic!("on purpose"));
        assert!(matches!(panicked, Err(TemplateError::Thread(_))));
        assert!(waiting().len() <= MAX_WAITING);
    }
}
