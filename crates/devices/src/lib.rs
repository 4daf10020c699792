//! What devices do while something runs: utilisation, memory, power, clocks and throttling of
//! graphics cards, energy of processors. NVIDIA's are asked through NVML, AMD's through `/sys`,
//! processors through RAPL. What is absent is absent with its cause, never guessed. What the samples
//! come to (energy per token) is the caller's.

mod amd;
mod device;
mod files;
mod find;
mod nvml;
mod rapl;
mod sampler;
#[cfg(test)]
mod testing;

pub use device::{Absent, Identity, Kind, Meter, Reading};
pub use files::Roots;
pub use find::Devices;
pub use nvml::{Fault, LIBRARIES, Nvml, load as load_nvml};
pub use sampler::{Course, Mark, Sample, Sampler};
