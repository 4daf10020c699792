//! What the machine says about itself: the only module here that does I/O, and it reads (and once
//! writes) `/proc` only.
//!
//! Every function answers `None` where there is no such file, as on other systems than Linux.

use std::fs;

/// Name of the processor, from `/proc/cpuinfo`.
pub fn cpu_model() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    // "model name" on x86, "Model" on some ARM boards.
    ["model name", "Model", "cpu model"]
        .iter()
        .find_map(|key| value_of(&info, key))
        .map(str::to_owned)
}

/// Physical memory in bytes.
pub fn memory_bytes() -> Option<u64> {
    kib(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal")
}

/// Operating system and kernel release, e.g. `Linux 6.12.0`.
pub fn kernel() -> Option<String> {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
    Some(format!("{} {}", read("ostype")?.trim(), read("osrelease")?.trim()))
}

/// Runnable processes, averaged over the last minute.
pub fn load_average_1m() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// The boot of this machine: processes that see the same one have one monotonic clock.
pub fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// Highest resident memory of this process in bytes since it began, or since [`reset_peak_rss`].
pub fn peak_rss_bytes() -> Option<u64> {
    kib(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM")
}

/// The same of another process on this machine.
pub fn peak_rss_bytes_of(process: u32) -> Option<u64> {
    kib(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmHWM")
}

/// Resident memory of this process in bytes now.
pub fn rss_bytes() -> Option<u64> {
    kib(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS")
}

/// Starts the peak of [`peak_rss_bytes`] anew at what is resident now (`proc(5)`, `clear_refs`: 5).
/// False where the system has no such thing.
pub fn reset_peak_rss() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Processor time of all CPUs since the machine began, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTime {
    total: u64,
    steal: u64,
}

impl CpuTime {
    /// Now.
    pub fn now() -> Option<CpuTime> {
        parse_cpu_time(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Share of the time since `self` that the hypervisor gave to others, 0 to 1.
    pub fn steal_share_until(self, later: CpuTime) -> Option<f64> {
        let total = later.total.checked_sub(self.total).filter(|ticks| *ticks > 0)?;
        Some(later.steal.saturating_sub(self.steal) as f64 / total as f64)
    }
}

/// Bytes that the system fetched from storage for this process; `None` where it does not say.
pub fn storage_read_bytes() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("read_bytes:"))?.trim().parse().ok()
}

/// What the hypervisor gives to others from now on.
#[derive(Clone, Copy, Debug)]
pub struct StealWatch(Option<CpuTime>);

impl StealWatch {
    /// Begins now.
    pub fn begin() -> StealWatch {
        StealWatch(CpuTime::now())
    }

    /// The share until now, 0 to 1; `None` where the system does not tell.
    pub fn share(self) -> Option<f64> {
        self.0?.steal_share_until(CpuTime::now()?)
    }
}

/// The line `cpu  user nice system idle iowait irq softirq steal guest guest_nice`; guest time is
/// within user time.
fn parse_cpu_time(stat: &str) -> Option<CpuTime> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).take(8).map_while(|word| word.parse().ok()).collect();
    Some(CpuTime { total: ticks.iter().sum(), steal: *ticks.get(7)? })
}

/// The value of the first line `key : value`.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

/// The value of a line `key:  1234 kB`, in bytes.
fn kib(text: &str, key: &str) -> Option<u64> {
    let kib: u64 = value_of(text, key)?.strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc() {
        assert_eq!(
            value_of("processor\t: 0\nmodel name\t: AMD: Zen\n", "model name"),
            Some("AMD: Zen")
        );
        assert_eq!(kib("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\n", "VmHWM"), Some(2 << 20));
        assert_eq!(kib("VmHWM:\t2048\n", "VmHWM"), None);
    }

    #[test]
    fn steal_is_a_share_of_the_time_between() {
        let at = |user, steal| {
            parse_cpu_time(&format!("cpu  {user} 0 0 100 0 0 0 {steal} 0 0\ncpu0 1\n")).unwrap()
        };
        assert_eq!(at(0, 0).steal_share_until(at(60, 20)), Some(0.25));
        assert_eq!(at(5, 5).steal_share_until(at(5, 5)), None);
        assert_eq!(parse_cpu_time("cpu  1 2 3\n"), None);
    }
}
