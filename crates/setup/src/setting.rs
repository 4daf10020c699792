//! Settings by name, and what a backend says to one that it does not have.

use std::borrow::Cow;
use std::fmt;

/// What of a [`Setup`](crate::Setup) a backend may be unable to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Where threads run: [`Threads::place`](crate::Threads::place).
    Place,
    /// [`Residence::quantize`](crate::Residence::quantize).
    Quantize,
    /// [`Residence::mmap`](crate::Residence::mmap).
    Mmap,
    /// [`Residence::mlock`](crate::Residence::mlock).
    Mlock,
    /// [`Residence::pack`](crate::Residence::pack).
    Pack,
    /// [`Residence::exact`](crate::Residence::exact).
    Exact,
    /// [`Setup::cache`](crate::Setup::cache).
    Cache,
    /// [`Setup::flash_attn`](crate::Setup::flash_attn).
    FlashAttention,
    /// [`Setup::offload`](crate::Setup::offload), but for workers.
    Offload,
    /// [`Offload::workers`](crate::Offload::workers).
    Workers,
    /// [`Setup::precision`](crate::Setup::precision).
    Precision,
    /// [`Threads::n_batch`](crate::Threads::n_batch).
    ThreadsBatch,
    /// [`Setup::n_ubatch`](crate::Setup::n_ubatch).
    Ubatch,
    /// [`Setup::server`](crate::Setup::server).
    Server,
}

impl Setting {
    /// All of them.
    pub const ALL: [Setting; 14] = [
        Setting::Place,
        Setting::Quantize,
        Setting::Mmap,
        Setting::Mlock,
        Setting::Pack,
        Setting::Exact,
        Setting::Cache,
        Setting::FlashAttention,
        Setting::Offload,
        Setting::Workers,
        Setting::Precision,
        Setting::ThreadsBatch,
        Setting::Ubatch,
        Setting::Server,
    ];
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Setting::Place => "place of the threads",
            Setting::Quantize => "quantizing on load",
            Setting::Mmap => "reading the file without mapping it",
            Setting::Mlock => "locked weights",
            Setting::Pack => "weights that are not packed",
            Setting::Exact => "weights in single precision",
            Setting::Cache => "KV cache types",
            Setting::FlashAttention => "attention without flash attention",
            Setting::Offload => "devices",
            Setting::Workers => "workers on other machines",
            Setting::ThreadsBatch => "threads of prompts and batches",
            Setting::Ubatch => "tokens computed at once",
            Setting::Precision => "another precision than the file's",
            Setting::Server => "server",
        })
    }
}

/// A setting that a backend does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct Unsupported {
    /// Which.
    pub setting: Setting,
    /// What the backend does instead, or who could.
    pub why: Cow<'static, str>,
}

impl Unsupported {
    /// That `setting` is not to be had, and why.
    pub fn new(setting: Setting, why: impl Into<Cow<'static, str>>) -> Unsupported {
        Unsupported { setting, why: why.into() }
    }
}
