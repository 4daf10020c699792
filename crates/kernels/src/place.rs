//! Which processors the threads of a team run on: a mask, one processor a thread, or the memory
//! nodes of the machine.
//!
//! A thread inherits the processors of the one that starts it, so the leader moves to where a
//! worker shall be before it starts it, and at last to its own place; when the team ends, the
//! leader returns to where it was. Every move is checked by asking the system where the thread is
//! now. Linux only: elsewhere it is an error, not a wish.

use std::fmt;
use std::io;
use std::path::Path;

/// Processors that a set can name: those of the system's fixed-size sets (`CPU_SETSIZE`).
const MAX_CPUS: usize = 1024;

/// A set of processors, by the system's numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cpus([u64; MAX_CPUS / 64]);

impl Cpus {
    pub(crate) const NONE: Cpus = Cpus([0; MAX_CPUS / 64]);

    /// Those of a hexadecimal mask, as llama.cpp writes it: bit 0 of the last digit is processor 0;
    /// `0x` may stand before it. The error says what is wrong with it.
    pub fn from_mask(mask: &str) -> Result<Cpus, String> {
        let digits = mask.strip_prefix("0x").or(mask.strip_prefix("0X")).unwrap_or(mask);
        if digits.is_empty() || digits.len() > MAX_CPUS / 4 {
            return Err(format!(
                "expected a hexadecimal number of at most {} digits",
                MAX_CPUS / 4
            ));
        }
        let mut cpus = Cpus::NONE;
        for (i, digit) in digits.chars().rev().enumerate() {
            let value = digit
                .to_digit(16)
                .ok_or_else(|| format!("{digit:?} is not a hexadecimal digit"))?;
            cpus.0[i / 16] |= u64::from(value) << (i % 16 * 4);
        }
        Ok(cpus)
    }

    /// The mask, `0x` and as few digits as it takes.
    pub fn mask(&self) -> String {
        let digits: String = self.0.iter().rev().map(|word| format!("{word:016x}")).collect();
        let digits = digits.trim_start_matches('0');
        format!("0x{}", if digits.is_empty() { "0" } else { digits })
    }

    /// Their numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..MAX_CPUS).filter(|&cpu| self.0[cpu / 64] >> (cpu % 64) & 1 == 1)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn with(mut self, cpu: usize) -> Cpus {
        self.0[cpu / 64] |= 1 << (cpu % 64);
        self
    }

    fn and(&self, other: &Cpus) -> Cpus {
        Cpus(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// The system's lists, e.g. `0-3,8`; `None` for what is none.
    fn from_list(list: &str) -> Option<Cpus> {
        let mut cpus = Cpus::NONE;
        for range in list.trim().split(',').filter(|range| !range.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            if last >= MAX_CPUS {
                return None;
            }
            cpus = (first..=last).fold(cpus, Cpus::with);
        }
        Some(cpus)
    }

    /// Those that the calling thread may run on.
    #[cfg(target_os = "linux")]
    pub fn current() -> io::Result<Cpus> {
        // SAFETY: all zeros is an empty set.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set is ours and as long as is said; 0 is the calling thread.
        if unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: only numbers below the size of the set are asked for.
        Ok((0..MAX_CPUS)
            .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
            .fold(Cpus::NONE, Cpus::with))
    }

    /// Has the calling thread run on these from now on.
    #[cfg(target_os = "linux")]
    pub(crate) fn bind(&self) -> io::Result<()> {
        // SAFETY: all zeros is an empty set.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: only numbers below the size of the set are put in it.
        self.iter().for_each(|cpu| unsafe { libc::CPU_SET(cpu, &mut set) });
        // SAFETY: the set is ours and as long as is said; 0 is the calling thread.
        if unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } != 0 {
            return Err(io::Error::last_os_error());
        }
        match Cpus::current()? {
            now if now == *self => Ok(()),
            now => {
                Err(io::Error::other(format!("asked for processors {self}, the system gave {now}")))
            }
        }
    }

    /// Those that the calling thread may run on.
    #[cfg(not(target_os = "linux"))]
    pub fn current() -> io::Result<Cpus> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn bind(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while numbers.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

/// How threads are spread over memory nodes, by llama.cpp's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numa {
    /// Evenly over all nodes.
    Distribute,
    /// All on the node where the process is now.
    Isolate,
    /// On the processors that `numactl` left to the process.
    Numactl,
}

impl Numa {
    /// All of them.
    pub const ALL: [Numa; 3] = [Numa::Distribute, Numa::Isolate, Numa::Numactl];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Numa::Distribute => "distribute",
            Numa::Isolate => "isolate",
            Numa::Numactl => "numactl",
        }
    }
}

/// Where the threads of a team are to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Where the system likes.
    #[default]
    Anywhere,
    /// On these processors; `strict`ly each on one of its own.
    Mask {
        /// The processors.
        cpus: Cpus,
        /// One processor a thread.
        strict: bool,
    },
    /// By memory nodes.
    Nodes(Numa),
    /// The leader on a processor of its own, the others on the rest (`apart.rs`).
    Apart {
        /// The leader's.
        leader: Cpus,
        /// Everyone else's.
        rest: Cpus,
    },
}

/// Why threads cannot run where they are to.
#[derive(Debug)]
pub enum PlaceError {
    /// The mask names a processor that the machine lacks, or that is closed to this process.
    NotAllowed {
        /// The mask.
        asked: Box<Cpus>,
        /// Processors that the process may use.
        allowed: Box<Cpus>,
    },
    /// Fewer processors than threads.
    TooFew {
        /// The processors.
        cpus: Box<Cpus>,
        /// Threads.
        n_threads: usize,
    },
    /// There is one memory node: nothing to choose from.
    OneNode(Numa),
    /// `numactl` was to choose the processors, and the process may use all.
    NothingChosen,
    /// The system refused.
    System(io::Error),
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlaceError::NotAllowed { asked, allowed } => {
                write!(
                    f,
                    "--cpu-mask {} names processors {asked}, this process may use {allowed}",
                    asked.mask()
                )
            }
            PlaceError::TooFew { cpus, n_threads } => {
                let n = cpus.count();
                write!(
                    f,
                    "{n_threads} threads on {n} processor{} ({cpus}): ",
                    if n == 1 { "" } else { "s" }
                )?;
                write!(f, "ask for as many threads (-t) or for more processors")
            }
            PlaceError::OneNode(numa) => {
                write!(
                    f,
                    "--numa {}: this machine has one memory node, so there is nothing to place",
                    numa.name()
                )
            }
            PlaceError::NothingChosen => {
                write!(
                    f,
                    "--numa numactl: the process may use every processor: start it through numactl"
                )
            }
            PlaceError::System(error) => {
                write!(f, "cannot choose the processors of threads: {error}")
            }
        }
    }
}

impl std::error::Error for PlaceError {}

impl From<io::Error> for PlaceError {
    fn from(error: io::Error) -> PlaceError {
        PlaceError::System(error)
    }
}

impl Place {
    /// The processors of each of `n_threads` threads, the leader first; empty for
    /// [`Place::Anywhere`].
    pub fn of_threads(self, n_threads: usize) -> Result<Vec<Cpus>, PlaceError> {
        match self {
            Place::Anywhere => Ok(Vec::new()),
            Place::Mask { cpus, strict } => masked(cpus, strict, &Cpus::current()?, n_threads),
            Place::Apart { leader, rest } => {
                Ok((0..n_threads).map(|i| if i == 0 { leader } else { rest }).collect())
            }
            Place::Nodes(numa) => {
                let machine = Machine {
                    nodes: nodes(Path::new("/sys")),
                    allowed: Cpus::current()?,
                    here: here(),
                };
                machine.place(numa, n_threads)
            }
        }
    }
}

fn masked(
    cpus: Cpus,
    strict: bool,
    allowed: &Cpus,
    n_threads: usize,
) -> Result<Vec<Cpus>, PlaceError> {
    if cpus.and(allowed) != cpus {
        return Err(PlaceError::NotAllowed { asked: cpus.into(), allowed: (*allowed).into() });
    }
    if cpus.count() < n_threads {
        return Err(PlaceError::TooFew { cpus: cpus.into(), n_threads });
    }
    let one = |cpu| Cpus::NONE.with(cpu);
    Ok(if strict { cpus.iter().take(n_threads).map(one).collect() } else { vec![cpus; n_threads] })
}

/// What is known of the processors.
struct Machine {
    /// Processors of each memory node that has any.
    nodes: Vec<Cpus>,
    allowed: Cpus,
    /// The processor that the process runs on.
    here: Option<usize>,
}

impl Machine {
    fn place(&self, numa: Numa, n_threads: usize) -> Result<Vec<Cpus>, PlaceError> {
        if self.nodes.len() < 2 {
            return Err(PlaceError::OneNode(numa));
        }
        let usable: Vec<Cpus> = self
            .nodes
            .iter()
            .map(|node| node.and(&self.allowed))
            .filter(|node| node.count() > 0)
            .collect();
        let sets = match numa {
            Numa::Distribute => (0..n_threads).map(|i| usable[i % usable.len()]).collect(),
            Numa::Isolate => {
                let contains =
                    |node: &&Cpus| self.here.is_some_and(|here| node.iter().any(|cpu| cpu == here));
                let node = usable.iter().find(contains).or(usable.first());
                vec![*node.ok_or(PlaceError::OneNode(numa))?; n_threads]
            }
            Numa::Numactl => {
                if self.nodes.iter().all(|node| node.and(&self.allowed) == *node) {
                    return Err(PlaceError::NothingChosen);
                }
                vec![self.allowed; n_threads]
            }
        };
        // A set is shared by the threads that have it.
        for set in &sets {
            let n = sets.iter().filter(|other| *other == set).count();
            if set.count() < n {
                return Err(PlaceError::TooFew { cpus: (*set).into(), n_threads: n });
            }
        }
        Ok(sets)
    }
}

/// Processors of each memory node that has any, in the order of the nodes' numbers; none where the
/// system does not tell.
fn nodes(sys: &Path) -> Vec<Cpus> {
    let Ok(entries) = std::fs::read_dir(sys.join("devices/system/node")) else { return Vec::new() };
    let mut nodes: Vec<(u32, Cpus)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let number = entry.file_name().to_str()?.strip_prefix("node")?.parse().ok()?;
            let list = std::fs::read_to_string(entry.path().join("cpulist")).ok()?;
            Some((number, Cpus::from_list(&list).filter(|cpus| cpus.count() > 0)?))
        })
        .collect();
    nodes.sort_by_key(|(number, _)| *number);
    nodes.into_iter().map(|(_, cpus)| cpus).collect()
}

#[cfg(target_os = "linux")]
pub(crate) fn here() -> Option<usize> {
    // SAFETY: takes nothing and returns a number, negative on failure.
    usize::try_from(unsafe { libc::sched_getcpu() }).ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn here() -> Option<usize> {
    None
}

impl crate::Team {
    /// A team on the processors of [`Place::of_threads`], a set for each thread; without any,
    /// anywhere. The caller moves to the first until the team is dropped.
    pub fn placed(n_threads: usize, sets: &[Cpus]) -> io::Result<crate::Team> {
        if sets.is_empty() {
            return crate::Team::new(n_threads);
        }
        let moved = Moved::from_here()?;
        let mut team = crate::Team::start(n_threads, &mut |i| sets[i % sets.len()].bind())?;
        sets[0].bind()?;
        team.kept = Some(Box::new(moved));
        Ok(team)
    }
}

/// A thread that moved, and goes back when this is dropped.
struct Moved {
    before: Cpus,
    thread: std::thread::ThreadId,
}

impl Moved {
    /// Remembers where the calling thread is.
    fn from_here() -> io::Result<Moved> {
        Ok(Moved { before: Cpus::current()?, thread: std::thread::current().id() })
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        // Another thread that drops the team must not move itself. A thread that cannot return
        // stays where it computed.
        if std::thread::current().id() == self.thread {
            let _ = self.before.bind();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(list: &str) -> Cpus {
        Cpus::from_list(list).unwrap()
    }

    #[test]
    fn masks_and_lists() {
        for (mask, list, shortest) in [
            ("0x3", "0-1", "0x3"),
            ("f0", "4-7", "0xf0"),
            ("0X00A1", "0,5,7", "0xa1"),
            ("0x0", "", "0x0"),
            ("10000000000000000", "64", "0x10000000000000000"),
        ] {
            let found = Cpus::from_mask(mask).unwrap();
            assert_eq!(
                (found.to_string().as_str(), found.mask().as_str()),
                (list, shortest),
                "{mask}"
            );
            assert_eq!(found, cpus(list));
        }
        for wrong in ["", "0x", "0xg", "-1", "0x 1", &"f".repeat(257)] {
            assert!(Cpus::from_mask(wrong).is_err(), "{wrong}");
        }
        for wrong in ["a", "1-", "0-1024", "3-18446744073709551616"] {
            assert_eq!(Cpus::from_list(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_mask_must_be_allowed_and_large_enough() {
        let allowed = cpus("0-3");
        assert_eq!(masked(cpus("1-3"), false, &allowed, 2).unwrap(), [cpus("1-3"); 2]);
        assert_eq!(masked(cpus("1-3"), true, &allowed, 2).unwrap(), [cpus("1"), cpus("2")]);
        let error =
            |asked: &str, n| masked(cpus(asked), false, &allowed, n).unwrap_err().to_string();
        assert_eq!(
            error("3-4", 1),
            "--cpu-mask 0x18 names processors 3-4, this process may use 0-3"
        );
        assert!(error("2", 2).starts_with("2 threads on 1 processor (2): "), "{}", error("2", 2));
        assert!(error("", 1).starts_with("1 threads on 0 processors"));
    }

    #[test]
    fn threads_are_placed_by_nodes() {
        let machine = |allowed, here| Machine {
            nodes: vec![cpus("0-3"), cpus("4-7")],
            allowed: cpus(allowed),
            here: Some(here),
        };
        let place = |allowed, here, numa, n| {
            machine(allowed, here).place(numa, n).map_err(|error| error.to_string())
        };
        let (first, second) = (cpus("0-3"), cpus("4-7"));
        assert_eq!(place("0-7", 0, Numa::Distribute, 3), Ok(vec![first, second, first]));
        assert_eq!(place("0-7", 5, Numa::Isolate, 2), Ok(vec![second; 2]));
        assert_eq!(place("0-5", 5, Numa::Isolate, 2), Ok(vec![cpus("4-5"); 2]));
        assert!(
            place("0-5", 5, Numa::Isolate, 3)
                .unwrap_err()
                .starts_with("3 threads on 2 processors (4-5)")
        );
        assert!(
            place("0-4", 0, Numa::Distribute, 4)
                .unwrap_err()
                .starts_with("2 threads on 1 processor (4)")
        );
        assert_eq!(place("4-7", 4, Numa::Numactl, 2), Ok(vec![second; 2]));
        assert!(
            place("0-7", 4, Numa::Numactl, 2).unwrap_err().contains("start it through numactl")
        );
        let single = Machine { nodes: vec![first], allowed: first, here: Some(0) };
        for numa in Numa::ALL {
            assert!(single.place(numa, 1).unwrap_err().to_string().contains("one memory node"));
        }
    }

    #[cfg(not(miri))]
    #[test]
    fn nodes_are_read_in_order_and_those_without_processors_left_out() {
        let sys = std::env::temp_dir().join(format!("pacemark-nodes-{}", std::process::id()));
        for (name, list) in
            [("node10", "6-7\n"), ("node2", "0-5\n"), ("node3", "\n"), ("possible", "0-3\n")]
        {
            let node = sys.join("devices/system/node").join(name);
            std::fs::create_dir_all(&node).unwrap();
            std::fs::write(node.join("cpulist"), list).unwrap();
        }
        assert_eq!(nodes(&sys), [cpus("0-5"), cpus("6-7")]);
        std::fs::remove_dir_all(&sys).unwrap();
        assert!(nodes(&sys).is_empty());
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn a_team_runs_where_it_is_placed_and_its_leader_returns() {
        let before = Cpus::current().unwrap();
        let n_threads = before.count().min(3);
        for strict in [false, true] {
            let sets = Place::Mask { cpus: before, strict }.of_threads(n_threads).unwrap();
            let team = crate::Team::placed(n_threads, &sets).unwrap();
            let found = std::sync::Mutex::new(Vec::new());
            // Tasks that wait for each other, so that every thread takes one.
            let barrier = std::sync::Barrier::new(n_threads);
            team.run(n_threads, &|_| {
                barrier.wait();
                found.lock().unwrap().push(Cpus::current().unwrap());
            });
            let mut found = found.into_inner().unwrap();
            found.sort_by_key(|cpus| cpus.iter().next());
            assert_eq!(found, sets);
            drop(team);
            assert_eq!(Cpus::current().unwrap(), before);
        }
    }
}
