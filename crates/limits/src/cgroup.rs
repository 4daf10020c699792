//! The control groups of this process: where each one's files are, from its own up to the highest
//! that can be seen.
//!
//! Which group: `/proc/self/cgroup` (cgroups(7)). Where its files are: the mount that has the
//! controller, in `/proc/self/mountinfo` (proc(5)), whose own root may be a group below the
//! hierarchy's: a container sees its group as the root.

use crate::System;
use std::path::{Component, Path, PathBuf};

/// Version of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// Folders of groups, the process's own first, each with its name below the highest.
pub(crate) struct Groups {
    pub version: Version,
    pub folders: Vec<(String, PathBuf)>,
}

impl Groups {
    /// Those that have a controller's files: one hierarchy of the first version, or the second
    /// version's. In a hybrid system there are both, and a controller is in one of them.
    pub(crate) fn of(system: &System, controller: &str) -> Vec<Groups> {
        let own = system.read(Path::new("/proc/self/cgroup")).unwrap_or_default();
        let mounts = system.read(Path::new("/proc/self/mountinfo")).unwrap_or_default();
        let find = |version| {
            let group = own.lines().find_map(|line| group(line, version, controller))?;
            let mount =
                mounts.lines().filter_map(mount).find(|mount| mount.has(version, controller))?;
            Some(Groups { version, folders: folders(system, &mount, group) })
        };
        [Version::V1, Version::V2].into_iter().filter_map(find).collect()
    }
}

/// The path in `ID:CONTROLLERS:PATH`, if the line is of that controller; the second version's line
/// names none.
fn group<'a>(line: &'a str, version: Version, controller: &str) -> Option<&'a str> {
    let mut parts = line.splitn(3, ':');
    let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = match version {
        Version::V1 => controllers.split(',').any(|name| name == controller),
        Version::V2 => id == "0" && controllers.is_empty(),
    };
    fits.then_some(path)
}

/// A line of mountinfo.
struct Mount<'a> {
    /// What of the file system is mounted.
    root: String,
    point: String,
    kind: &'a str,
    options: &'a str,
}

impl Mount<'_> {
    fn has(&self, version: Version, controller: &str) -> bool {
        match version {
            Version::V1 => {
                self.kind == "cgroup" && self.options.split(',').any(|option| option == controller)
            }
            Version::V2 => self.kind == "cgroup2",
        }
    }
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELD…] - KIND SOURCE OPTIONS`.
fn mount(line: &str) -> Option<Mount<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let (mut before, mut after) = (before.split(' ').skip(3), after.split(' '));
    let (root, point) = (unescaped(before.next()?), unescaped(before.next()?));
    Some(Mount { root, point, kind: after.next()?, options: after.nth(1)? })
}

/// Blanks and such are written as three octal digits.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok())
            .filter(u8::is_ascii)
        {
            Some(byte) => {
                out.push(byte.into());
                out.push_str(&part[3..]);
            }
            None => {
                out.push('\\');
                out.push_str(part);
            }
        }
    }
    out
}

/// The group's folder and the ones above it, up to the mount. Of a group that cannot be seen from
/// here (one outside of the process's namespace, or that the mount does not hold) the highest that
/// can be seen is what is known.
fn folders(system: &System, mount: &Mount<'_>, group: &str) -> Vec<(String, PathBuf)> {
    let below = Path::new(group).strip_prefix(&mount.root).unwrap_or(Path::new(""));
    let below = below.strip_prefix("/").unwrap_or(below);
    let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    let point = Path::new(&mount.point);
    let seen = plain && system.of(&point.join(below)).is_dir();
    let below = if seen { below } else { Path::new("") };
    below.ancestors().map(|path| (format!("/{}", path.display()), point.join(path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc() {
        assert_eq!(group("4:cpu,cpuacct:/a:b", Version::V1, "cpu"), Some("/a:b"));
        assert_eq!(group("4:cpuset:/a", Version::V1, "cpu"), None);
        assert_eq!(
            (group("0::/a", Version::V2, "x"), group("1:name=systemd:/", Version::V2, "x")),
            (Some("/a"), None)
        );
        let mount =
            mount(r"35 31 0:32 /x /sys/fs/c\040g rw shared:9 - cgroup cgroup rw,memory").unwrap();
        assert_eq!((mount.root.as_str(), mount.point.as_str()), ("/x", "/sys/fs/c g"));
        assert!(
            mount.has(Version::V1, "memory")
                && !mount.has(Version::V1, "cpu")
                && !mount.has(Version::V2, "memory")
        );
        assert!(super::mount("nonsense").is_none() && super::mount("a - b").is_none());
        assert_eq!(unescaped(r"\9 \12"), r"\9 \12");
    }
}
