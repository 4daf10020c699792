//! What a flag's value is to a test: a setting of its setup, or a word for the record alone.

use pacemark_backends::BackendEntry;
use pacemark_bench::{Parameter, Test};
use pacemark_setup::{CacheTypes, Cpus, DType, Place, Setup, Split};
use serde_json::Value;

/// What a value is to a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Choice {
    /// A whole number that changes nothing.
    Int(i64),
    /// Yes or no, which changes nothing.
    Bool(bool),
    /// A word that changes nothing.
    Str(&'static str),
    /// The type of keys in the KV cache.
    Keys(DType),
    /// The type of values.
    Values(DType),
    /// With flash attention, or without; or as the backend likes.
    FlashAttn(Option<bool>),
    /// How the file becomes memory.
    Load {
        /// Mapped, or read; or as the backend likes.
        mmap: Option<bool>,
        /// Locked there.
        mlock: bool,
    },
    /// Weights are packed.
    Pack(bool),
    /// Where the threads run, if not anywhere.
    Processors(Option<Cpus>),
    /// Each on a processor of its own.
    Strict(bool),
    /// Layers that devices compute; all of them.
    Layers(Option<u32>),
    /// How devices share a model.
    SplitMode(Split),
    /// The device that computes what is not split.
    Main(u32),
    /// The shares of devices.
    Shares(&'static [f32]),
    /// The devices; all of them.
    Devices(Option<&'static [String]>),
    /// The KV cache stays in main memory.
    KvHere(bool),
    /// Operations stay where their weights are.
    OpsHere(bool),
}

impl Choice {
    /// Gives it to a test, in which `parameter` records it. Where `--mlock` locks the weights, they
    /// stay locked however they are loaded.
    pub(crate) fn set(self, parameter: Parameter, test: &mut Test) {
        let inert = match self {
            Choice::Int(n) => n.into(),
            Choice::Bool(yes) => yes.into(),
            Choice::Str(word) => word.into(),
            Choice::Layers(_)
            | Choice::SplitMode(_)
            | Choice::Main(_)
            | Choice::Shares(_)
            | Choice::Devices(_)
            | Choice::KvHere(_)
            | Choice::OpsHere(_) => {
                self.set_up(&mut test.setup);
                // Its value is the setup's; that it was asked for is told here.
                Value::Null
            }
            _ => return self.set_up(&mut test.setup),
        };
        test.inert.push((parameter.name, inert));
    }

    /// What of it steers how a model is loaded and run.
    fn set_up(self, setup: &mut Setup) {
        let Setup { offload, .. } = setup;
        match self {
            Choice::Int(_) | Choice::Bool(_) | Choice::Str(_) => {}
            Choice::Keys(dtype) => setup.cache.k = dtype,
            Choice::Values(dtype) => setup.cache.v = dtype,
            Choice::FlashAttn(wanted) => setup.flash_attn = wanted,
            Choice::Load { mmap, mlock } => {
                setup.weights.mmap = mmap;
                setup.weights.mlock |= mlock;
            }
            Choice::Pack(pack) => setup.weights.pack = pack,
            Choice::Processors(cpus) => {
                let mask = |cpus| Place::Mask { cpus, strict: false };
                setup.threads.place = cpus.map_or(Place::Anywhere, mask);
            }
            Choice::Strict(wanted) => {
                if let Place::Mask { strict, .. } = &mut setup.threads.place {
                    *strict = wanted;
                }
            }
            Choice::Layers(n_layers) => offload.n_layers = n_layers,
            Choice::SplitMode(split) => offload.split = split,
            Choice::Main(main) => offload.main = main,
            Choice::Shares(shares) => offload.shares = shares.to_vec(),
            Choice::Devices(devices) => offload.devices = devices.map(<[String]>::to_vec),
            Choice::KvHere(here) => offload.kv = !here,
            Choice::OpsHere(here) => offload.ops = !here,
        }
    }

    /// Why `backend` does not have it, whatever else is asked for: keys in a type are asked for with
    /// values in it.
    pub(crate) fn refused_by(self, backend: &BackendEntry) -> Option<String> {
        let mut setup = Setup::default();
        match self {
            Choice::Keys(dtype) | Choice::Values(dtype) => setup.cache = CacheTypes::both(dtype),
            other => other.set_up(&mut setup),
        }
        (backend.supports)(&setup).err().map(|unsupported| unsupported.why.into_owned())
    }

    /// Whether `backend` has it.
    pub(crate) fn is_taken_by(self, backend: &BackendEntry) -> bool {
        self.refused_by(backend).is_none()
    }
}
