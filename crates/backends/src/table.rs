//! The table of backends: what there is, whether this build has it, and how each loads a model with
//! the same options.

use crate::native::{NativeBackend, NativeOptions};
use pacemark_backend::Backend;
use pacemark_engine::{KvType, KvTypes, Place};
use pacemark_modelfile::quantize::Recipe;
use std::error::Error;
use std::path::Path;

/// How to run a model, in any backend that can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Threads that compute one token.
    pub n_threads: usize,
    /// Threads that compute several tokens at once; `None` for as many as `n_threads`.
    pub n_threads_batch: Option<usize>,
    /// Tokens of the longest sequence; `None` for the backend's default.
    pub n_ctx: Option<usize>,
    /// Sequences of that length at once.
    pub n_seqs: usize,
    /// Prompt tokens handed over at once.
    pub n_batch: usize,
    /// Prompt tokens computed at once; at most `n_batch`.
    pub n_ubatch: usize,
    /// Flash attention; `None` for the backend's choice.
    pub flash_attn: Option<bool>,
    /// Types of keys and values in the KV cache, by llama.cpp's names.
    pub kv_types: (String, String),
    /// Where the threads run, in backends that can choose.
    pub place: Place,
    /// Read the file instead of mapping it.
    pub no_mmap: bool,
    /// Lock the weights in memory, in backends that can.
    pub mlock: bool,
    /// Compute from the file's rows instead of packing them, in backends that can.
    pub no_pack: bool,
    /// How to quantize the weights of a Hugging Face directory, in backends that read such.
    pub weights: Option<Recipe>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        let native = NativeOptions::default();
        LoadOptions {
            n_threads: native.n_threads,
            n_threads_batch: None,
            n_ctx: None,
            n_seqs: 1,
            n_batch: 2048,
            n_ubatch: native.n_ubatch,
            flash_attn: None,
            kv_types: ("f16".into(), "f16".into()),
            place: Place::Anywhere,
            no_mmap: false,
            mlock: false,
            no_pack: false,
            weights: None,
        }
    }
}

/// Why a backend could not be set up.
pub type LoadError = Box<dyn Error + Send + Sync>;

/// Loads a model; `progress(done, of)` is told of steps where there are any.
pub type Load =
    fn(&Path, &LoadOptions, &mut dyn FnMut(usize, usize)) -> Result<Box<dyn Backend>, LoadError>;

/// A row of [`BACKENDS`].
pub struct BackendEntry {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line on what it is.
    pub help: &'static str,
    /// Reads GGUF files only: a synthetic model has to be written to one first.
    pub files_only: bool,
    /// Loads a model; or why this build cannot.
    pub load: Result<Load, &'static str>,
}

/// Every backend, the default first.
pub const BACKENDS: &[BackendEntry] = &[
    BackendEntry {
        name: crate::native::NAME,
        help: "Pacemark's own engine",
        files_only: false,
        load: Ok(native),
    },
    BackendEntry {
        name: "llama-cpp",
        help: "llama.cpp, to compare with",
        files_only: true,
        load: LLAMA_CPP,
    },
];

/// The backend of that name.
pub fn find(name: &str) -> Option<&'static BackendEntry> {
    BACKENDS.iter().find(|entry| entry.name == name)
}

fn native(
    path: &Path,
    options: &LoadOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Box<dyn Backend>, LoadError> {
    if options.flash_attn == Some(false) {
        return Err("the native backend has fused attention only".into());
    }
    let kv_type = |name: &str| {
        let names = KvType::ALL.map(KvType::name).join(", ");
        KvType::from_name(name)
            .ok_or_else(|| format!("KV cache type {name}: the native backend has {names}"))
    };
    let kv = KvTypes::new(kv_type(&options.kv_types.0)?, kv_type(&options.kv_types.1)?)?;
    let options = NativeOptions {
        n_threads: options.n_threads,
        n_threads_batch: options.n_threads_batch,
        n_ctx: options.n_ctx,
        n_seqs: options.n_seqs,
        kv,
        n_ubatch: options.n_ubatch.min(options.n_batch),
        place: options.place,
        no_mmap: options.no_mmap,
        mlock: options.mlock,
        no_pack: options.no_pack,
        weights: options.weights,
    };
    Ok(Box::new(NativeBackend::load(path, options, progress)?))
}

#[cfg(not(feature = "llama-cpp"))]
const LLAMA_CPP: Result<Load, &str> =
    Err("it was left out of this build: build with --features llama-cpp");

#[cfg(feature = "llama-cpp")]
const LLAMA_CPP: Result<Load, &str> = Ok(|path, options, progress| {
    let LoadOptions {
        n_threads,
        n_threads_batch,
        n_ctx,
        n_seqs,
        n_batch,
        n_ubatch,
        flash_attn,
        ..
    } = *options;
    if options.mlock {
        return Err("--mlock: only the native backend locks its weights".into());
    }
    if options.place != Place::Anywhere {
        return Err("--cpu-mask, --numa: only the native backend places its threads; taskset places both alike".into());
    }
    if options.no_mmap {
        return Err("--no-mmap: the llama-cpp backend maps the file".into());
    }
    if options.no_pack {
        return Err("--no-pack: the llama-cpp backend repacks as it likes".into());
    }
    if options.weights.is_some() || path.is_dir() {
        return Err("the llama-cpp backend reads GGUF files only".into());
    }
    let options = crate::llama_cpp::LlamaCppOptions {
        n_threads,
        n_threads_batch,
        n_ctx,
        n_seqs,
        n_batch,
        n_ubatch,
        flash_attn,
        kv_types: options.kv_types.clone(),
    };
    progress(0, 1);
    Ok(Box::new(crate::llama_cpp::LlamaCppBackend::load(path, &options)?))
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_default_is_always_there() {
        for (i, entry) in BACKENDS.iter().enumerate() {
            assert!(BACKENDS[..i].iter().all(|other| other.name != entry.name), "{}", entry.name);
            assert!(find(entry.name).is_some_and(|found| found.help == entry.help));
        }
        assert!(BACKENDS[0].load.is_ok());
        assert_eq!(find("llama-cpp").unwrap().load.is_ok(), cfg!(feature = "llama-cpp"));
    }
}
