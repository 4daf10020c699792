//! Flags that say which devices and which other machines compute, shared by the commands, and what
//! their texts mean.

use crate::exit::UsageError;
use pacemark_setup::{Offload, Precision, Split};
use std::time::Duration;

/// More layers than any model has.
pub(crate) const MAX_LAYERS: u32 = 100_000;
/// llama.cpp's bound of devices (`llama_max_devices`, `GGML_RPC_MAX_SERVERS`).
pub(crate) const MAX_DEVICES: u32 = 16;

/// Other machines, of every command whose backend may use them.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WorkerArgs {
    /// Workers on other machines that compute layers, each `pacemark rpc-worker` or llama.cpp's
    /// rpc-server. Only llama.cpp's engine uses them: --backend llama-cpp, which `load` adds itself
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', help_heading = "Other machines")]
    rpc: Vec<String>,
    /// Use workers at addresses that anybody on the internet reaches: nothing is encrypted
    #[arg(long, requires = "rpc", help_heading = "Other machines")]
    rpc_public: bool,
    /// A worker that gives no sign of life for so many seconds is lost
    #[arg(long, value_name = "S", default_value_t = Offload::DEAD_AFTER.as_secs(), requires = "rpc",
          value_parser = clap::value_parser!(u64).range(1..=3600), help_heading = "Other machines")]
    rpc_timeout: u64,
}

impl WorkerArgs {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.rpc.is_empty()
    }

    /// What says the same to another process of ours.
    pub(crate) fn words(&self) -> Vec<String> {
        if self.rpc.is_empty() {
            return Vec::new();
        }
        let mut words = vec!["--backend".to_owned(), "llama-cpp".to_owned()];
        words.extend(["--rpc".to_owned(), self.rpc.join(",")]);
        words.extend(["--rpc-timeout".to_owned(), self.rpc_timeout.to_string()]);
        words.extend(self.rpc_public.then(|| "--rpc-public".to_owned()));
        words
    }

    /// The workers in `offload`.
    pub(crate) fn set(&self, offload: &mut Offload) -> Result<(), UsageError> {
        if self.rpc.len() > MAX_DEVICES as usize {
            let (n, most) = (self.rpc.len(), MAX_DEVICES);
            return Err(UsageError(format!("--rpc: {n} workers, at most {most} can be used")));
        }
        for (i, worker) in self.rpc.iter().enumerate() {
            worker
                .parse::<pacemark_rpc::Endpoint>()
                .map_err(|error| UsageError(format!("--rpc {worker}: {error}")))?;
            if self.rpc[..i].contains(worker) {
                return Err(UsageError(format!("--rpc: {worker} is there twice")));
            }
        }
        offload.workers.clone_from(&self.rpc);
        offload.public = self.rpc_public;
        offload.dead_after = Duration::from_secs(self.rpc_timeout);
        Ok(())
    }
}

/// Devices, of commands that run one model; `bench` has them in lists.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DeviceArgs {
    /// Layers that devices compute (-ngl) [default: all, where there are devices]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_LAYERS)),
          help_heading = DEVICES)]
    n_gpu_layers: Option<u32>,
    /// How devices share a model: none, layer, row or tensor (-sm)
    #[arg(long, value_name = "HOW", default_value_t = Split::Layer, value_parser = split,
          help_heading = DEVICES)]
    split_mode: Split,
    /// The device that computes what is not split (-mg)
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..i64::from(MAX_DEVICES)),
          help_heading = DEVICES)]
    main_gpu: u32,
    /// Shares of the devices, e.g. 3,1 (-ts) [default: by their free memory]
    #[arg(long, value_name = "N,N", value_parser = share, value_delimiter = ',',
          help_heading = DEVICES)]
    tensor_split: Vec<f32>,
    /// Devices to use, by the names of `bench --list-devices`, none for no device (-dev); of openvino
    /// and transformers one: CPU, GPU, NPU, AUTO, cuda
    #[arg(
        short = 'd',
        long,
        value_name = "NAME,NAME",
        value_delimiter = ',',
        help_heading = DEVICES
    )]
    device: Vec<String>,
    #[command(flatten)]
    dtype: PrecisionArgs,
    #[command(flatten)]
    workers: WorkerArgs,
}

const DEVICES: &str = "Devices (llama-cpp, openvino, transformers)";

/// Numbers that are computed with, of every command whose backend may be one that leaves the choice.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct PrecisionArgs {
    /// Compute in f32, bf16 or f16; transformers quantizes to int8 and int4 too, where bitsandbytes runs
    /// [default: the engine's choice]
    #[arg(long, value_name = "TYPE", value_parser = precision, help_heading = "Devices (llama-cpp, openvino, transformers)")]
    dtype: Option<Precision>,
}

impl PrecisionArgs {
    /// What was asked for.
    pub(crate) fn get(self) -> Option<Precision> {
        self.dtype
    }
}

fn precision(name: &str) -> Result<Precision, String> {
    let names = Precision::ALL.map(Precision::name).join(", ");
    Precision::from_name(name).ok_or_else(|| format!("not one of {names}"))
}

impl DeviceArgs {
    /// The precision that was asked for.
    pub(crate) fn precision(&self) -> Option<Precision> {
        self.dtype.get()
    }

    /// What was asked for.
    pub(crate) fn offload(&self) -> Result<Offload, UsageError> {
        let named = self.device.join("/");
        let mut offload = Offload {
            n_layers: self.n_gpu_layers,
            split: self.split_mode,
            main: self.main_gpu,
            shares: self.tensor_split.clone(),
            devices: match self.device.is_empty() {
                true => None,
                false => {
                    devices(&named).map_err(|why| UsageError(format!("--device {named}: {why}")))?
                }
            },
            ..Offload::default()
        };
        if offload.shares.len() > MAX_DEVICES as usize {
            return Err(UsageError(format!("--tensor-split: at most {MAX_DEVICES} shares")));
        }
        if !offload.shares.is_empty() && offload.shares.iter().all(|share| *share == 0.0) {
            return Err(UsageError("--tensor-split: shares of nothing".into()));
        }
        self.workers.set(&mut offload)?;
        Ok(offload)
    }
}

fn split(name: &str) -> Result<Split, String> {
    let names = Split::ALL.map(Split::name).join(", ");
    Split::from_name(name).ok_or_else(|| format!("not one of {names}"))
}

/// The share of a device.
fn share(text: &str) -> Result<f32, String> {
    let share = text.trim().parse::<f32>().ok();
    share
        .filter(|share| (0.0..=1e6).contains(share))
        .ok_or_else(|| format!("expected a share from 0 to 1000000, found {text:?}"))
}

/// Shares with `/` or `;` between them, as llama-bench has them in its lists.
pub(crate) fn shares(text: &str) -> Result<Vec<f32>, String> {
    let shares: Vec<f32> = text.split(['/', ';']).map(share).collect::<Result<_, _>>()?;
    if shares.len() > MAX_DEVICES as usize {
        return Err(format!("at most {MAX_DEVICES} shares, found {}", shares.len()));
    }
    if shares.len() > 1 && shares.iter().all(|share| *share == 0.0) {
        return Err(format!("{text}: shares of nothing"));
    }
    Ok(shares)
}

/// Names of devices with `/` or `;` between them; `auto` for all, `none` for none.
pub(crate) fn devices(text: &str) -> Result<Option<Vec<String>>, String> {
    let names: Vec<String> = text.split(['/', ';']).map(|name| name.trim().to_owned()).collect();
    match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["auto"] => Ok(None),
        ["none"] => Ok(Some(Vec::new())),
        ref names if names.iter().any(|name| ["", "auto", "none"].contains(name)) => {
            Err(format!("expected names of devices, found {text:?}"))
        }
        _ => match (1..names.len()).find(|i| names[..*i].contains(&names[*i])) {
            Some(i) => Err(format!("{} is there twice", names[i])),
            None => Ok(Some(names)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_within_lists() {
        assert_eq!(shares("3/1"), Ok(vec![3.0, 1.0]));
        assert_eq!(devices("auto"), Ok(None));
        assert_eq!(devices("none"), Ok(Some(Vec::new())));
        assert_eq!(devices("RPC0;RPC1"), Ok(Some(vec!["RPC0".into(), "RPC1".into()])));
        for wrong in ["", "a//b", "auto/CUDA0", "RPC0/RPC0"] {
            assert!(devices(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "1/", "0/0", "-1", "NaN", "inf", "1/2/3/4/5/6/7/8/9/1/2/3/4/5/6/7/8"] {
            assert!(shares(wrong).is_err(), "{wrong}");
        }
    }
}
