//! What a flag's value is to a test: a setting of its setup, or a word for the record alone.

use pacemark_backends::BackendEntry;
use pacemark_bench::{Parameter, Test};
use pacemark_setup::{CacheTypes, Cpus, DType, Place, Setup};

/// What a value is to a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Choice {
    /// Gives it to a test, in which `parameter` records it. Where `--mlock` locks the weights, they
    /// stay locked however they are loaded.
    pub(crate) fn set(self, parameter: Parameter, test: &mut Test) {
        let inert = match self {
            Choice::Int(n) => n.into(),
            Choice::Bool(yes) => yes.into(),
            Choice::Str(word) => word.into(),
            _ => return self.set_up(&mut test.setup),
        };
        test.inert.push((parameter.name, inert));
    }

    /// What of it steers how a model is loaded and run.
    fn set_up(self, setup: &mut Setup) {
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
