//! What a command is given: text by flag, file or standard input; the types that weights are to
//! have.

use crate::exit::UsageError;
use anyhow::{Context, Result};
use pacemark_backend::BackendInfo;
use pacemark_backends::native::{Cpus, KvType, KvTypes, Numa, Place};
use pacemark_files::{bounded, text};
use pacemark_modelfile::quantize::{RECIPES, Recipe};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

/// The flag beside `-m` of every command that computes.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct WeightType {
    /// Quantize the weights of a Hugging Face directory on load, e.g. to Q8_0 or Q4_K_M
    #[arg(long = "type", value_name = "TYPE", value_parser = recipe)]
    weights: Option<Recipe>,
}

impl WeightType {
    /// The type, if one was given.
    pub(crate) fn get(self) -> Option<Recipe> {
        self.weights
    }
}

/// Tells what was passed over while a model was read.
pub(crate) fn warn(info: &BackendInfo) {
    for warning in &info.warnings {
        eprintln!("warning: {}", bounded(warning));
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
    cache_type_k: KvType,
    /// Store values as f32, f16, q8_0 or q4_0 (-ctv)
    #[arg(long, value_name = "TYPE", default_value = KvType::F16.name(), value_parser = kv_type)]
    cache_type_v: KvType,
}

impl KvArgs {
    /// The types; a usage error if they do not go together.
    pub(crate) fn get(self) -> Result<KvTypes, UsageError> {
        KvTypes::new(self.cache_type_k, self.cache_type_v)
            .map_err(|error| UsageError(format!("-ctk, -ctv: {error}")))
    }
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
    pub no_mmap: bool,
    /// Lock the weights in memory: never swapped out, refused where the process may not
    #[arg(long)]
    pub mlock: bool,
    /// Compute from the file's rows instead of packing them: less memory, slower
    #[arg(long)]
    pub no_pack: bool,
}

/// Those of a mask; none for 0, which is for any.
#[derive(Clone, Copy, Debug)]
struct Processors(Option<Cpus>);

impl HostArgs {
    fn cpus(self) -> Option<Cpus> {
        self.cpu_mask.and_then(|mask| mask.0)
    }

    /// Where threads run.
    pub(crate) fn place(self) -> Result<Place, UsageError> {
        match (self.numa, self.cpus(), self.cpu_strict == 1) {
            (Some(numa), ..) => Ok(Place::Nodes(numa)),
            (None, Some(cpus), strict) => Ok(Place::Mask { cpus, strict }),
            (None, None, false) => Ok(Place::Anywhere),
            (None, None, true) => {
                Err(UsageError("--cpu-strict 1: it needs processors (-C MASK)".into()))
            }
        }
    }

    /// Where the threads of a process run that serves while it computes: as [`Self::place`] says,
    /// or, if nothing was asked for, the leader apart from all else. `-C 0` asks for any processor.
    pub(crate) fn place_beside_server(self, n_threads: usize) -> Result<Place, UsageError> {
        match self.place()? {
            Place::Anywhere if self.cpu_mask.is_none() => Ok(Place::apart(n_threads)),
            place => Ok(place),
        }
    }

    /// As they are recorded: fields that were not asked for are missing.
    pub(crate) fn record(self, into: &mut serde_json::Map<String, serde_json::Value>) {
        if let Some(cpus) = self.cpus() {
            into.insert("cpu_mask".into(), cpus.mask().into());
            into.insert("cpu_strict".into(), (self.cpu_strict == 1).into());
        }
        if let Some(numa) = self.numa {
            into.insert("numa".into(), numa.name().into());
        }
        for (name, given) in
            [("no_mmap", self.no_mmap), ("mlock", self.mlock), ("no_pack", self.no_pack)]
        {
            if given {
                into.insert(name.into(), true.into());
            }
        }
    }
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

fn kv_type(name: &str) -> Result<KvType, String> {
    KvType::from_name(name)
        .ok_or_else(|| format!("not one of {}", KvType::ALL.map(KvType::name).join(", ")))
}

/// The prompt given by `-p` or `-f`, else all of standard input.
pub(crate) fn prompt(text: Option<&str>, file: Option<&PathBuf>) -> Result<String> {
    match (text, file) {
        (Some(text), _) => Ok(text.to_string()),
        (None, Some(path)) => read_file(path),
        (None, None) if std::io::stdin().is_terminal() => {
            Err(UsageError("no prompt: give -p TEXT, -f FILE, or text on standard input".into())
                .into())
        }
        (None, None) => read_stdin(),
    }
}

/// A file's text, without a byte-order mark.
pub(crate) fn read_file(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    decoded(bytes, &path.display().to_string())
}

/// All of standard input, without a byte-order mark.
pub(crate) fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    decoded(bytes, "standard input")
}

fn decoded(bytes: Vec<u8>, source: &str) -> Result<String> {
    text::decode(bytes).with_context(|| source.to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn types_go_by_the_names_of_the_table() {
        assert_eq!(super::recipe("q8_0"), Ok(super::Recipe::Q8_0));
        assert_eq!(super::recipe("Q4_K_M"), Ok(super::Recipe::Q4KM));
        assert!(super::recipe("Q9_0").unwrap_err().contains("Q8_0, "));
    }
}
