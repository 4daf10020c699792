//! The library itself, through `nvml-wrapper`.

use super::{Fault, Nvml};
use nvml_wrapper::enum_wrappers::device::Clock;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml as Loaded};
use std::ffi::OsStr;
use std::sync::Arc;

/// Names of the library: the driver installs the first, the second comes with CUDA's headers.
pub const LIBRARIES: &[&str] = &["libnvidia-ml.so.1", "libnvidia-ml.so"];

/// Loads the library; what was looked for and what became of it where there is none.
pub fn load() -> Result<Arc<dyn Nvml>, String> {
    for name in LIBRARIES {
        match Loaded::builder().lib_path(OsStr::new(name)).init() {
            Ok(loaded) => return Ok(Arc::new(Library(loaded))),
            // Another name may be there.
            Err(NvmlError::LibloadingError(_)) => {}
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    Err(format!("{} was not found", LIBRARIES[0]))
}

struct Library(Loaded);

impl Library {
    fn ask<T>(
        &self,
        index: u32,
        what: impl FnOnce(&Device<'_>) -> Result<T, NvmlError>,
    ) -> Result<T, Fault> {
        self.0.device_by_index(index).and_then(|device| what(&device)).map_err(fault)
    }
}

fn fault(error: NvmlError) -> Fault {
    use NvmlError::{GpuLost, ResetRequired, Uninitialized};
    match error {
        GpuLost | ResetRequired | Uninitialized => Fault::Gone(error.to_string()),
        _ => Fault::Without,
    }
}

impl Nvml for Library {
    fn n_devices(&self) -> Result<u32, Fault> {
        self.0.device_count().map_err(|error| Fault::Gone(error.to_string()))
    }

    fn name(&self, index: u32) -> Result<String, Fault> {
        self.ask(index, |device| device.name())
    }

    fn memory(&self, index: u32) -> Result<(u64, u64), Fault> {
        self.ask(index, |device| device.memory_info().map(|memory| (memory.total, memory.used)))
    }

    fn utilisation_percent(&self, index: u32) -> Result<u32, Fault> {
        self.ask(index, |device| device.utilization_rates().map(|rates| rates.gpu))
    }

    fn power_mw(&self, index: u32) -> Result<u32, Fault> {
        self.ask(index, |device| device.power_usage())
    }

    fn energy_mj(&self, index: u32) -> Result<u64, Fault> {
        self.ask(index, |device| device.total_energy_consumption())
    }

    fn clocks_mhz(&self, index: u32) -> Result<(u32, u32), Fault> {
        self.ask(index, |d| Ok((d.clock_info(Clock::SM)?, d.clock_info(Clock::Memory)?)))
    }

    fn throttle_bits(&self, index: u32) -> Result<u64, Fault> {
        self.ask(index, |device| device.current_throttle_reasons().map(|reasons| reasons.bits()))
    }

    fn processes(&self, index: u32) -> Result<Vec<(u32, u64)>, Fault> {
        let used = |process: ProcessInfo| match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some((process.pid, bytes)),
            UsedGpuMemory::Unavailable => None,
        };
        self.ask(index, |device| {
            let computing = device.running_compute_processes()?;
            // A process that does both stands in both lists with all that it has.
            let drawing = device.running_graphics_processes().unwrap_or_default();
            let drawing =
                drawing.into_iter().filter(|p| computing.iter().all(|other| other.pid != p.pid));
            let drawing: Vec<ProcessInfo> = drawing.collect();
            Ok(computing.into_iter().chain(drawing).filter_map(used).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lost_card_is_lost() {
        assert_eq!(fault(NvmlError::NotSupported), Fault::Without);
        assert_eq!(fault(NvmlError::NoPermission), Fault::Without);
        assert!(matches!(fault(NvmlError::GpuLost), Fault::Gone(_)));
    }

    /// With a driver or without, it is an answer and no panic.
    #[test]
    fn the_library_is_there_or_what_was_looked_for_is_said() {
        match load() {
            Ok(library) => assert!(library.n_devices().is_ok()),
            Err(why) => assert!(why.starts_with("libnvidia-ml.so"), "{why}"),
        }
    }
}
