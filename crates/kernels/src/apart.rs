//! Keeps a processor for the leader of a team in a process that does more than compute.
//!
//! A server whose team takes all processors shares one with it. If that is the leader's, all of the
//! team waits, for only the leader begins the next operation; a worker that is away is not waited
//! for (`team.rs`). So the leader gets a processor of its own, and whoever serves stays on the
//! others.

use crate::place::{Cpus, Place, here};
use std::io;

impl Place {
    /// [`Place::Apart`] for a team of `n_threads` that leaves no processor free, the leader where
    /// the caller is now; [`Place::Anywhere`] if there is nothing to share, or the system does not
    /// let threads be placed.
    pub fn apart(n_threads: usize) -> Place {
        let allowed = Cpus::current().and_then(|cpus| cpus.bind().map(|()| cpus));
        allowed.map_or(Place::Anywhere, |cpus| apart(cpus, here(), n_threads))
    }

    /// Moves the calling thread, and those that it starts from now on, off the leader's processor,
    /// if it has one of its own.
    pub fn leave_leader(self) -> io::Result<()> {
        match self {
            Place::Apart { rest, .. } => rest.bind(),
            Place::Anywhere | Place::Mask { .. } | Place::Nodes(_) => Ok(()),
        }
    }
}

fn apart(allowed: Cpus, here: Option<usize>, n_threads: usize) -> Place {
    let all: Vec<usize> = allowed.iter().collect();
    if all.len() < 2 || n_threads < all.len() {
        return Place::Anywhere;
    }
    let leader = here.filter(|here| all.contains(here)).unwrap_or(all[0]);
    let rest =
        all.iter().filter(|&&cpu| cpu != leader).fold(Cpus::NONE, |cpus, &cpu| cpus.with(cpu));
    Place::Apart { leader: Cpus::NONE.with(leader), rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_kept_apart_where_all_processors_compute() {
        let of = |numbers: &[usize]| numbers.iter().fold(Cpus::NONE, |cpus, &cpu| cpus.with(cpu));
        let (leader, rest) = (of(&[3]), of(&[1, 2]));
        assert_eq!(apart(of(&[1, 2, 3]), Some(3), 3), Place::Apart { leader, rest });
        assert_eq!(apart(of(&[1, 2, 3]), Some(3), 2), Place::Anywhere, "one processor is free");
        assert_eq!(apart(of(&[1]), Some(1), 1), Place::Anywhere, "nothing to share");
        for elsewhere in [None, Some(7)] {
            assert_eq!(
                apart(of(&[1, 2]), elsewhere, 2),
                Place::Apart { leader: of(&[1]), rest: of(&[2]) }
            );
        }
        let sets = Place::Apart { leader, rest }.of_threads(3).unwrap();
        assert_eq!(sets, [leader, rest, rest]);
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn who_leaves_the_leader_takes_its_threads_along() {
        let before = Cpus::current().unwrap();
        let place = Place::apart(before.count());
        let Place::Apart { leader, rest } = place else {
            assert!(before.count() < 2, "{before} processors could be shared");
            return;
        };
        assert_eq!((leader.count(), leader.count() + rest.count()), (1, before.count()));
        std::thread::spawn(move || {
            place.leave_leader().unwrap();
            assert_eq!(std::thread::spawn(|| Cpus::current().unwrap()).join().unwrap(), rest);
        })
        .join()
        .unwrap();
        assert_eq!(Cpus::current().unwrap(), before, "only the thread that asked");
    }
}
