//! The table of backends: what there is, whether this build has it, and how each loads a model by
//! the same setup, or says what of it it does not do.

use crate::native::NativeBackend;
use crate::openai::OpenAiBackend;
use crate::side::{OPENVINO, SideBackend, TRANSFORMERS};
use crate::supports;
use pacemark_backend::Backend;
use pacemark_setup::{Setup, Unsupported};
use std::error::Error;
use std::path::Path;

/// Why a backend could not be set up.
pub type LoadError = Box<dyn Error + Send + Sync>;

/// Loads a model; `progress(done, of)` is told of steps where there are any.
pub type Load =
    fn(&Path, &Setup, &mut dyn FnMut(usize, usize)) -> Result<Box<dyn Backend>, LoadError>;

/// A row of [`BACKENDS`].
///
/// ```
/// use pacemark_backends::find;
/// use pacemark_setup::{Setting, Setup};
///
/// let native = find("native").expect("the default backend");
/// assert!((native.supports)(&Setup::default()).is_ok());
/// let unfused = Setup { flash_attn: Some(false), ..Setup::default() };
/// assert_eq!((native.supports)(&unfused).unwrap_err().setting, Setting::FlashAttention);
/// ```
pub struct BackendEntry {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line on what it is.
    pub help: &'static str,
    /// Reads GGUF files only: a synthetic model has to be written to one first.
    pub files_only: bool,
    /// Whether it can keep a part of the keys and values only.
    pub kv_policies: bool,
    /// Whether it does all that a setup asks for; in builds without it too.
    pub supports: fn(&Setup) -> Result<(), Unsupported>,
    /// Loads a model, if the setup is supported; or why this build cannot.
    pub load: Result<Load, &'static str>,
}

/// Every backend, the default first.
pub const BACKENDS: &[BackendEntry] = &[
    BackendEntry {
        name: crate::native::NAME,
        help: "Pacemark's own engine",
        files_only: false,
        kv_policies: true,
        supports: supports::native,
        load: Ok(|path, setup, progress| Ok(Box::new(NativeBackend::load(path, setup, progress)?))),
    },
    BackendEntry {
        name: "llama-cpp",
        help: "llama.cpp, to compare with",
        files_only: true,
        kv_policies: false,
        supports: supports::llama_cpp,
        load: LLAMA_CPP,
    },
    BackendEntry {
        name: "openvino",
        help: "OpenVINO GenAI, in a Python process",
        files_only: true,
        kv_policies: false,
        supports: |setup| supports::side(&OPENVINO, setup),
        load: Ok(|path, setup, progress| {
            Ok(Box::new(SideBackend::load(&OPENVINO, path, setup, progress)?))
        }),
    },
    BackendEntry {
        name: "openvino-capi",
        help: "OpenVINO's own library, without Python",
        files_only: true,
        kv_policies: false,
        supports: supports::openvino_capi,
        load: OPENVINO_CAPI,
    },
    BackendEntry {
        name: "transformers",
        help: "Hugging Face transformers, in a Python process",
        files_only: true,
        kv_policies: false,
        supports: |setup| supports::side(&TRANSFORMERS, setup),
        load: Ok(|path, setup, progress| {
            Ok(Box::new(SideBackend::load(&TRANSFORMERS, path, setup, progress)?))
        }),
    },
    BackendEntry {
        name: crate::openai::NAME,
        help: "an OpenAI-compatible server, by --url",
        files_only: false,
        kv_policies: false,
        supports: supports::openai,
        load: Ok(|path, setup, _| Ok(Box::new(OpenAiBackend::load(path, setup)?))),
    },
];

/// The backend of that name.
pub fn find(name: &str) -> Option<&'static BackendEntry> {
    BACKENDS.iter().find(|entry| entry.name == name)
}

/// Why a build has no llama.cpp.
#[cfg(not(feature = "llama-cpp"))]
pub(crate) const LEFT_OUT: &str = "it was left out of this build: build with --features llama-cpp";

#[cfg(not(feature = "llama-cpp"))]
const LLAMA_CPP: Result<Load, &str> = Err(LEFT_OUT);

#[cfg(feature = "llama-cpp")]
const LLAMA_CPP: Result<Load, &str> = Ok(|path, setup, progress| {
    progress(0, 1);
    Ok(Box::new(crate::llama_cpp::LlamaCppBackend::load(path, setup)?))
});

#[cfg(not(feature = "openvino-capi"))]
const OPENVINO_CAPI: Result<Load, &str> =
    Err("it was left out of this build: build with --features openvino-capi");

#[cfg(feature = "openvino-capi")]
const OPENVINO_CAPI: Result<Load, &str> = Ok(|path, setup, progress| {
    progress(0, 1);
    Ok(Box::new(crate::openvino_capi::CapiBackend::load(path, setup)?))
});

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_setup::{CacheTypes, DType, Numa, Place, Precision, Recipe, Server, Setting};

    #[test]
    fn names_are_unique_and_the_default_is_always_there() {
        for (i, entry) in BACKENDS.iter().enumerate() {
            assert!(BACKENDS[..i].iter().all(|other| other.name != entry.name), "{}", entry.name);
            assert!(find(entry.name).is_some_and(|found| found.help == entry.help));
        }
        assert!(BACKENDS[0].load.is_ok());
        assert_eq!(find("llama-cpp").unwrap().load.is_ok(), cfg!(feature = "llama-cpp"));
        let capi = find("openvino-capi").unwrap();
        assert_eq!(capi.load.is_ok(), cfg!(feature = "openvino-capi"));
    }

    /// A setup that asks for this setting, and for nothing else.
    fn asking(setting: Setting) -> Setup {
        let mut setup = Setup::default();
        match setting {
            Setting::Place => setup.threads.place = Place::Nodes(Numa::Isolate),
            Setting::Quantize => setup.weights.quantize = Some(Recipe::Q8_0),
            Setting::Mmap => setup.weights.mmap = Some(false),
            Setting::Mlock => setup.weights.mlock = true,
            Setting::Pack => setup.weights.pack = false,
            Setting::Exact => setup.weights.exact = true,
            Setting::Cache => setup.cache = CacheTypes::both(DType::Q6K),
            Setting::FlashAttention => setup.flash_attn = Some(false),
            Setting::Offload => setup.offload.n_layers = Some(1),
            Setting::Workers => setup.offload.workers = vec!["127.0.0.1:50052".into()],
            Setting::Precision => setup.precision = Some(Precision::F32),
            Setting::ThreadsBatch => setup.threads.n_batch = Some(setup.threads.n + 1),
            Setting::Ubatch => setup.n_ubatch = 64,
            Setting::Server => setup.server = Some(Server::at("http://127.0.0.1:1")),
        }
        setup
    }

    #[test]
    fn what_a_backend_does_not_do_it_refuses_and_does_not_load() {
        use Setting::{
            Cache, Exact, FlashAttention, Mlock, Mmap, Offload, Pack, Place, Precision, Quantize,
            Server, ThreadsBatch, Ubatch, Workers,
        };
        let elsewhere =
            [Place, Quantize, Mmap, Mlock, Pack, Exact, Cache, FlashAttention, Offload, Workers];
        let side = &[&elsewhere[..], &[Server, ThreadsBatch, Ubatch]].concat();
        let capi = &[&elsewhere[..], &[Server, ThreadsBatch]].concat();
        let server = &[&elsewhere[..], &[Precision]].concat();
        let refused: &[(&str, &[Setting])] = &[
            ("native", &[Cache, FlashAttention, Offload, Workers, Server, Precision]),
            ("llama-cpp", &[Place, Quantize, Mlock, Exact, Cache, Server, Precision]),
            ("openvino", side),
            ("openvino-capi", capi),
            ("transformers", side),
            ("openai", server),
        ];
        assert!(refused.iter().map(|(name, _)| *name).eq(BACKENDS.iter().map(|entry| entry.name)));
        for (entry, (_, refused)) in BACKENDS.iter().zip(refused) {
            assert_eq!((entry.supports)(&Setup::default()), Ok(()), "{}", entry.name);
            for setting in Setting::ALL {
                let setup = asking(setting);
                let answer = (entry.supports)(&setup);
                let named = answer.as_ref().err().map(|unsupported| unsupported.setting);
                let expected = refused.contains(&setting).then_some(setting);
                assert_eq!(named, expected, "{}: {setting:?}", entry.name);
                let (Ok(load), Err(unsupported)) = (entry.load, answer) else { continue };
                // Said before the file is looked for, which there is not.
                let error = load(Path::new("no such file"), &setup, &mut |_, _| {}).err();
                let said = error.map(|error| error.to_string());
                assert_eq!(said, Some(unsupported.to_string()), "{}: {setting:?}", entry.name);
            }
        }
    }

    #[test]
    fn types_of_the_kv_cache_are_refused_by_name() {
        let refusal = |name: &str, k, v| {
            let setup = Setup { cache: CacheTypes { k, v }, ..Setup::default() };
            (find(name).unwrap().supports)(&setup).unwrap_err().to_string()
        };
        assert_eq!(
            refusal("native", DType::F16, DType::Q5_0),
            "KV cache types: the native backend has f32, f16, q8_0, q4_0, not q5_0"
        );
        let pair = refusal("native", DType::F32, DType::F16);
        assert!(pair.contains("keys in f32 and values in f16: the pairs are"), "{pair}");
        let llama_cpp = refusal("llama-cpp", DType::Q6K, DType::F16);
        assert!(llama_cpp.ends_with("q5_1, iq4_nl, not q6_k"), "{llama_cpp}");
    }
}
