//! All devices of a machine, and what it has none of.

use crate::device::{Absent, Identity, Meter};
use crate::files::Roots;
use crate::nvml::{self, Nvml};
use crate::{amd, rapl};
use std::sync::Arc;

/// What can be read, and what can't.
pub struct Devices {
    /// Graphics cards, then packages.
    pub meters: Vec<Box<dyn Meter>>,
    /// What is missing, with its cause.
    pub absent: Vec<Absent>,
}

impl Devices {
    /// Those of this machine.
    pub fn here() -> Devices {
        Devices::of(&Roots::here(), nvml::load())
    }

    /// Those whose files lie under `roots`, and those of `nvml`, or why there is none.
    pub fn of(roots: &Roots, nvml: Result<Arc<dyn Nvml>, String>) -> Devices {
        let (mut meters, mut absent) = (Vec::new(), Vec::new());
        let nvidia = nvml.and_then(|library| {
            let cards = nvml::cards(&library).map_err(|fault| format!("NVML: {fault}"))?;
            if cards.is_empty() { Err("NVML knows no device".to_owned()) } else { Ok(cards) }
        });
        // One machine has one of them: whoever has a card is not told of the other maker.
        match (nvidia, amd::find(roots)) {
            (Err(why), Err(amd)) => {
                let cause = format!("{why}, and {}", amd.cause);
                absent.push(Absent { what: "graphics device", cause, remedy: None });
            }
            (nvidia, amd) => {
                meters.extend(nvidia.into_iter().flatten());
                meters.extend(amd.into_iter().flatten());
            }
        }
        let (packages, missing) = rapl::find(roots);
        meters.extend(packages);
        absent.extend(missing);
        Devices { meters, absent }
    }

    /// Which can be read.
    pub fn identities(&self) -> Vec<Identity> {
        self.meters.iter().map(|meter| meter.identity().clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MockNvml, Tree};

    #[test]
    fn a_machine_with_everything_and_one_with_nothing() {
        let tree = Tree::new("find");
        let nothing = Devices::of(&tree.roots(), Err("libnvidia-ml.so.1 was not found".into()));
        assert!(nothing.meters.is_empty());
        let said: Vec<String> = nothing.absent.iter().map(Absent::to_string).collect();
        let sys = tree.roots().sys;
        let sys = sys.display();
        assert_eq!(
            said,
            [
                format!(
                    "no graphics device: libnvidia-ml.so.1 was not found, and {sys}/class/drm is not there"
                ),
                format!("no energy of processors: {sys}/class/powercap is not there"),
            ]
        );
        tree.zone("intel-rapl:0", "package-0", "1", "9");
        tree.write("sys/class/drm/card0/device/vendor", "0x1002");
        let all = Devices::of(&tree.roots(), Ok(MockNvml::default().shared()));
        let names: Vec<String> = all.identities().into_iter().map(|of| of.name).collect();
        assert_eq!(names, ["NVIDIA L4", "AMD card0 ()", "package-0"]);
        assert_eq!(all.absent, []);
    }
}
