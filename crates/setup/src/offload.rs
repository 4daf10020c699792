//! Which devices compute which layers: processors of graphics on this machine, and workers on
//! others. Names and meanings are llama.cpp's, the engine that has them.

use std::fmt;
use std::time::Duration;

/// Where the layers of a model are computed, beside the processors of this machine.
///
/// ```
/// use pacemark_setup::{Offload, Setup};
///
/// let far = Offload { workers: vec!["10.0.0.2:50052".into()], ..Offload::default() };
/// assert!(!far.is_here() && Setup::default().offload.is_here());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Offload {
    /// Layers that devices compute, the last ones first; the output counts as one. `None` for all,
    /// which is none where there are no devices.
    pub n_layers: Option<u32>,
    /// How layers are shared out among devices.
    pub split: Split,
    /// The device that computes everything under [`Split::None`].
    pub main: u32,
    /// Shares of the devices, in their order; empty to go by their free memory.
    pub shares: Vec<f32>,
    /// The devices to use, by name; `None` for all that there are.
    pub devices: Option<Vec<String>>,
    /// Keys and values lie where their layer is computed, and else in main memory.
    pub kv: bool,
    /// Operations on weights in main memory may be computed by a device.
    pub ops: bool,
    /// Workers on other machines, each `host:port`; they are devices too.
    pub workers: Vec<String>,
    /// Workers may have addresses that anybody on the internet reaches.
    pub public: bool,
    /// A worker that gives no sign of life for so long is lost.
    pub dead_after: Duration,
}

impl Offload {
    /// How long a worker may be silent if nothing is said.
    pub const DEAD_AFTER: Duration = Duration::from_secs(10);

    /// Nothing of it asks for a device: only processors of this machine compute.
    pub fn is_here(&self) -> bool {
        let devices = self.devices.as_ref().is_none_or(Vec::is_empty);
        let layers = self.n_layers.is_none_or(|n| n == 0);
        let how = self.split == Split::Layer || self.split == Split::None;
        layers && how && self.main == 0 && devices && self.workers.is_empty() && !self.has_shares()
    }

    /// Shares were given: llama-bench writes `0` for none.
    pub fn has_shares(&self) -> bool {
        self.shares.iter().any(|share| *share != 0.0)
    }
}

impl Default for Offload {
    fn default() -> Offload {
        Offload {
            n_layers: None,
            split: Split::Layer,
            main: 0,
            shares: Vec::new(),
            devices: None,
            kv: true,
            ops: true,
            workers: Vec::new(),
            public: false,
            dead_after: Offload::DEAD_AFTER,
        }
    }
}

/// How a model is shared out among devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// One device computes all of it.
    None,
    /// Each device computes some of the layers, one device after the other.
    #[default]
    Layer,
    /// Each computes some rows of every matrix.
    Row,
    /// Each computes a part of every tensor, all at once.
    Tensor,
}

impl Split {
    /// All of them.
    pub const ALL: [Split; 4] = [Split::None, Split::Layer, Split::Row, Split::Tensor];

    /// Its name in llama.cpp's flags.
    pub fn name(self) -> &'static str {
        match self {
            Split::None => "none",
            Split::Layer => "layer",
            Split::Row => "row",
            Split::Tensor => "tensor",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Split> {
        Split::ALL.into_iter().find(|split| split.name() == name)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_asks_for_a_device_is_not_here() {
        let here = Offload::default;
        assert!(here().is_here());
        assert!(Offload { n_layers: Some(0), devices: Some(Vec::new()), ..here() }.is_here());
        assert!(Offload { shares: vec![0.0], split: Split::None, ..here() }.is_here());
        let asking = [
            Offload { n_layers: Some(1), ..here() },
            Offload { split: Split::Row, ..here() },
            Offload { main: 1, ..here() },
            Offload { shares: vec![1.0, 2.0], ..here() },
            Offload { devices: Some(vec!["CUDA0".into()]), ..here() },
            Offload { workers: vec!["a:1".into()], ..here() },
        ];
        for offload in asking {
            assert!(!offload.is_here(), "{offload:?}");
        }
        for split in Split::ALL {
            assert_eq!(Split::from_name(split.name()), Some(split));
        }
    }
}
