//! Processors: those that the process may run on, and how much of their time its control groups
//! give it.

use crate::System;
use crate::cgroup::{Groups, Version};
use std::path::Path;

/// What this process may compute on.
#[derive(Clone, Debug, PartialEq)]
pub struct Processors {
    /// Threads that can compute at a time: at least one.
    pub usable: usize,
    /// Processors that it may run on, where the system tells.
    pub allowed: Option<usize>,
    /// The lowest share of time, in processors, and the group that sets it; none where nobody does.
    pub quota: Option<(f64, String)>,
}

impl Processors {
    /// Now.
    pub fn of(system: &System) -> Processors {
        let status = system.read(Path::new("/proc/self/status")).unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let allowed = list.and_then(|list| count(list.trim())).filter(|n| *n > 0);
        let quota = quota(system);
        let all = allowed
            .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
            .unwrap_or(1);
        // Of a fraction of a processor a thread could use no more than that: it is not rounded up.
        let by_quota = quota.as_ref().map_or(usize::MAX, |(processors, _)| *processors as usize);
        Processors { usable: all.min(by_quota).max(1), allowed, quota }
    }

    /// What is less than the machine has, in words; none where nothing is.
    pub fn limit(&self) -> Option<String> {
        let (share, by) = self.quota.as_ref()?;
        Some(format!("{} processors' time by {by}", (share * 100.0).round() / 100.0))
    }
}

/// `0-3,8`.
fn count(list: &str) -> Option<usize> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    list.split(',').map(range).try_fold(0usize, |sum, n| sum.checked_add(n?))
}

fn quota(system: &System) -> Option<(f64, String)> {
    let mut found = Vec::new();
    for Groups { version, folders } in Groups::of(system, "cpu") {
        for (name, folder) in folders {
            let text = |file: &str| system.read(&folder.join(file));
            let pair = match version {
                Version::V1 => text("cpu.cfs_quota_us").zip(text("cpu.cfs_period_us")),
                // `QUOTA PERIOD` or `max PERIOD`.
                Version::V2 => text("cpu.max").and_then(|text| {
                    text.split_once(' ')
                        .map(|(quota, period)| (quota.to_owned(), period.to_owned()))
                }),
            };
            let Some((quota, period)) = pair else { continue };
            // No quota is -1 or "max", and a period of 0 is none.
            let quota = quota
                .trim()
                .parse::<u64>()
                .ok()
                .zip(period.trim().parse::<u64>().ok().filter(|us| *us > 0));
            found.extend(quota.map(|(quota, period)| {
                (quota as f64 / period as f64, format!("control group {name}"))
            }));
        }
    }
    found.into_iter().min_by(|a, b| a.0.total_cmp(&b.0))
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_of_processors() {
        assert_eq!(
            (super::count("0-3,8"), super::count("5"), super::count("3-1")),
            (Some(5), Some(1), None)
        );
        assert_eq!(
            (super::count(""), super::count("0-18446744073709551615"), super::count("a")),
            (None, None, None)
        );
    }
}
