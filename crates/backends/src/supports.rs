//! What each backend does not do of what a [`Setup`] can ask for. In every build, so that a command
//! can say it before a model is looked for, and of a backend that this build leaves out.

use crate::side::{Engine, OPENVINO};
use pacemark_engine::{KvType, KvTypes};
use pacemark_setup::{CacheTypes, DType, Offload, Place, Setting, Setup, Unsupported};

/// What llama.cpp's KV cache can store.
const LLAMA_CPP_CACHE: [DType; 9] = [
    DType::F32,
    DType::F16,
    DType::BF16,
    DType::Q8_0,
    DType::Q4_0,
    DType::Q4_1,
    DType::Q5_0,
    DType::Q5_1,
    DType::IQ4NL,
];

const PLACED: &str =
    "only the native backend places its threads; taskset places those of every backend";
const AS_STORED: &str =
    "weights are computed in the types of their file; backends in Python convert them";

/// Whether the native backend does all that `setup` asks for.
pub(crate) fn native(setup: &Setup) -> Result<(), Unsupported> {
    kv_types(setup).map(|_| ())
}

/// The same, and the types of its KV cache.
pub(crate) fn kv_types(setup: &Setup) -> Result<KvTypes, Unsupported> {
    no_server(setup)?;
    let Offload { workers, .. } = &setup.offload;
    if !workers.is_empty() {
        let why =
            "Pacemark's own engine computes on this machine only; --backend llama-cpp uses workers";
        return Err(Unsupported::new(Setting::Workers, why));
    }
    if !setup.offload.is_here() {
        let why = "Pacemark's own engine computes on the CPU, there is no GPU to use";
        return Err(Unsupported::new(Setting::Offload, why));
    }
    if setup.precision.is_some() {
        return Err(Unsupported::new(Setting::Precision, AS_STORED));
    }
    if setup.flash_attn == Some(false) {
        let why = "the native backend has fused attention only";
        return Err(Unsupported::new(Setting::FlashAttention, why));
    }
    let of = |dtype: DType| {
        let known = KvType::ALL.map(KvType::dtype);
        KvType::from_dtype(dtype).ok_or_else(|| not_stored("the native backend has", &known, dtype))
    };
    let CacheTypes { k, v } = setup.cache;
    KvTypes::new(of(k)?, of(v)?)
        .map_err(|error| Unsupported::new(Setting::Cache, error.to_string()))
}

/// That a server is named to an engine of this process.
fn no_server(setup: &Setup) -> Result<(), Unsupported> {
    match setup.server {
        None => Ok(()),
        Some(_) => {
            let why = "the model is computed by this process; --backend openai asks a server";
            Err(Unsupported::new(Setting::Server, why))
        }
    }
}

/// Whether a server can be told all that `setup` asks for: how it computes is its own to say.
pub(crate) fn openai(setup: &Setup) -> Result<(), Unsupported> {
    let Setup { threads, weights, offload, .. } = setup;
    let refused = [
        (threads.place != Place::Anywhere, Setting::Place),
        (weights.quantize.is_some(), Setting::Quantize),
        (weights.mmap == Some(false), Setting::Mmap),
        (weights.mlock, Setting::Mlock),
        (!weights.pack, Setting::Pack),
        (weights.exact, Setting::Exact),
        (setup.cache != CacheTypes::default(), Setting::Cache),
        (setup.flash_attn.is_some(), Setting::FlashAttention),
        (!offload.workers.is_empty(), Setting::Workers),
        (!setup.offload.is_here(), Setting::Offload),
        (setup.precision.is_some(), Setting::Precision),
    ];
    let why = "the server computes as it was started; --backend openai cannot say how";
    match refused.into_iter().find(|(asked, _)| *asked) {
        Some((_, setting)) => Err(Unsupported::new(setting, why)),
        None => Ok(()),
    }
}

/// Whether llama.cpp, set up as it is here, does all that `setup` asks for.
pub(crate) fn llama_cpp(setup: &Setup) -> Result<(), Unsupported> {
    no_server(setup)?;
    let Setup { threads, weights, cache, .. } = setup;
    let refused: [(bool, Setting, &'static str); 5] = [
        (threads.place != Place::Anywhere, Setting::Place, PLACED),
        (
            weights.quantize.is_some(),
            Setting::Quantize,
            "the llama-cpp backend reads GGUF files only",
        ),
        (weights.mlock, Setting::Mlock, "only the native backend locks its weights"),
        (weights.exact, Setting::Exact, "only the native backend dequantizes a file on load"),
        (setup.precision.is_some(), Setting::Precision, AS_STORED),
    ];
    if let Some((_, setting, why)) = refused.into_iter().find(|(asked, ..)| *asked) {
        return Err(Unsupported::new(setting, why));
    }
    match [cache.k, cache.v].into_iter().find(|dtype| !LLAMA_CPP_CACHE.contains(dtype)) {
        None => Ok(()),
        Some(dtype) => Err(not_stored("llama.cpp takes", &LLAMA_CPP_CACHE, dtype)),
    }
}

/// Whether an engine in a Python process does: what it has a word for is its model, device, threads,
/// context, precision, and some types of keys and values.
pub(crate) fn side(engine: &Engine, setup: &Setup) -> Result<(), Unsupported> {
    if setup.n_ubatch != Setup::default().n_ubatch {
        let why = "it has no such number; -b bounds what it computes at once";
        return Err(Unsupported::new(Setting::Ubatch, why));
    }
    own_runtime(engine.name, engine, setup)
}

/// Whether OpenVINO without Python does: its runtime is the same, its steps are ours.
pub(crate) fn openvino_capi(setup: &Setup) -> Result<(), Unsupported> {
    own_runtime("openvino-capi", &OPENVINO, setup)
}

/// What a runtime with the words of `engine` does, as the backend of that name.
fn own_runtime(backend: &str, engine: &Engine, setup: &Setup) -> Result<(), Unsupported> {
    let Setup { threads, weights, cache, offload, .. } = setup;
    no_server(setup)?;
    let its_own = "its own runtime chooses";
    let refused: [(bool, Setting, &'static str); 8] = [
        (threads.place != Place::Anywhere, Setting::Place, PLACED),
        (
            threads.per_batch() != threads.per_token(),
            Setting::ThreadsBatch,
            "it has one number of threads",
        ),
        (
            weights.quantize.is_some(),
            Setting::Quantize,
            "it reads a model as it is; --dtype int8 where it has that",
        ),
        (weights.mmap.is_some(), Setting::Mmap, its_own),
        (weights.mlock, Setting::Mlock, "only the native backend locks its weights"),
        (!weights.pack, Setting::Pack, its_own),
        (weights.exact, Setting::Exact, "only the native backend dequantizes a file on load"),
        (setup.flash_attn.is_some(), Setting::FlashAttention, its_own),
    ];
    if let Some((_, setting, why)) = refused.into_iter().find(|(asked, ..)| *asked) {
        return Err(Unsupported::new(setting, why));
    }
    if !offload.workers.is_empty() {
        return Err(Unsupported::new(Setting::Workers, "--backend llama-cpp uses workers"));
    }
    let plain = Offload { devices: None, ..offload.clone() };
    let named = offload.devices.as_deref().unwrap_or_default();
    if !plain.is_here() || named.len() > 1 || !named.iter().all(|name| engine.has_device(name)) {
        let names = engine.devices.join(", ");
        let why = format!("the {backend} backend takes one device: {names}");
        return Err(Unsupported::new(Setting::Offload, why));
    }
    if let Some(precision) = setup.precision.filter(|p| !engine.precisions.contains(p)) {
        let names: Vec<&str> = engine.precisions.iter().map(|p| p.name()).collect();
        let why = format!("{backend} has {}, not {precision}", names.join(", "));
        return Err(Unsupported::new(Setting::Precision, why));
    }
    if cache.k != cache.v {
        return Err(Unsupported::new(Setting::Cache, "keys and values have one type there"));
    }
    match engine.cache.contains(&cache.k) {
        true => Ok(()),
        false => Err(not_stored(&format!("{backend} takes"), engine.cache, cache.k)),
    }
}

/// That a KV cache does not store `dtype`, but others.
fn not_stored(who_has: &str, known: &[DType], dtype: DType) -> Unsupported {
    let name = |dtype: &DType| dtype.name().to_lowercase();
    let names = known.iter().map(name).collect::<Vec<_>>().join(", ");
    Unsupported::new(Setting::Cache, format!("{who_has} {names}, not {}", name(&dtype)))
}
