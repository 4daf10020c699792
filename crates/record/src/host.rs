//! What limits this machine besides its processor: caches, frequency governor, huge pages, memory
//! nodes. Reads `/sys` only; what the system does not tell is `None` or empty.

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// One level of cache, as the first processor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// 1, 2, 3.
    pub level: u32,
    /// `Data`, `Instruction` or `Unified`.
    pub kind: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Processors that share it, e.g. `0-1`.
    pub shared_by: String,
}

/// Facts about the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Caches, nearest first.
    pub caches: Vec<Cache>,
    /// Policy that sets the processor's frequency, e.g. `performance`; none on most virtual
    /// machines.
    pub governor: Option<String>,
    /// When memory is given huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// Memory nodes (NUMA); 1 on most machines.
    pub memory_nodes: Option<usize>,
}

impl Host {
    /// This machine.
    pub fn read() -> Host {
        Host::read_from(Path::new("/sys"))
    }

    fn read_from(sys: &Path) -> Host {
        let text =
            |path: &str| fs::read_to_string(sys.join(path)).ok().map(|text| text.trim().to_owned());
        let nodes = fs::read_dir(sys.join("devices/system/node")).ok();
        Host {
            caches: (0..8)
                .map_while(|i| cache(&sys.join(format!("devices/system/cpu/cpu0/cache/index{i}"))))
                .collect(),
            governor: text("devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            huge_pages: text("kernel/mm/transparent_hugepage/enabled")
                .and_then(|modes| chosen(&modes)),
            memory_nodes: nodes.map(|entries| {
                let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                names.filter(|name| is_node(name)).count()
            }),
        }
    }
}

/// `node0`, `node1`, …
fn is_node(name: &str) -> bool {
    name.strip_prefix("node")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// The word in brackets of `always [madvise] never`.
fn chosen(modes: &str) -> Option<String> {
    modes
        .split_whitespace()
        .find_map(|mode| mode.strip_prefix('[')?.strip_suffix(']'))
        .map(str::to_owned)
}

fn cache(index: &Path) -> Option<Cache> {
    let text =
        |name: &str| fs::read_to_string(index.join(name)).ok().map(|text| text.trim().to_owned());
    Some(Cache {
        level: text("level")?.parse().ok()?,
        kind: text("type")?,
        bytes: size(&text("size")?)?,
        shared_by: text("shared_cpu_list")?,
    })
}

/// `32K`, `1M` or plain bytes.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(number) => (number, text.as_bytes()[number.len()]),
        None => (text, b' '),
    };
    let shift = match unit {
        b'K' => 10,
        b'M' => 20,
        b'G' => 30,
        _ => 0,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_sys() {
        assert_eq!(size("32K"), Some(32 << 10));
        assert_eq!(size("99999999999999999999K"), None);
        assert_eq!(size("K"), None);
        assert_eq!(chosen("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!(chosen("always"), None);
        assert!(is_node("node0") && !is_node("node") && !is_node("nodes"));
    }

    #[test]
    fn a_tree_without_the_files_gives_nothing() {
        assert_eq!(Host::read_from(Path::new("/nonexistent")), Host::default());
    }
}
