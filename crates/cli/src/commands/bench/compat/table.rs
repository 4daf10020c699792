//! The flags: what each may be given, what that is to a test, and why nothing else may.

use super::Accepts::{AnyCount, CacheType, Free, Mask, Nothing, Only};
use super::Choice::{
    self, Bool, Devices, FlashAttn, Int, Keys, KvHere, Layers, Load, Main, OpsHere, Pack,
    Processors, Shares, SplitMode, Str, Strict, Values,
};
use super::{Accepts, Flag};
use crate::offload::{self, MAX_DEVICES, MAX_LAYERS};
use pacemark_bench::Parameter;
use pacemark_bench::parameter::*;
use pacemark_setup::{DType, Split};

const GPU: &str = "Pacemark computes on the CPU, there is no GPU to use";
const KV: &str = "no KV cache has that type";
const LOAD: &str = "the file is mapped or read, and the weights are packed from there";
const THREADS: &str = "threads cannot be steered that way here";
const NO_PACK: &str = "compute from the file's rows instead of packing them: less memory, slower";
const NO_MMAP: &str = "read the file instead of mapping it";

/// What a KV cache may store: first what the native backend has.
pub(super) const CACHE_TYPES: &[DType] = &[
    DType::F32,
    DType::F16,
    DType::Q8_0,
    DType::Q4_0,
    DType::BF16,
    DType::Q4_1,
    DType::Q5_0,
    DType::Q5_1,
    DType::IQ4NL,
];

const AUTO: Choice = Load { mmap: None, mlock: false };
const MAP: Choice = Load { mmap: Some(true), mlock: false };
const READ: Choice = Load { mmap: Some(false), mlock: false };
const LOAD_MODES: &[(&str, Choice)] = &[
    ("auto", AUTO),
    ("mmap", MAP),
    ("none", READ),
    ("mlock", Load { mmap: Some(false), mlock: true }),
    ("mmap+mlock", Load { mmap: Some(true), mlock: true }),
];
const MMAPS: &[(&str, Choice)] = &[("0", READ), ("1", MAP)];
const FLASH: &[(&str, Choice)] = &[
    ("auto", FlashAttn(None)),
    ("on", FlashAttn(Some(true))),
    ("1", FlashAttn(Some(true))),
    ("-1", FlashAttn(None)),
    ("off", FlashAttn(Some(false))),
    ("0", FlashAttn(Some(false))),
];
const OFF: &[(&str, Choice)] = &[("0", Bool(false))];
const SPLITS: &[(&str, Choice)] = &[
    ("none", SplitMode(Split::None)),
    ("layer", SplitMode(Split::Layer)),
    ("row", SplitMode(Split::Row)),
    ("tensor", SplitMode(Split::Tensor)),
];

/// Layers that devices compute.
fn layers(given: &str) -> Option<Choice> {
    let n: u32 = given.parse().ok()?;
    (n <= MAX_LAYERS).then_some(Layers(Some(n)))
}

fn main_gpu(given: &str) -> Option<Choice> {
    given.parse().ok().filter(|n: &u32| *n < MAX_DEVICES).map(Main)
}

/// Shares of devices, which live as long as the command line does.
fn shares(given: &str) -> Option<Choice> {
    offload::shares(given).ok().map(|shares| Shares(Vec::leak(shares)))
}

/// Names of devices.
fn devices(given: &str) -> Option<Choice> {
    offload::devices(given).ok().map(|names| Devices(names.map(|names| &*Vec::leak(names))))
}

const fn flag(
    long: &'static str,
    short: &'static str,
    records: Parameter,
    default: Choice,
    accepts: Accepts,
    why: &'static str,
) -> Flag {
    Flag { records: Some((records, default)), ..unrecorded(long, short, accepts, why) }
}

const fn unrecorded(
    long: &'static str,
    short: &'static str,
    accepts: Accepts,
    why: &'static str,
) -> Flag {
    let short = if short.is_empty() { None } else { Some(short) };
    Flag { long, short, records: None, accepts, why, switch: false, sets: None }
}

/// Every such flag.
pub(crate) const FLAGS: &[Flag] = &[
    flag("cache-type-k", "-ctk", TYPE_K, Keys(DType::F16), CacheType(Keys), KV),
    flag("cache-type-v", "-ctv", TYPE_V, Values(DType::F16), CacheType(Values), KV),
    flag(
        "cpu-mask",
        "-C",
        CPU_MASK,
        Processors(None),
        Mask,
        "expected a hexadecimal mask, e.g. 0x3 for processors 0 and 1",
    ),
    flag(
        "cpu-strict",
        "",
        CPU_STRICT,
        Strict(false),
        Only(&[("0", Strict(false)), ("1", Strict(true))]),
        "expected 0 or 1",
    ),
    flag("poll", "", POLL, Int(50), Only(&[("50", Int(50))]), THREADS),
    flag(
        "n-gpu-layers",
        "-ngl",
        N_GPU_LAYERS,
        Layers(None),
        Free(&[("-1", Layers(None)), ("0", Layers(Some(0)))], layers),
        "expected a number of layers, or -1 for all",
    ),
    // Without devices experts stay on the CPU whatever the number; with some `plan` refuses it.
    flag("n-cpu-moe", "-ncmoe", N_CPU_MOE, Int(0), AnyCount, "expected a whole number"),
    flag(
        "split-mode",
        "-sm",
        SPLIT_MODE,
        SplitMode(Split::Layer),
        Only(SPLITS),
        "neither none nor layer nor row nor tensor",
    ),
    flag(
        "main-gpu",
        "-mg",
        MAIN_GPU,
        Main(0),
        Free(&[("0", Main(0))], main_gpu),
        "expected the number of a device",
    ),
    // Without devices the KV cache is in main memory either way.
    flag(
        "no-kv-offload",
        "-nkvo",
        NO_KV_OFFLOAD,
        KvHere(false),
        Only(&[("0", KvHere(false)), ("1", KvHere(true))]),
        "expected 0 or 1",
    ),
    flag(
        "flash-attn",
        "-fa",
        FLASH_ATTN,
        FlashAttn(None),
        Only(FLASH),
        "neither on nor off nor auto",
    ),
    flag(
        "device",
        "-dev",
        DEVICES,
        Devices(None),
        Free(&[("auto", Devices(None)), ("none", Devices(Some(&[])))], devices),
        "expected names of --list-devices with / between them",
    ),
    flag("load-mode", "-lm", LOAD_MODE, AUTO, Only(LOAD_MODES), LOAD),
    Flag { sets: Some(LOAD_MODE), ..unrecorded("mmap", "-mmp", Only(MMAPS), "expected 0 or 1") },
    Flag {
        sets: Some(LOAD_MODE),
        switch: true,
        ..unrecorded("no-mmap", "", Only(&[("", READ)]), NO_MMAP)
    },
    unrecorded("direct-io", "-dio", Only(&[("0", Int(0))]), LOAD),
    flag(
        "lazy-mode",
        "-lzm",
        LAZY_MODE,
        Str("auto"),
        Only(&[("auto", Str("auto")), ("off", Str("off"))]),
        LOAD,
    ),
    flag(
        "embeddings",
        "-embd",
        EMBEDDINGS,
        Bool(false),
        Only(OFF),
        "generation needs logits, not embeddings",
    ),
    flag(
        "tensor-split",
        "-ts",
        TENSOR_SPLIT,
        Shares(&[]),
        Free(&[("0", Shares(&[])), ("0.00", Shares(&[]))], shares),
        "expected shares of the devices with / between them, e.g. 3/1",
    ),
    flag(
        "override-tensor",
        "-ot",
        TENSOR_BUFT_OVERRIDES,
        Str("none"),
        Only(&[("none", Str("none"))]),
        GPU,
    ),
    // Without devices there is nothing that operations could go to.
    flag(
        "no-op-offload",
        "-nopo",
        NO_OP_OFFLOAD,
        OpsHere(false),
        Only(&[("0", OpsHere(false)), ("1", OpsHere(true))]),
        "expected 0 or 1",
    ),
    flag("no-host", "", NO_HOST, Bool(false), Only(OFF), "there are no other buffers"),
    flag(
        "repack",
        "-rpk",
        REPACK,
        Pack(true),
        Only(&[("0", Pack(false)), ("1", Pack(true))]),
        "expected 0 or 1",
    ),
    Flag {
        sets: Some(REPACK),
        switch: true,
        ..unrecorded("no-pack", "", Only(&[("", Pack(false))]), NO_PACK)
    },
    flag("fit-target", "-fitt", FIT_TARGET, Int(0), Only(&[("off", Int(0)), ("0", Int(0))]), GPU),
    flag("fit-ctx", "-fitc", FIT_MIN_CTX, Int(4096), Only(&[("4096", Int(4096))]), GPU),
    unrecorded("prio", "", Only(&[("0", Int(0))]), THREADS),
    unrecorded(
        "hf-token",
        "-hft",
        Nothing,
        "a token on the command line can be seen by every user of this machine: set HF_TOKEN in the environment",
    ),
    Flag {
        switch: true,
        ..unrecorded("offline", "", Nothing, "set HF_HUB_OFFLINE=1 in the environment")
    },
];
