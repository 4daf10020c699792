//! The thread team with real threads. All orders of events of small teams: the models in `loom/` at
//! the top.

use pacemark_kernels::Team;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn every_task_runs_exactly_once_in_every_round() {
    for n_threads in [1, 2, 5] {
        let team = Team::new(n_threads).unwrap();
        for round in 0..if cfg!(miri) { 20 } else { 2000 } {
            let counts: Vec<AtomicUsize> = (0..round % 37).map(|_| AtomicUsize::new(0)).collect();
            team.run(counts.len(), &|i| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "round {round}");
        }
    }
}

#[test]
fn only_active_threads_take_part_and_the_others_come_back() {
    let team = Team::new(4).unwrap();
    for round in 0..if cfg!(miri) { 8 } else { 400 } {
        let n_active = [4, 1, 2, 3, 9, 0][round % 6];
        team.set_active(n_active);
        assert_eq!(team.n_threads(), n_active.clamp(1, 4));
        let counts: Vec<AtomicUsize> = (0..16).map(|_| AtomicUsize::new(0)).collect();
        let names = std::sync::Mutex::new(std::collections::HashSet::new());
        team.run(counts.len(), &|i| {
            counts[i].fetch_add(1, Ordering::Relaxed);
            names.lock().unwrap().insert(std::thread::current().id());
        });
        assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "round {round}");
        let took_part = names.into_inner().unwrap().len();
        assert!(took_part <= n_active.clamp(1, 4), "round {round}: {took_part} of {n_active}");
    }
    // Tasks that wait for each other: all four threads have to be there.
    team.set_active(4);
    let barrier = std::sync::Barrier::new(4);
    team.run(4, &|_| {
        barrier.wait();
    });
}

#[test]
fn workers_that_slept_still_work() {
    let team = Team::new(3).unwrap();
    for _ in 0..3 {
        let mut data = vec![0usize; 64];
        team.rows(&mut data, 4, &|i, row| row.fill(i));
        assert!(data.iter().enumerate().all(|(i, &v)| v == i / 4));
        std::thread::sleep(std::time::Duration::from_millis(if cfg!(miri) { 1 } else { 30 }));
    }
}

#[test]
fn a_panic_in_a_task_reaches_the_caller_and_the_team_lives_on() {
    let team = Team::new(2).unwrap();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        team.run(8, &|i| assert_ne!(i, 5));
    }));
    assert!(failed.is_err());
    let mut data = vec![0u8; 8];
    team.rows(&mut data, 1, &|_, row| row[0] = 1);
    assert_eq!(data, [1; 8]);
}
