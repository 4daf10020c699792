//! Flags that say how a model is loaded and run, those that several commands share, and the
//! [`Setup`] that they become. Below the commands nothing knows of flags.

use crate::exit::UsageError;
use crate::machine;
use pacemark_backends::{BACKENDS, BackendEntry};
use pacemark_engine::Policy;
use pacemark_kernels::KvType;
use pacemark_modelfile::quantize::RECIPES;
use pacemark_setup::{
    CacheTypes, Cpus, DType, Numa, Place, Recipe, Residence, Setting, Setup, Threads, Unsupported,
};
use serde_json::{Map, Value};

/// The flag beside `-m` of every command that computes.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct WeightType {
    /// Quantize the weights of a Hugging Face directory on load, e.g. to Q8_0 or Q4_K_M
    #[arg(long = "type", value_name = "TYPE", value_parser = recipe)]
    weights: Option<Recipe>,
}

impl WeightType {
    /// The weights in the type that was given, if one was, and else as they come.
    pub(crate) fn residence(self) -> Residence {
        Residence { quantize: self.weights, ..Residence::default() }
    }
}

/// The recipe of that name.
pub(crate) fn recipe(name: &str) -> Result<Recipe, String> {
    let names = || RECIPES.iter().map(|info| info.name).collect::<Vec<_>>().join(", ");
    Recipe::from_name(name).ok_or_else(|| format!("not one of {}", names()))
}

/// The types of the KV cache, of every command that computes.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct KvArgs {
    /// Store keys as f32, f16, q8_0 or q4_0 (-ctk)
    #[arg(long, value_name = "TYPE", default_value = KvType::F16.name(), value_parser = kv_type)]
    cache_type_k: DType,
    /// Store values as f32, f16, q8_0 or q4_0 (-ctv)
    #[arg(long, value_name = "TYPE", default_value = KvType::F16.name(), value_parser = kv_type)]
    cache_type_v: DType,
}

impl KvArgs {
    /// The types.
    pub(crate) fn types(self) -> CacheTypes {
        CacheTypes { k: self.cache_type_k, v: self.cache_type_v }
    }
}

/// A type of the KV cache, by its name.
pub(crate) fn kv_type(name: &str) -> Result<DType, String> {
    KvType::from_name(name)
        .map(KvType::dtype)
        .ok_or_else(|| format!("not one of {}", KvType::ALL.map(KvType::name).join(", ")))
}

/// The same of any backend's, which refuses what it has not.
pub(crate) fn any_type(name: &str) -> Result<DType, String> {
    DType::from_name(name)
        .or_else(|| DType::from_name(&name.to_uppercase()))
        .ok_or_else(|| format!("not one of {}", DType::names()))
}

/// What of the keys and values is kept, of commands that compute texts of their own.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct KeepArgs {
    /// Keep a part of the keys and values only: streaming:4+1020, recent:512, … `pacemark kv --list`
    /// has them all [default: full]
    #[arg(long = "kv", value_name = "SPEC", value_parser = policy)]
    keep: Option<String>,
}

impl KeepArgs {
    /// The spec, where one was given.
    pub(crate) fn spec(&self) -> Option<String> {
        self.keep.clone()
    }
}

/// The spec, if it names a policy. Whether a model can have it is known when it is loaded.
pub(crate) fn policy(spec: &str) -> Result<String, String> {
    Policy::parse(spec).map(|_| spec.to_owned()).map_err(|error| error.to_string())
}

/// Where threads run and how weights are kept, of commands that run one model.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct HostArgs {
    /// Processors to compute on, as a hexadecimal mask: 0x3 for processors 0 and 1, 0 for any
    /// [default: any; `serve` keeps one for the leading thread]
    #[arg(short = 'C', long, value_name = "HEX", value_parser = cpu_mask, conflicts_with = "numa")]
    cpu_mask: Option<Processors>,
    /// 1 for each thread on a processor of its own, of those of -C
    #[arg(long, value_name = "0|1", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=1))]
    cpu_strict: u8,
    /// Place threads by memory nodes: distribute, isolate or numactl
    #[arg(long, value_name = "HOW", value_parser = numa)]
    numa: Option<Numa>,
    /// Read the file instead of mapping it
    #[arg(long)]
    no_mmap: bool,
    /// Lock the weights in memory: never swapped out, refused where the process may not
    #[arg(long)]
    mlock: bool,
    /// Compute from the file's rows instead of packing them: less memory, slower
    #[arg(long)]
    no_pack: bool,
}

/// Those of a mask; none for 0, which is for any.
#[derive(Clone, Copy, Debug)]
struct Processors(Option<Cpus>);

impl HostArgs {
    /// The weights, in the type of `--type`.
    pub(crate) fn residence(self, weights: WeightType) -> Residence {
        Residence {
            mmap: self.no_mmap.then_some(false),
            mlock: self.mlock,
            pack: !self.no_pack,
            ..weights.residence()
        }
    }

    /// Where threads run.
    pub(crate) fn place(self) -> Result<Place, UsageError> {
        let cpus = self.cpu_mask.and_then(|mask| mask.0);
        match (self.numa, cpus, self.cpu_strict == 1) {
            (_, None, true) => Err(strict_without_processors()),
            (Some(numa), ..) => Ok(Place::Nodes(numa)),
            (None, Some(cpus), strict) => Ok(Place::Mask { cpus, strict }),
            (None, None, false) => Ok(Place::Anywhere),
        }
    }

    /// Where the threads of a process run that serves while it computes: as [`Self::place`] says,
    /// or, if nothing was asked for, the leader apart from all else. `-C 0` asks for any processor.
    pub(crate) fn place_beside_server(self, threads: &Threads) -> Result<Place, UsageError> {
        match self.place()? {
            Place::Anywhere if self.cpu_mask.is_none() => Ok(Place::apart(threads.in_all())),
            place => Ok(place),
        }
    }
}

/// That `--cpu-strict` has nothing to choose from.
pub(crate) fn strict_without_processors() -> UsageError {
    UsageError("--cpu-strict 1: it needs processors (-C MASK)".into())
}

fn cpu_mask(mask: &str) -> Result<Processors, String> {
    Cpus::from_mask(mask).map(|cpus| Processors((cpus.count() > 0).then_some(cpus)))
}

/// A way to place threads on memory nodes, by its name.
pub(crate) fn numa(name: &str) -> Result<Numa, String> {
    let names = Numa::ALL.map(Numa::name);
    Numa::ALL
        .into_iter()
        .find(|numa| numa.name() == name)
        .ok_or_else(|| format!("not one of {}", names.join(", ")))
}

/// As many threads as `-t` and `-tb` say; tells if that is more than there are processors.
pub(crate) fn threads(n: Option<usize>, n_batch: Option<usize>) -> Threads {
    machine::note_threads("-t", n.into_iter().chain(n_batch));
    Threads { n_batch, ..n.map_or(Threads::default(), Threads::new) }
}

/// Refuses what the native backend does not do, in the words of the flags that asked for it.
pub(crate) fn check_native(setup: Setup) -> Result<Setup, UsageError> {
    check(&BACKENDS[0], setup)
}

/// The same of any backend.
pub(crate) fn check(backend: &BackendEntry, setup: Setup) -> Result<Setup, UsageError> {
    let Unsupported { setting, why } = match (backend.supports)(&setup) {
        Ok(()) => return Ok(setup),
        Err(unsupported) => unsupported,
    };
    Err(UsageError(format!("{}: {why}", flags(setting))))
}

/// The flags that ask for a setting.
fn flags(setting: Setting) -> &'static str {
    match setting {
        Setting::Place => "-C, --numa",
        Setting::Quantize => "--type",
        Setting::Mmap => "--no-mmap",
        Setting::Mlock => "--mlock",
        Setting::Pack => "--no-pack",
        Setting::Exact => "--reference exact",
        Setting::Cache => "-ctk, -ctv",
        Setting::FlashAttention => "-fa",
        Setting::Offload => "-ngl, -sm, -mg, -ts, -dev (-d)",
        Setting::Workers => "--rpc",
        Setting::Precision => "--dtype",
        Setting::ThreadsBatch => "-tb",
        Setting::Ubatch => "-ub",
        Setting::Server => "--url",
    }
}

/// What of a setup `run` tells beside its timings: fields that were not asked for are missing.
pub(crate) fn record(setup: &Setup, into: &mut Map<String, Value>) {
    match setup.threads.place {
        Place::Mask { cpus, strict } => {
            into.insert("cpu_mask".into(), cpus.mask().into());
            into.insert("cpu_strict".into(), strict.into());
        }
        Place::Nodes(numa) => {
            into.insert("numa".into(), numa.name().into());
        }
        Place::Anywhere | Place::Apart { .. } => {}
    }
    let weights = &setup.weights;
    for (name, given) in
        [("no_mmap", !weights.is_mapped()), ("mlock", weights.mlock), ("no_pack", !weights.pack)]
    {
        if given {
            into.insert(name.into(), true.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_go_by_the_names_of_the_table() {
        assert_eq!(recipe("q8_0"), Ok(Recipe::Q8_0));
        assert_eq!(recipe("Q4_K_M"), Ok(Recipe::Q4KM));
        assert!(recipe("Q9_0").unwrap_err().contains("Q8_0, "));
    }

    #[test]
    fn a_refusal_names_flags() {
        let cache = CacheTypes { k: DType::F32, v: DType::F16 };
        let error = check_native(Setup { cache, ..Setup::default() }).unwrap_err().to_string();
        assert!(error.starts_with("-ctk, -ctv: KV cache with keys in f32"), "{error}");
        for setting in Setting::ALL {
            assert!(flags(setting).starts_with('-'), "{setting}");
        }
    }
}
