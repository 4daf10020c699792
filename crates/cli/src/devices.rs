//! The devices of this machine: as facts of `doctor`, and sampled while `bench` measures.

use pacemark_bench::{Metered, Observer};
use pacemark_devices::{Absent, Devices, Kind, Sampler};
use serde_json::{Value, json};

/// Which devices can be read, and what can't be and why.
pub(crate) fn facts() -> [Value; 2] {
    let devices = Devices::here();
    let known = devices.identities().into_iter().map(|of| {
        let kind = match of.kind {
            Kind::Package => "package",
            Kind::Graphics => "graphics",
        };
        json!({ "name": of.name, "at": of.at, "kind": kind, "total_bytes": of.total_bytes })
    });
    let known = Value::Array(known.collect());
    let absent = |of: &Absent| json!({ "what": of.what, "cause": of.cause, "remedy": of.remedy });
    [known, Value::Array(devices.absent.iter().map(absent).collect())]
}

/// Samples the devices of this machine during measurements.
pub(crate) struct Meters {
    sampler: Sampler,
    /// What can't be read and why, a sentence each, with the command that mends it.
    pub(crate) absent: Vec<String>,
}

impl Meters {
    /// All that can be read; none where they are not wanted.
    pub(crate) fn new(wanted: bool) -> Meters {
        if !wanted {
            return Meters { sampler: Sampler::new(Vec::new()), absent: Vec::new() };
        }
        let Devices { meters, absent } = Devices::here();
        let said = absent.iter().map(|of| match &of.remedy {
            Some(remedy) => format!("{of}; {remedy}"),
            None => of.to_string(),
        });
        Meters { sampler: Sampler::new(meters), absent: said.collect() }
    }

    /// Watches one measurement of as many things in turn as there are `pids`: of each the process
    /// that computes.
    pub(crate) fn watch<'o>(
        &'o self,
        observer: &'o mut dyn Observer,
        pids: Vec<Option<u32>>,
    ) -> Metered<'o> {
        Metered::new(observer, &self.sampler, pids)
    }
}
