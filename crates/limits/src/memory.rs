//! Memory: what the machine has left, what the control groups leave of their limits, and what the
//! process's own address space may still grow by. The least of them is what can be planned with.

use crate::System;
use crate::cgroup::{Groups, Version};
use std::fmt;
use std::path::Path;

/// A limit below the machine's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Bytes.
    pub bytes: u64,
    /// Who sets it: `control group /a/b`, `ulimit -v`.
    pub by: String,
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB by {}", self.bytes >> 20, self.by)
    }
}

/// What this process may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes that it can still take; `None` where nothing tells.
    pub available: Option<u64>,
    /// The limit that leaves so much; none where that is the machine.
    pub bound_by: Option<MemoryLimit>,
    /// The lowest limit, whatever is left of it.
    pub limit: Option<MemoryLimit>,
}

impl Memory {
    /// Now.
    pub fn of(system: &System) -> Memory {
        let machine = system.kib("/proc/meminfo", "MemAvailable");
        let total = system.kib("/proc/meminfo", "MemTotal");
        let mut limits = groups(system);
        limits.extend(address_space(system));
        // What is above the machine's memory limits nothing: the first version's word for no limit
        // is such a number.
        limits.retain(|(limit, _)| total.is_none_or(|total| limit.bytes < total));
        let limit = limits.iter().map(|(limit, _)| limit).min_by_key(|limit| limit.bytes).cloned();
        let tightest = limits.into_iter().min_by_key(|(_, left)| *left);
        match tightest.filter(|(_, left)| machine.is_none_or(|machine| *left < machine)) {
            Some((by, left)) => Memory { available: Some(left), bound_by: Some(by), limit },
            None => Memory { available: machine, bound_by: None, limit },
        }
    }
}

/// Bytes of the pages in which the system gives memory that large pages were asked for
/// (`transparent_hugepage` of the kernel's admin guide); the small ones' where it gives none.
pub fn large_page(system: &System) -> usize {
    const SMALL: usize = 4096;
    let read = |name: &str| {
        system
            .read(&Path::new("/sys/kernel/mm/transparent_hugepage").join(name))
            .unwrap_or_default()
    };
    if read("enabled").contains("[never]") {
        return SMALL;
    }
    read("hpage_pmd_size").trim().parse().ok().filter(|page| *page >= SMALL).unwrap_or(SMALL)
}

/// Every group's limit, with what is left of it.
fn groups(system: &System) -> Vec<(MemoryLimit, u64)> {
    let mut found = Vec::new();
    for Groups { version, folders } in Groups::of(system, "memory") {
        for (name, folder) in folders {
            let text = |file: &str| system.read(&folder.join(file));
            // The second version's "max" is no number: no limit.
            let number = |file: &str| text(file)?.trim().parse::<u64>().ok();
            let stat = text("memory.stat").unwrap_or_default();
            let of_stat = |key: &str| {
                stat.lines().find_map(|line| {
                    line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse::<u64>().ok()
                })
            };
            let (limit, usage, file_pages) = match version {
                Version::V1 => (
                    // The kernel knows of groups above that are not to be seen from here.
                    number("memory.limit_in_bytes")
                        .into_iter()
                        .chain(of_stat("hierarchical_memory_limit"))
                        .min(),
                    number("memory.usage_in_bytes"),
                    ["total_inactive_file", "total_active_file"],
                ),
                Version::V2 => (
                    // Above `high` nothing is refused, but everything waits.
                    number("memory.max").into_iter().chain(number("memory.high")).min(),
                    number("memory.current"),
                    ["inactive_file", "active_file"],
                ),
            };
            let Some(bytes) = limit else { continue };
            // Pages of files are given back before anything is refused; the kernel's own
            // MemAvailable counts them as it does here.
            let given_back: u64 = file_pages.iter().filter_map(|key| of_stat(key)).sum();
            let used = usage.unwrap_or(0).saturating_sub(given_back);
            found.push((
                MemoryLimit { bytes, by: format!("control group {name}") },
                bytes.saturating_sub(used),
            ));
        }
    }
    found
}

/// The limit of the process's addresses (`RLIMIT_AS`), with what is left of it.
fn address_space(system: &System) -> Option<(MemoryLimit, u64)> {
    let limits = system.read(Path::new("/proc/self/limits"))?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let bytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    let used = system.kib("/proc/self/status", "VmSize")?;
    Some((MemoryLimit { bytes, by: "ulimit -v".to_owned() }, bytes.saturating_sub(used)))
}
