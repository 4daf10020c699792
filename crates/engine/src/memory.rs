//! How much memory the system can still give.

/// `MemAvailable` of /proc/meminfo in bytes; `None` where there is no such file.
pub(crate) fn available_bytes() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn parse(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_kernels_format() {
        assert_eq!(super::parse("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2048 * 1024));
        assert_eq!(super::parse("MemTotal: 9 kB\n"), None);
    }
}
