//! The setup and its parts: threads, weights, KV cache, batches. Devices are `offload`'s.

use crate::{DType, Offload, Place, Precision, Recipe, Server};

/// How a model is loaded and run, in any backend that can.
///
/// ```
/// use pacemark_setup::{CacheTypes, DType, Setup, Threads};
///
/// // As a backend would run it if nothing is said, but for one thread and a small KV cache.
/// let setup = Setup {
///     threads: Threads::new(1),
///     n_ctx: Some(256),
///     cache: CacheTypes { k: DType::Q8_0, v: DType::Q8_0 },
///     ..Setup::default()
/// };
/// assert_eq!(setup.threads.per_batch(), 1);
/// assert_eq!(setup.cache.names(), ["q8_0", "q8_0"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The threads that compute.
    pub threads: Threads,
    /// How the weights reside in memory.
    pub weights: Residence,
    /// Tokens of the longest sequence; `None` for the model's training context, at most
    /// [`Self::DEFAULT_MAX_CTX`].
    pub n_ctx: Option<usize>,
    /// Sequences of that length that the KV cache holds at once.
    pub n_seqs: usize,
    /// How the KV cache stores keys and values.
    pub cache: CacheTypes,
    /// Tokens handed over at once.
    pub n_batch: usize,
    /// Of those, tokens computed at once: more than `n_batch` are as many as `n_batch`.
    pub n_ubatch: usize,
    /// Flash attention; `None` for the backend's choice.
    pub flash_attn: Option<bool>,
    /// The devices that compute beside the processors.
    pub offload: Offload,
    /// The numbers that are computed with, where the engine leaves that to its user; `None` for the
    /// engine's choice.
    pub precision: Option<Precision>,
    /// The server that runs it, for a backend that computes nothing itself.
    pub server: Option<Server>,
}

impl Setup {
    /// Tokens of the largest context that is reserved without being asked for.
    pub const DEFAULT_MAX_CTX: usize = 8192;

    /// Tokens computed at once, at least 1.
    pub fn n_step(&self) -> usize {
        self.n_ubatch.min(self.n_batch).max(1)
    }

    /// Whether a model that was loaded by one serves the other: they may say it differently.
    pub fn acts_like(&self, other: &Setup) -> bool {
        let plain = |setup: &Setup| {
            let weights = Residence { mmap: Some(setup.weights.is_mapped()), ..setup.weights };
            let here = setup.offload.is_here();
            let offload = if here { Offload::default() } else { setup.offload.clone() };
            Setup { n_ubatch: setup.n_step(), weights, offload, ..setup.clone() }
        };
        plain(self) == plain(other)
    }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            threads: Threads::default(),
            weights: Residence::default(),
            n_ctx: None,
            n_seqs: 1,
            cache: CacheTypes::default(),
            n_batch: 2048,
            n_ubatch: 512,
            flash_attn: None,
            offload: Offload::default(),
            precision: None,
            server: None,
        }
    }
}

/// The threads that compute, and where they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads {
    /// Threads that compute one token; 0 is 1.
    pub n: usize,
    /// Threads that compute several tokens at once (prompts, batches) and pack the weights; `None`
    /// for as many as `n`.
    pub n_batch: Option<usize>,
    /// Where they run. The thread that loads the model is one of them until the model is dropped.
    pub place: Place,
}

impl Threads {
    /// So many for everything, wherever the system likes.
    pub fn new(n: usize) -> Threads {
        Threads { n, n_batch: None, place: Place::Anywhere }
    }

    /// Threads that compute one token.
    pub fn per_token(&self) -> usize {
        self.n.max(1)
    }

    /// Threads that compute several tokens at once.
    pub fn per_batch(&self) -> usize {
        self.n_batch.unwrap_or(self.n).max(1)
    }

    /// All threads: as many as the larger of both needs.
    pub fn in_all(&self) -> usize {
        self.per_token().max(self.per_batch())
    }
}

impl Default for Threads {
    /// One for each processor that the process may use.
    fn default() -> Threads {
        Threads::new(pacemark_limits::processors())
    }
}

/// How the weights reside in memory, and what is done to them on the way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residence {
    /// How to quantize those of a Hugging Face directory; `None` to keep them. Those of a GGUF file
    /// have their types.
    pub quantize: Option<Recipe>,
    /// Map the file (`true`) or read it tensor by tensor; `None` for the backend's choice, which is
    /// to map it.
    pub mmap: Option<bool>,
    /// Lock them in memory, so that they are never swapped out.
    pub mlock: bool,
    /// Lay them out for the kernels, or else compute from the file's rows: slower, without the
    /// memory that the copy takes.
    pub pack: bool,
    /// Every weight in single precision, as its file's blocks stand for it: nothing is rounded but
    /// by single precision itself. Slow and large; what others are measured against.
    pub exact: bool,
}

impl Residence {
    /// The file is mapped, not read.
    pub fn is_mapped(&self) -> bool {
        self.mmap != Some(false)
    }
}

impl Default for Residence {
    fn default() -> Residence {
        Residence { quantize: None, mmap: None, mlock: false, pack: true, exact: false }
    }
}

/// How the KV cache stores keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheTypes {
    /// Type of the keys.
    pub k: DType,
    /// Type of the values.
    pub v: DType,
}

impl CacheTypes {
    /// Keys and values in the same type.
    pub fn both(dtype: DType) -> CacheTypes {
        CacheTypes { k: dtype, v: dtype }
    }

    /// The names of both as llama.cpp's flags have them, e.g. `q8_0`.
    pub fn names(&self) -> [String; 2] {
        [self.k, self.v].map(|dtype| dtype.name().to_lowercase())
    }

    /// The same in a word: one name where both have one type.
    pub fn told(&self) -> String {
        let [k, v] = self.names();
        if k == v { k } else { format!("{k}/{v}") }
    }
}

impl Default for CacheTypes {
    fn default() -> CacheTypes {
        CacheTypes::both(DType::F16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_said_differently() {
        let plain = Setup::default();
        let weights = |mmap| Residence { mmap, ..Residence::default() };
        let mapped = Setup { weights: weights(Some(true)), ..plain.clone() };
        let read = Setup { weights: weights(Some(false)), ..plain.clone() };
        assert!(plain.acts_like(&mapped) && !plain.acts_like(&read));
        let step = |n_batch, n_ubatch| Setup { n_batch, n_ubatch, ..plain.clone() };
        assert!(step(64, 512).acts_like(&step(64, 100)) && !step(64, 512).acts_like(&step(64, 8)));
        assert!(!step(64, 8).acts_like(&step(128, 8)), "a batch is what llama.cpp is handed");
    }

    #[test]
    fn there_is_always_a_thread() {
        assert_eq!(Threads::new(0).in_all(), 1);
        let threads = Threads { n_batch: Some(3), ..Threads::new(2) };
        assert_eq!((threads.per_token(), threads.per_batch(), threads.in_all()), (2, 3, 3));
    }
}
