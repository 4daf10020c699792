//! The parameters of a test as they are recorded: what each is called, and what of a [`Test`] it
//! says. Names are llama-bench's where it has one; nothing else here or in its command spells them,
//! and nothing reads a test back from them.

use crate::test::Test;
use pacemark_record::test_name;
use pacemark_setup::{Place, Residence, Split};
use serde_json::{Map, Value};

/// Parameters of one test by name.
pub type Params = Map<String, Value>;

/// One of them.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// Its name in records, formats and tables.
    pub name: &'static str,
    /// Its value in a test; `None` where it is not recorded.
    of: fn(&Test, &str) -> Option<Value>,
}

const fn recorded(name: &'static str, of: fn(&Test, &str) -> Option<Value>) -> Parameter {
    Parameter { name, of }
}

/// One that steers nothing here, with the value that was given.
const fn inert(name: &'static str) -> Parameter {
    recorded(name, |test, name| {
        let found = test.inert.iter().find(|(given, _)| *given == name);
        found.map(|(_, value)| value.clone())
    })
}

/// What says where layers are computed: recorded where it was asked for, or is not the default.
fn placed(test: &Test, name: &str, is_default: bool, value: Value) -> Option<Value> {
    let asked = test.inert.iter().any(|(given, _)| *given == name);
    (asked || !is_default).then_some(value)
}

/// The model, as it was asked for.
pub const MODEL: Parameter = recorded("model", |t, _| Some(t.model.as_str().into()));
/// Memory of a GPU to leave free, in MiB.
pub const FIT_TARGET: Parameter = inert("fit_target");
/// Least context when a model is fitted to a GPU, in tokens.
pub const FIT_MIN_CTX: Parameter = inert("fit_min_ctx");
/// Layers that devices compute; -1 for all.
pub const N_GPU_LAYERS: Parameter = recorded("n_gpu_layers", |t, name| {
    let n_layers = t.setup.offload.n_layers;
    placed(t, name, n_layers.is_none(), n_layers.map_or(-1, i64::from).into())
});
/// Layers whose experts stay on the CPU.
pub const N_CPU_MOE: Parameter = inert("n_cpu_moe");
/// How a model is split between devices.
pub const SPLIT_MODE: Parameter = recorded("split_mode", |t, name| {
    let split = t.setup.offload.split;
    placed(t, name, split == Split::default(), split.name().into())
});
/// How the file becomes memory: llama.cpp's names for mapped or not, locked or not.
pub const LOAD_MODE: Parameter =
    recorded("load_mode", |t, _| Some(load_mode(t.setup.weights).into()));
/// When tensors are read.
pub const LAZY_MODE: Parameter = inert("lazy_mode");
/// The device that computes what is not split.
pub const MAIN_GPU: Parameter = recorded("main_gpu", |t, name| {
    let main = t.setup.offload.main;
    placed(t, name, main == 0, main.into())
});
/// The devices to use: `auto`, `none`, or names with `/` between them.
pub const DEVICES: Parameter = recorded("devices", |t, name| {
    let devices = t.setup.offload.devices.as_deref();
    let words = match devices {
        None => "auto".to_owned(),
        Some([]) => "none".to_owned(),
        Some(names) => names.join("/"),
    };
    placed(t, name, devices.is_none(), words.into())
});
/// Shares of several devices, with `/` between them; `0.00` for none.
pub const TENSOR_SPLIT: Parameter = recorded("tensor_split", |t, name| {
    let shares = &t.setup.offload.shares;
    let shares: Vec<String> = shares.iter().map(|share| format!("{share:.2}")).collect();
    let words = if shares.is_empty() { "0.00".to_owned() } else { shares.join("/") };
    placed(t, name, shares.is_empty(), words.into())
});
/// Workers on other machines, where there are any.
pub const WORKERS: Parameter = recorded("rpc", |t, _| {
    let workers = &t.setup.offload.workers;
    (!workers.is_empty()).then(|| workers.join(",").into())
});
/// The numbers that are computed with, where they were chosen.
pub const DTYPE: Parameter =
    recorded("dtype", |t, _| t.setup.precision.map(|precision| precision.name().into()));
/// Where single tensors lie.
pub const TENSOR_BUFT_OVERRIDES: Parameter = inert("tensor_buft_overrides");
/// No buffers that a GPU reads directly.
pub const NO_HOST: Parameter = inert("no_host");
/// Weights are laid out for the kernels.
pub const REPACK: Parameter = recorded("repack", |t, _| Some(t.setup.weights.pack.into()));
/// Embeddings in place of logits.
pub const EMBEDDINGS: Parameter = inert("embeddings");
/// Links that a deployment is planned for, as they were given.
pub const PLAN: Parameter = inert("plan");
/// Operations stay where their weights are.
pub const NO_OP_OFFLOAD: Parameter = recorded("no_op_offload", |t, name| {
    let ops = t.setup.offload.ops;
    placed(t, name, ops, i32::from(!ops).into())
});
/// Tokens handed over at once.
pub const N_BATCH: Parameter = recorded("n_batch", |t, _| Some(t.setup.n_batch.into()));
/// Tokens computed at once, as asked for.
pub const N_UBATCH: Parameter = recorded("n_ubatch", |t, _| Some(t.setup.n_ubatch.into()));
/// Type of the keys in the KV cache.
pub const TYPE_K: Parameter =
    recorded("type_k", |t, _| Some(t.setup.cache.names()[0].as_str().into()));
/// Type of the values.
pub const TYPE_V: Parameter =
    recorded("type_v", |t, _| Some(t.setup.cache.names()[1].as_str().into()));
/// What of the keys and values is kept, where that was asked for.
pub const KV: Parameter = recorded("kv", |t, _| t.kv.as_deref().map(Value::from));
/// The KV cache stays in main memory.
pub const NO_KV_OFFLOAD: Parameter = recorded("no_kv_offload", |t, name| {
    let kv = t.setup.offload.kv;
    placed(t, name, kv, (!kv).into())
});
/// Flash attention: 1 and 0 for with and without, -1 for the backend's choice.
pub const FLASH_ATTN: Parameter =
    recorded("flash_attn", |t, _| Some(t.setup.flash_attn.map_or(-1, i64::from).into()));
/// Threads that compute one token.
pub const N_THREADS: Parameter = recorded("n_threads", |t, _| Some(t.setup.threads.n.into()));
/// Threads that compute several at once, where that was asked for.
pub const N_THREADS_BATCH: Parameter =
    recorded("n_threads_batch", |t, _| t.setup.threads.n_batch.map(Value::from));
/// The processors of the threads, as a hexadecimal mask; `0x0` for any.
pub const CPU_MASK: Parameter = recorded("cpu_mask", |t, _| {
    Some(match t.setup.threads.place {
        Place::Mask { cpus, .. } => cpus.mask().into(),
        Place::Anywhere | Place::Nodes(_) | Place::Apart { .. } => "0x0".into(),
    })
});
/// Each thread has a processor of its own.
pub const CPU_STRICT: Parameter = recorded("cpu_strict", |t, _| {
    Some(matches!(t.setup.threads.place, Place::Mask { strict: true, .. }).into())
});
/// How threads are spread over memory nodes, where they are.
pub const NUMA: Parameter = recorded("numa", |t, _| match t.setup.threads.place {
    Place::Nodes(numa) => Some(numa.name().into()),
    Place::Anywhere | Place::Mask { .. } | Place::Apart { .. } => None,
});
/// Tokens that are in the KV cache before the timed ones; a batch has no depth.
pub const N_DEPTH: Parameter =
    recorded("n_depth", |t, _| t.n_parallel.is_none().then(|| t.n_depth.into()));
/// How long waiting threads poll, in hundredths of llama.cpp's longest.
pub const POLL: Parameter = inert("poll");
/// Prompt tokens of each sequence.
pub const N_PROMPT: Parameter = recorded("n_prompt", |t, _| Some(t.n_prompt.into()));
/// Tokens generated by each.
pub const N_GEN: Parameter = recorded("n_gen", |t, _| Some(t.n_gen.into()));
/// Sequences computed together, in a batch.
pub const N_PARALLEL: Parameter = recorded("n_parallel", |t, _| t.n_parallel.map(Value::from));
/// Tokens that the KV cache holds, in a batch.
pub const N_KV_MAX: Parameter = recorded("n_kv_max", |t, _| t.n_kv_max.map(Value::from));

/// All of them in the order of llama-bench's loops, the first changing slowest; then what is timed.
/// Records have them in this order too.
pub const PARAMETERS: &[Parameter] = &[
    MODEL,
    FIT_TARGET,
    FIT_MIN_CTX,
    N_GPU_LAYERS,
    N_CPU_MOE,
    SPLIT_MODE,
    LOAD_MODE,
    LAZY_MODE,
    MAIN_GPU,
    DEVICES,
    TENSOR_SPLIT,
    WORKERS,
    DTYPE,
    PLAN,
    TENSOR_BUFT_OVERRIDES,
    NO_HOST,
    REPACK,
    EMBEDDINGS,
    NO_OP_OFFLOAD,
    N_BATCH,
    N_UBATCH,
    TYPE_K,
    TYPE_V,
    KV,
    NO_KV_OFFLOAD,
    FLASH_ATTN,
    N_THREADS,
    N_THREADS_BATCH,
    CPU_MASK,
    CPU_STRICT,
    NUMA,
    N_DEPTH,
    POLL,
    N_PROMPT,
    N_GEN,
    N_PARALLEL,
    N_KV_MAX,
];

impl Test {
    /// Its parameters, as they are recorded.
    pub fn params(&self) -> Params {
        let value = |p: &Parameter| Some((p.name.to_owned(), (p.of)(self, p.name)?));
        PARAMETERS.iter().filter_map(value).collect()
    }

    /// What it computes, in llama-bench's words.
    pub fn name(&self) -> String {
        test_name(&self.params())
    }
}

fn load_mode(weights: Residence) -> &'static str {
    match (weights.mmap, weights.mlock) {
        (None, false) => "auto",
        (Some(true), false) => "mmap",
        (Some(false), false) => "none",
        (Some(false), true) => "mlock",
        (None | Some(true), true) => "mmap+mlock",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_setup::{CacheTypes, Cpus, DType, Numa, Offload, Setup, Threads};
    use serde_json::json;

    #[test]
    fn names_are_unique() {
        for (i, parameter) in PARAMETERS.iter().enumerate() {
            let others = &PARAMETERS[..i];
            assert!(others.iter().all(|other| other.name != parameter.name), "{}", parameter.name);
        }
    }

    #[test]
    fn a_test_is_recorded_in_llama_benchs_words() {
        let cpus = Cpus::from_mask("0x06").unwrap();
        let place = Place::Mask { cpus, strict: true };
        let setup = Setup {
            threads: Threads { n: 2, n_batch: Some(3), place },
            weights: Residence {
                mmap: Some(false),
                mlock: true,
                pack: false,
                ..Residence::default()
            },
            cache: CacheTypes { k: DType::F16, v: DType::IQ4NL },
            n_ubatch: 4096,
            flash_attn: Some(false),
            offload: Offload { n_layers: Some(0), ..Offload::default() },
            ..Setup::default()
        };
        let inert = vec![(POLL.name, 50.into()), (MAIN_GPU.name, Value::Null)];
        let mut test = Test { model: "m".into(), setup, n_gen: 4, inert, ..Test::default() };
        let expected = json!({
            "model": "m", "n_gpu_layers": 0, "load_mode": "mlock", "main_gpu": 0, "repack": false,
            "n_batch": 2048, "n_ubatch": 4096, "type_k": "f16", "type_v": "iq4_nl",
            "flash_attn": 0, "n_threads": 2, "n_threads_batch": 3, "cpu_mask": "0x6",
            "cpu_strict": true, "n_depth": 0, "poll": 50, "n_prompt": 0, "n_gen": 4,
        });
        // As text: the order counts.
        assert_eq!(Value::from(test.params()).to_string(), expected.to_string());
        test.setup.threads = Threads { place: Place::Nodes(Numa::Isolate), ..Threads::new(2) };
        (test.n_parallel, test.n_kv_max) = (Some(2), Some(64));
        let params = test.params();
        assert_eq!((&params["cpu_mask"], &params["numa"]), (&"0x0".into(), &"isolate".into()));
        assert_eq!((&params["n_parallel"], &params["n_kv_max"]), (&2.into(), &64.into()));
        assert!(!params.contains_key("n_threads_batch") && !params.contains_key("n_depth"));
    }
}
