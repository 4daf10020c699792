//! Every order of events of small thread teams, and every value that a load may see, as far as loom
//! models them.
//!
//! Loom runs a model again and again, with another interleaving of the threads' atomic operations
//! each time, and fails when one of them deadlocks, never ends, breaks an assertion, or touches a
//! [`loom::cell::UnsafeCell`] from two threads without one being ordered before the other. What it
//! leaves out: more involuntary switches of threads than the bound that each model names, and a
//! park that returns for no reason.

#[allow(dead_code, reason = "what the models do not use")]
#[path = "../../crates/kernels/src/team.rs"]
mod team;

/// What `team.rs` synchronizes with, under its name in `kernels`.
mod sync {
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::{Arc, atomic};
    pub(crate) use loom::thread;

    /// A worker that looks once for a job before it parks: more turns add states, but no new
    /// transitions.
    pub(crate) const SPINS: u32 = 1;
}

use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex};
use team::Team;

/// A place that one thread at a time may write.
struct Place(UnsafeCell<usize>);

// SAFETY: none, that is the point: loom reports accesses that are not ordered.
unsafe impl Sync for Place {}

/// A job on the caller's stack: each task runs once, and nobody is at it any more when `run` has
/// returned.
fn job(team: &Team, n_tasks: usize) {
    let places: Vec<Place> = (0..n_tasks).map(|_| Place(UnsafeCell::new(0))).collect();
    let count = |place: &Place| {
        place.0.with_mut(|n| {
            // SAFETY: loom checked that the access is exclusive.
            unsafe { *n += 1 };
            // SAFETY: as above.
            unsafe { *n }
        })
    };
    team.run(n_tasks, &|task| assert_eq!(count(&places[task]), 1));
    for place in &places {
        assert_eq!(count(place), 2);
    }
}

/// Tasks that wait for each other: a worker that slept through its job would leave the others
/// waiting.
fn meeting(team: &Team) {
    let n_threads = team.n_threads();
    let (here, came) = (Mutex::new(0), Condvar::new());
    team.run(n_threads, &|_| {
        let mut here = here.lock().unwrap();
        *here += 1;
        came.notify_all();
        while *here < n_threads {
            here = came.wait(here).unwrap();
        }
    });
}

/// Checks `model` with at most `switches` involuntary switches of threads in an execution.
fn check(switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut checker = loom::model::Builder::new();
    checker.preemption_bound = Some(switches);
    checker.max_branches = 5000;
    checker.check(model);
}

#[test]
fn a_team_ends_whatever_its_workers_are_at() {
    check(4, || drop(Team::new(2).unwrap()));
    check(2, || drop(Team::new(3).unwrap()));
}

#[test]
fn every_task_of_jobs_in_a_row_runs_once_and_ends_before_its_job() {
    check(3, || {
        let team = Team::new(2).unwrap();
        job(&team, 2);
        job(&team, 2);
    });
}

#[test]
fn three_threads_share_a_job() {
    check(2, || job(&Team::new(3).unwrap(), 3));
}

#[test]
fn sleepers_wake_for_every_job() {
    check(3, || {
        let team = Team::new(2).unwrap();
        meeting(&team);
        meeting(&team);
    });
}

#[test]
fn two_sleepers_wake_for_the_same_job() {
    check(1, || meeting(&Team::new(3).unwrap()));
}

#[test]
fn threads_that_were_sent_to_rest_come_back() {
    check(3, || {
        let team = Team::new(2).unwrap();
        team.set_active(1);
        job(&team, 2);
        team.set_active(2);
        meeting(&team);
        team.set_active(1);
    });
}
