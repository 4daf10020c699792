//! A device that can be read, and what one reading of it says.

/// What a device is to whoever adds up energies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A package of processors, or the memory beside it.
    Package,
    /// A graphics card.
    Graphics,
}

/// Which device it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// As its maker calls it, e.g. `NVIDIA L4`, or its zone of RAPL, e.g. `package-0`.
    pub name: String,
    /// Where it is asked, e.g. `NVML device 0` or a directory.
    pub at: String,
    /// What it is.
    pub kind: Kind,
    /// Its own memory, bytes.
    pub total_bytes: Option<u64>,
}

/// One reading. What the device does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Share of the time in which it computed, 0 to 1, over the device's own period.
    pub utilisation: Option<f64>,
    /// Of its memory, what is in use by anyone, bytes.
    pub memory_bytes: Option<u64>,
    /// Of its memory, what the process that was asked for uses, bytes.
    pub process_bytes: Option<u64>,
    /// Power that it draws, watts.
    pub power_w: Option<f64>,
    /// Clock of what computes, MHz.
    pub clock_mhz: Option<u64>,
    /// Clock of its memory, MHz.
    pub memory_clock_mhz: Option<u64>,
    /// What it has used since some time in the past, joules: never falls.
    pub energy_j: Option<f64>,
    /// Why its clock is lower than it could be, a few words each; empty where nothing holds it back.
    pub throttled: Vec<String>,
}

/// A device that can be read again and again.
pub trait Meter: Send {
    /// Which it is.
    fn identity(&self) -> &Identity;

    /// What it says now; of process `pid` too, where one is given. `Err` where it can't be read any
    /// more, and why: it is not asked again.
    fn read(&mut self, pid: Option<u32>) -> Result<Reading, String>;
}

/// Something that there is not, or that may not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// What is missing because of it, e.g. `energy`.
    pub what: &'static str,
    /// What was looked for and what became of it.
    pub cause: String,
    /// A command that mends it.
    pub remedy: Option<String>,
}

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no {}: {}", self.what, self.cause)
    }
}
