//! Trees of made-up files that look like `/sys` and `/proc`.

use crate::{Fault, Nvml, Roots};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory of its own, removed when it is dropped.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn new(name: &str) -> Tree {
        let root =
            std::env::temp_dir().join(format!("pacemark-devices-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).unwrap();
        Tree { root }
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots { sys: self.root.join("sys"), proc: self.root.join("proc") }
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.root.join(path)).unwrap();
    }

    /// Nobody but root may read it.
    pub(crate) fn forbid(&self, path: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = self.root.join(path);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        path.display().to_string()
    }

    /// A zone of RAPL.
    pub(crate) fn zone(&self, zone: &str, name: &str, uj: &str, range_uj: &str) {
        self.write(&format!("sys/class/powercap/{zone}/name"), format!("{name}\n"));
        self.write(&format!("sys/class/powercap/{zone}/max_energy_range_uj"), range_uj);
        self.counter(zone, uj);
    }

    pub(crate) fn counter(&self, zone: &str, uj: &str) {
        self.write(&format!("sys/class/powercap/{zone}/energy_uj"), format!("{uj}\n"));
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// One card of NVIDIA's, of which everything is known.
#[derive(Debug)]
pub(crate) struct MockNvml {
    pub(crate) has_energy: bool,
    /// Readings until it falls off the bus.
    pub(crate) lost_after: usize,
    pub(crate) readings: AtomicUsize,
}

impl Default for MockNvml {
    fn default() -> MockNvml {
        MockNvml { has_energy: true, lost_after: usize::MAX, readings: AtomicUsize::new(0) }
    }
}

impl MockNvml {
    pub(crate) fn shared(self) -> Arc<dyn Nvml> {
        Arc::new(self)
    }
}

impl Nvml for MockNvml {
    fn n_devices(&self) -> Result<u32, Fault> {
        Ok(1)
    }
    fn name(&self, _: u32) -> Result<String, Fault> {
        Ok("NVIDIA L4".into())
    }
    fn memory(&self, _: u32) -> Result<(u64, u64), Fault> {
        Ok((24 << 30, 9 << 30))
    }
    fn utilisation_percent(&self, _: u32) -> Result<u32, Fault> {
        Ok(98)
    }
    fn power_mw(&self, _: u32) -> Result<u32, Fault> {
        Ok(71_500)
    }
    /// 1.5 J more with each reading.
    fn energy_mj(&self, _: u32) -> Result<u64, Fault> {
        let reading = self.readings.fetch_add(1, Ordering::Relaxed);
        if reading >= self.lost_after {
            return Err(Fault::Gone("the GPU has fallen off the bus".into()));
        }
        if self.has_energy { Ok(1500 * (reading as u64 + 1)) } else { Err(Fault::Without) }
    }
    fn clocks_mhz(&self, _: u32) -> Result<(u32, u32), Fault> {
        Ok((2040, 6251))
    }
    fn throttle_bits(&self, _: u32) -> Result<u64, Fault> {
        Ok(0x1 | 0x4 | 0x20 | 1 << 60)
    }
    fn processes(&self, _: u32) -> Result<Vec<(u32, u64)>, Fault> {
        Ok(vec![(41, 5 << 20), (7, 1 << 30), (41, 2 << 20)])
    }
}
