//! Energy of processors: RAPL's counters, as the kernel's powercap framework shows them.
//!
//! A package is `intel-rapl:N` (AMD's processors too), the memory beside it its zone `dram`; cores
//! are within the package, and `psys` is the whole board, so neither is added. Counters are in
//! microjoules and begin again at zero after `max_energy_range_uj`, some minutes to hours of full
//! load: a reading every 100 ms misses no such turn.

use crate::device::{Absent, Identity, Kind, Meter, Reading};
use crate::files::{self, Roots, why};
use std::io;
use std::path::{Path, PathBuf};

const WHAT: &str = "energy of processors";

/// The zones that can be read, and why others can't.
pub(crate) fn find(roots: &Roots) -> (Vec<Box<dyn Meter>>, Vec<Absent>) {
    let directory = roots.sys.join("class/powercap");
    let absent = |cause| Absent { what: WHAT, cause, remedy: None };
    let shown = directory.display();
    let names = match files::names(&directory) {
        Ok(names) => names,
        Err(error) => return (Vec::new(), vec![absent(format!("{shown} {}", why(&error)))]),
    };
    let (mut meters, mut absences): (Vec<Box<dyn Meter>>, _) = (Vec::new(), Vec::new());
    for name in names.iter().filter(|name| is_zone(name)) {
        match Zone::open(&directory.join(name), name) {
            Ok(Some(zone)) => meters.push(Box::new(zone)),
            Ok(None) => {}
            Err(why) => absences.push(why),
        }
    }
    if meters.is_empty() && absences.is_empty() {
        let cause =
            format!("{shown} has no intel-rapl:0 (a virtual machine, or another processor)");
        absences.push(absent(cause));
    }
    (meters, absences)
}

/// `intel-rapl:0` or `intel-rapl:0:2`. `intel-rapl-mmio:0` is the same package once more.
fn is_zone(name: &str) -> bool {
    let Some(numbers) = name.strip_prefix("intel-rapl:") else { return false };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    numbers.split(':').all(is_number) && numbers.split(':').count() <= 2
}

struct Zone {
    identity: Identity,
    counter: PathBuf,
    /// The counter's largest value.
    range_uj: Option<u64>,
    last_uj: u64,
    /// Since it was opened.
    used_uj: u64,
}

impl Zone {
    /// `None` of a zone that lies within another or around all.
    fn open(path: &Path, at: &str) -> Result<Option<Zone>, Absent> {
        let name = files::text(&path.join("name")).unwrap_or_else(|_| at.to_owned());
        let is_package = !at["intel-rapl:".len()..].contains(':');
        if if is_package { name == "psys" } else { name != "dram" } {
            return Ok(None);
        }
        let counter = path.join("energy_uj");
        let last_uj = count(&counter).map_err(|error| {
            let forbidden = error.kind() == io::ErrorKind::PermissionDenied;
            Absent {
                what: WHAT,
                cause: format!("{} {}", counter.display(), why(&error)),
                remedy: forbidden.then(|| format!("sudo chmod o+r {}", counter.display())),
            }
        })?;
        let name = if is_package { name } else { format!("{name} of {}", at_package(at)) };
        let at = path.display().to_string();
        Ok(Some(Zone {
            identity: Identity { name, at, kind: Kind::Package, total_bytes: None },
            range_uj: files::number(&path.join("max_energy_range_uj")),
            counter,
            last_uj,
            used_uj: 0,
        }))
    }
}

fn at_package(at: &str) -> &str {
    at.rsplit_once(':').map_or(at, |(package, _)| package)
}

fn count(path: &Path) -> io::Result<u64> {
    let text = files::text(path)?;
    let junk = |_| io::Error::new(io::ErrorKind::InvalidData, "it is no whole number");
    text.parse().map_err(junk)
}

impl Meter for Zone {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn read(&mut self, _: Option<u32>) -> Result<Reading, String> {
        let shown = self.counter.display();
        let now = count(&self.counter).map_err(|error| format!("{shown} {}", why(&error)))?;
        let passed = match self.range_uj {
            _ if now >= self.last_uj => now - self.last_uj,
            Some(range) if range >= self.last_uj => (range - self.last_uj).saturating_add(now),
            _ => return Err(format!("{shown} fell from {} to {now}", self.last_uj)),
        };
        self.last_uj = now;
        self.used_uj = self.used_uj.saturating_add(passed);
        Ok(Reading { energy_j: Some(self.used_uj as f64 / 1e6), ..Reading::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    fn joules(meter: &mut dyn Meter) -> f64 {
        meter.read(None).unwrap().energy_j.unwrap()
    }

    #[test]
    fn packages_and_their_memory_are_counted_once() {
        let tree = Tree::new("rapl-zones");
        for (zone, name) in [
            ("intel-rapl:0", "package-0"),
            ("intel-rapl:0:0", "core"),
            ("intel-rapl:0:1", "dram"),
            ("intel-rapl:1", "psys"),
            ("intel-rapl:2", "package-1"),
            ("intel-rapl-mmio:0", "package-0"),
        ] {
            tree.zone(zone, name, "5000000", "262143328850");
        }
        let (meters, absences) = find(&tree.roots());
        let names: Vec<&str> = meters.iter().map(|m| m.identity().name.as_str()).collect();
        assert_eq!(names, ["package-0", "package-1", "dram of intel-rapl:0"]);
        assert_eq!(absences, []);
    }

    #[test]
    fn a_counter_that_begins_again_is_followed() {
        let tree = Tree::new("rapl-turns");
        tree.zone("intel-rapl:0", "package-0", "9000000", "10000000");
        let mut meter = find(&tree.roots()).0.remove(0);
        assert_eq!(joules(&mut *meter), 0.0);
        tree.counter("intel-rapl:0", "9500000");
        assert_eq!(joules(&mut *meter), 0.5);
        tree.counter("intel-rapl:0", "2000000");
        assert_eq!(joules(&mut *meter), 3.0, "0.5 to the end of the range, then 2");
        tree.counter("intel-rapl:0", "1000000");
        assert_eq!(joules(&mut *meter), 12.0, "and once more");
    }

    #[test]
    fn what_cannot_be_is_told() {
        let tree = Tree::new("rapl-junk");
        assert!(find(&tree.roots()).1[0].cause.ends_with("class/powercap is not there"));
        tree.write("sys/class/powercap/dtpm/name", "x");
        let (_, absences) = find(&tree.roots());
        assert!(absences[0].cause.contains("has no intel-rapl:0"), "{absences:?}");
        tree.zone("intel-rapl:0", "package-0", "none", "1");
        let (meters, absences) = find(&tree.roots());
        assert!(meters.is_empty() && absences[0].remedy.is_none());
        assert!(absences[0].cause.contains("it is no whole number"), "{absences:?}");
        tree.counter("intel-rapl:0", &u64::MAX.to_string());
        let mut meter = find(&tree.roots()).0.remove(0);
        assert_eq!(joules(&mut *meter), 0.0);
        tree.counter("intel-rapl:0", "7");
        let why = meter.read(None).unwrap_err();
        assert!(why.contains("fell from 18446744073709551615 to 7"), "beyond its range: {why}");
        tree.remove("sys/class/powercap/intel-rapl:0/energy_uj");
        assert!(meter.read(None).unwrap_err().ends_with("energy_uj is not there"));
    }

    /// Root reads what it likes, so the error is made rather than met.
    #[test]
    fn a_counter_for_root_alone_names_the_command() {
        let tree = Tree::new("rapl-forbidden");
        tree.zone("intel-rapl:0", "package-0", "1", "9");
        let path = tree.forbid("sys/class/powercap/intel-rapl:0/energy_uj");
        let (meters, absences) = find(&tree.roots());
        if meters.is_empty() {
            assert_eq!(absences[0].remedy, Some(format!("sudo chmod o+r {path}")));
            let said = absences[0].to_string();
            assert_eq!(said, format!("no {WHAT}: {path} may not be read by this user"));
        } else {
            let denied = io::Error::from(io::ErrorKind::PermissionDenied);
            assert_eq!(why(&denied), "may not be read by this user");
        }
    }
}
