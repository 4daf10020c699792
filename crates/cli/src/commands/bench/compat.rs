//! Flags of llama-bench that steer what this engine does not have: accepted where the value changes
//! nothing on a CPU, so that command lines keep working; refused where it asks for something that
//! would not happen.

use crate::exit::UsageError;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches};
use pacemark_backends::native::Cpus;
use pacemark_bench::Axis;
use serde_json::Value;

/// A flag that is read, checked and recorded.
pub(super) struct Flag {
    /// Its long name, without dashes.
    pub long: &'static str,
    /// Its short name, if it has several letters (argv.rs) or one (`-C`).
    pub short: Option<&'static str>,
    /// The field that records it, with its default; `None` where llama-bench records nothing.
    pub field: Option<(&'static str, Lit)>,
    /// What may be given, and what is recorded for it.
    pub accepts: Accepts,
    /// What may be given besides where llama.cpp alone computes, which does as it is told.
    pub llama_cpp: &'static [(&'static str, Lit)],
    /// Why nothing else may; completes "…: ".
    pub why: &'static str,
    /// A switch without a value.
    pub switch: bool,
    /// The field of another flag, of which this is another name for some values.
    pub sets: Option<&'static str>,
}

/// A value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lit {
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// A word.
    Str(&'static str),
}

/// The values of a flag that change nothing.
pub(super) enum Accepts {
    /// These.
    Only(&'static [(&'static str, Lit)]),
    /// Any whole number from 0.
    AnyCount,
    /// A hexadecimal set of processors, recorded without leading zeros.
    Mask,
    /// None at all.
    Nothing,
}

use Accepts::{AnyCount, Mask, Nothing, Only};
use Lit::{Bool, Int, Str};

const GPU: &str = "Pacemark computes on the CPU, there is no GPU to use";
const KV: &str = "the native backend's KV cache has four types";
const LOAD: &str = "the file is mapped or read, and the weights are packed from there";
const THREADS: &str = "threads cannot be steered that way here";

/// Its name in the table of backends.
const LLAMA_CPP: &str = "llama-cpp";

const NO_PACK: &str = "compute from the file's rows instead of packing them: less memory, slower";
const NO_MMAP: &str = "read the file instead of mapping it";
const LOAD_MODES: &[(&str, Lit)] = &[
    ("auto", Str("auto")),
    ("mmap", Str("mmap")),
    ("none", Str("none")),
    ("mlock", Str("mlock")),
    ("mmap+mlock", Str("mmap+mlock")),
];
const MMAPS: &[(&str, Lit)] = &[("0", Str("none")), ("1", Str("mmap"))];
const OFF: &[(&str, Lit)] = &[("0", Bool(false))];
const EITHER: &[(&str, Lit)] = &[("0", Bool(false)), ("1", Bool(true))];
const KV_TYPES: &[(&str, Lit)] =
    &[("f32", Str("f32")), ("f16", Str("f16")), ("q8_0", Str("q8_0")), ("q4_0", Str("q4_0"))];
/// The other types of llama.cpp's KV cache.
const OTHER_KV_TYPES: &[(&str, Lit)] = &[
    ("bf16", Str("bf16")),
    ("q4_1", Str("q4_1")),
    ("q5_0", Str("q5_0")),
    ("q5_1", Str("q5_1")),
    ("iq4_nl", Str("iq4_nl")),
];

const fn flag(
    long: &'static str,
    short: &'static str,
    field: &'static str,
    default: Lit,
    accepts: Accepts,
    why: &'static str,
) -> Flag {
    let short = if short.is_empty() { None } else { Some(short) };
    Flag {
        long,
        short,
        field: Some((field, default)),
        accepts,
        llama_cpp: &[],
        why,
        switch: false,
        sets: None,
    }
}

impl Flag {
    const fn or_llama_cpp(mut self, values: &'static [(&'static str, Lit)]) -> Flag {
        self.llama_cpp = values;
        self
    }
}

const fn unrecorded(
    long: &'static str,
    short: &'static str,
    accepts: Accepts,
    why: &'static str,
) -> Flag {
    let short = if short.is_empty() { None } else { Some(short) };
    Flag { long, short, field: None, accepts, llama_cpp: &[], why, switch: false, sets: None }
}

/// Every such flag.
pub(super) const FLAGS: &[Flag] = &[
    flag("cache-type-k", "-ctk", "type_k", Str("f16"), Only(KV_TYPES), KV)
        .or_llama_cpp(OTHER_KV_TYPES),
    flag("cache-type-v", "-ctv", "type_v", Str("f16"), Only(KV_TYPES), KV)
        .or_llama_cpp(OTHER_KV_TYPES),
    flag(
        "cpu-mask",
        "-C",
        "cpu_mask",
        Str("0x0"),
        Mask,
        "expected a hexadecimal mask, e.g. 0x3 for processors 0 and 1",
    ),
    flag("cpu-strict", "", "cpu_strict", Bool(false), Only(EITHER), "expected 0 or 1"),
    flag("poll", "", "poll", Int(50), Only(&[("50", Int(50))]), THREADS),
    flag(
        "n-gpu-layers",
        "-ngl",
        "n_gpu_layers",
        Int(-1),
        Only(&[("-1", Int(-1)), ("0", Int(0))]),
        GPU,
    ),
    // Experts stay on the CPU whatever the number.
    flag("n-cpu-moe", "-ncmoe", "n_cpu_moe", Int(0), AnyCount, "expected a whole number"),
    flag(
        "split-mode",
        "-sm",
        "split_mode",
        Str("layer"),
        Only(&[("none", Str("none")), ("layer", Str("layer"))]),
        "there are no GPUs to split the model between",
    ),
    flag("main-gpu", "-mg", "main_gpu", Int(0), Only(&[("0", Int(0))]), GPU),
    // The KV cache is in main memory either way.
    flag("no-kv-offload", "-nkvo", "no_kv_offload", Bool(false), Only(EITHER), "expected 0 or 1"),
    flag(
        "flash-attn",
        "-fa",
        "flash_attn",
        Int(-1),
        Only(&[("auto", Int(-1)), ("on", Int(1)), ("1", Int(1)), ("-1", Int(-1))]),
        "the native backend has fused attention only",
    )
    .or_llama_cpp(&[("off", Int(0)), ("0", Int(0))]),
    flag(
        "device",
        "-dev",
        "devices",
        Str("auto"),
        Only(&[("auto", Str("auto")), ("none", Str("none"))]),
        GPU,
    ),
    flag("load-mode", "-lm", "load_mode", Str("auto"), Only(LOAD_MODES), LOAD),
    Flag { sets: Some("load_mode"), ..unrecorded("mmap", "-mmp", Only(MMAPS), "expected 0 or 1") },
    Flag {
        sets: Some("load_mode"),
        switch: true,
        ..unrecorded("no-mmap", "", Only(&[("", Str("none"))]), NO_MMAP)
    },
    unrecorded("direct-io", "-dio", Only(&[("0", Int(0))]), LOAD),
    flag(
        "lazy-mode",
        "-lzm",
        "lazy_mode",
        Str("auto"),
        Only(&[("auto", Str("auto")), ("off", Str("off"))]),
        LOAD,
    ),
    flag(
        "embeddings",
        "-embd",
        "embeddings",
        Bool(false),
        Only(OFF),
        "generation needs logits, not embeddings",
    ),
    flag(
        "tensor-split",
        "-ts",
        "tensor_split",
        Str("0.00"),
        Only(&[("0", Str("0.00")), ("0.00", Str("0.00"))]),
        GPU,
    ),
    flag(
        "override-tensor",
        "-ot",
        "tensor_buft_overrides",
        Str("none"),
        Only(&[("none", Str("none"))]),
        GPU,
    ),
    // There is no other device that operations could go to.
    flag(
        "no-op-offload",
        "-nopo",
        "no_op_offload",
        Int(0),
        Only(&[("0", Int(0)), ("1", Int(1))]),
        "expected 0 or 1",
    ),
    flag("no-host", "", "no_host", Bool(false), Only(OFF), "there are no other buffers"),
    flag("repack", "-rpk", "repack", Bool(true), Only(EITHER), "expected 0 or 1"),
    Flag {
        sets: Some("repack"),
        switch: true,
        ..unrecorded("no-pack", "", Only(&[("", Bool(false))]), NO_PACK)
    },
    flag("fit-target", "-fitt", "fit_target", Int(0), Only(&[("off", Int(0)), ("0", Int(0))]), GPU),
    flag("fit-ctx", "-fitc", "fit_min_ctx", Int(4096), Only(&[("4096", Int(4096))]), GPU),
    unrecorded("prio", "", Only(&[("0", Int(0))]), THREADS),
    unrecorded("rpc", "-rpc", Nothing, "Pacemark computes on this machine only"),
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

/// All axes in the order of llama-bench's loops: the first changes slowest.
pub(super) const ORDER: &[&str] = &[
    "model",
    "fit_target",
    "fit_min_ctx",
    "n_gpu_layers",
    "n_cpu_moe",
    "split_mode",
    "load_mode",
    "lazy_mode",
    "main_gpu",
    "devices",
    "tensor_split",
    "tensor_buft_overrides",
    "no_host",
    "repack",
    "embeddings",
    "no_op_offload",
    "n_batch",
    "n_ubatch",
    "type_k",
    "type_v",
    "no_kv_offload",
    "flash_attn",
    "n_threads",
    "n_threads_batch",
    "cpu_mask",
    "cpu_strict",
    "numa",
    "n_depth",
    "poll",
];

/// What was given for [`FLAGS`], in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct CompatFlags {
    given: Vec<Vec<String>>,
}

impl CompatFlags {
    /// An axis for each recorded flag, and whether it has several values or another than the
    /// default. Refuses the first value that would not happen on one of `backends`.
    pub(super) fn axes(&self, backends: &[String]) -> Result<Vec<(Axis, bool)>, UsageError> {
        let check = |(flag, given): (&Flag, &Vec<String>)| -> Result<Vec<Value>, UsageError> {
            given.iter().map(|value| flag.check(value, backends)).collect()
        };
        let checked: Vec<Vec<Value>> =
            FLAGS.iter().zip(&self.given).map(check).collect::<Result<_, _>>()?;
        let mut axes = Vec::new();
        for (flag, values) in FLAGS.iter().zip(&checked) {
            let Some((name, default)) = flag.field else { continue };
            let others = FLAGS.iter().zip(&checked).filter(|(other, _)| other.sets == Some(name));
            let values: Vec<Value> =
                values.iter().chain(others.flat_map(|(_, values)| values)).cloned().collect();
            let default = Value::from(default);
            let is_varied =
                values.len() > 1 || values.first().is_some_and(|value| *value != default);
            let values = if values.is_empty() { vec![default] } else { values };
            axes.push((Axis { name, values }, is_varied));
        }
        Ok(axes)
    }
}

impl Flag {
    /// The value to record, or why there is none.
    fn check(&self, given: &str, backends: &[String]) -> Result<Value, UsageError> {
        let by_llama_cpp = self
            .llama_cpp
            .iter()
            .find(|(name, _)| *name == given)
            .map(|(_, value)| Value::from(*value));
        if let Some(value) =
            by_llama_cpp.clone().filter(|_| backends.iter().all(|backend| backend == LLAMA_CPP))
        {
            return Ok(value);
        }
        let accepted = match self.accepts {
            Only(values) => {
                values.iter().find(|(name, _)| *name == given).map(|(_, value)| Value::from(*value))
            }
            AnyCount => given.parse::<u32>().ok().map(Value::from),
            Mask => Cpus::from_mask(given).ok().map(|cpus| Value::from(cpus.mask())),
            Nothing => None,
        };
        accepted.ok_or_else(|| {
            let name = self.short.map_or(format!("--{}", self.long), str::to_owned);
            let what = if self.switch { name } else { format!("{name} {given}") };
            let instead = match self.accepts {
                Only(values) => {
                    let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
                    format!(" Here it may be {}.", names.join(" or "))
                }
                AnyCount | Mask | Nothing => String::new(),
            };
            let elsewhere = if by_llama_cpp.is_some() {
                " The llama-cpp backend takes it (--backend llama-cpp)."
            } else {
                ""
            };
            UsageError(format!("{what}: {}.{instead}{elsewhere}", self.why))
        })
    }
}

impl From<Lit> for Value {
    fn from(value: Lit) -> Value {
        match value {
            Int(n) => n.into(),
            Bool(yes) => yes.into(),
            Str(text) => text.into(),
        }
    }
}

impl clap::Args for CompatFlags {
    fn augment_args(command: Command) -> Command {
        FLAGS.iter().fold(command, |command, flag| {
            let mut arg = Arg::new(flag.long)
                .long(flag.long)
                .help(flag.help())
                .help_heading("Accepted for llama-bench's sake")
                .hide_short_help(true);
            if flag.switch {
                arg = arg.action(ArgAction::SetTrue);
            } else {
                arg = arg
                    .action(ArgAction::Append)
                    .value_name("V")
                    .value_delimiter(',')
                    .allow_hyphen_values(true);
            }
            if let Some([letter]) =
                flag.short.and_then(|short| short.strip_prefix('-')).map(str::as_bytes)
            {
                arg = arg.short(char::from(*letter));
            }
            command.arg(arg)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl Flag {
    fn help(&self) -> String {
        let short = self.short.map_or(String::new(), |short| format!(" ({short})"));
        match self.accepts {
            Only(_) if self.switch => self.why.to_owned(),
            Only(values) => {
                let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
                let others: Vec<_> = self.llama_cpp.iter().map(|(name, _)| *name).collect();
                let others = if others.is_empty() {
                    String::new()
                } else {
                    format!("; llama-cpp: {} too", others.join(", "))
                };
                format!("{}{others}{short}", names.join(" or "))
            }
            AnyCount => format!("any number{short}"),
            Mask => format!("processors to compute on, as a hexadecimal mask; 0x0 for any{short}"),
            Nothing => format!("refused: {}{short}", self.why),
        }
    }
}

impl FromArgMatches for CompatFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = FLAGS.iter().map(|flag| {
            if flag.switch {
                return if matches.get_flag(flag.long) { vec![String::new()] } else { Vec::new() };
            }
            matches
                .get_many::<String>(flag.long)
                .map_or(Vec::new(), |values| values.cloned().collect())
        });
        Ok(CompatFlags { given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
