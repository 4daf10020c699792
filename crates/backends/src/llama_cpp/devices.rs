//! From an [`Offload`] to what llama.cpp is told: which devices, how many layers, which shares.

use super::LlamaCppError;
use super::ffi::{self, Device, ModelParams};
use super::workers::Workers;
use llama_cpp_sys_2 as sys;
use pacemark_setup::{Offload, Residence, Split};

/// A device by the name that `-dev` knows it by: workers' are `RPC0`, `RPC1`, … in their order.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) device: Device,
}

/// All devices that layers may go to, workers' first, as llama.cpp has them.
pub(super) fn all(workers: Option<&Workers>) -> Vec<Named> {
    let far = workers.map_or(&[][..], |workers| &workers.devices).iter().enumerate();
    let far = far.map(|(i, device)| Named { name: format!("RPC{i}"), device: *device });
    let near = ffi::local().into_iter();
    far.chain(near.map(|device| Named { name: device.about().name, device })).collect()
}

/// What llama.cpp loads a model by, and the names of the devices that compute.
pub(super) fn params(
    offload: &Offload,
    weights: &Residence,
    workers: Option<&Workers>,
) -> Result<(ModelParams, Vec<String>), LlamaCppError> {
    let known = all(workers);
    let chosen = chosen(offload, known)?;
    let split = match offload.split {
        Split::None => sys::LLAMA_SPLIT_MODE_NONE,
        Split::Layer => sys::LLAMA_SPLIT_MODE_LAYER,
        Split::Row => sys::LLAMA_SPLIT_MODE_ROW,
        Split::Tensor => sys::LLAMA_SPLIT_MODE_TENSOR,
    };
    let (names, devices): (Vec<String>, Vec<Device>) =
        chosen.into_iter().map(|Named { name, device }| (name, device)).unzip();
    // Where no layer goes to a device, none is to be touched: operations on long prompts would be.
    let devices = if offload.n_layers == Some(0) { Vec::new() } else { devices };
    let params = ModelParams {
        n_gpu_layers: offload.n_layers.map_or(-1, |n| n as i32),
        split_mode: split,
        main_gpu: offload.main as i32,
        tensor_split: offload.shares.clone(),
        devices,
        repack: weights.pack,
        load_mode: match weights.mmap {
            None => sys::LLAMA_LOAD_MODE_AUTO,
            Some(true) => sys::LLAMA_LOAD_MODE_MMAP,
            Some(false) => sys::LLAMA_LOAD_MODE_NONE,
        },
    };
    Ok((params, names))
}

/// The devices that were asked for, or all of them. Refuses what would not happen.
fn chosen(offload: &Offload, known: Vec<Named>) -> Result<Vec<Named>, LlamaCppError> {
    let names: Vec<String> = known.iter().map(|known| known.name.clone()).collect();
    let refused = |why: String| Err(LlamaCppError::Devices(why));
    let chosen: Vec<Named> = match &offload.devices {
        None => known,
        Some(wanted) => {
            if let Some(name) = wanted.iter().find(|name| !names.contains(name)) {
                return refused(format!("-dev {name}: there is no such device, {}", there(&names)));
            }
            let place = |known: &Named| wanted.iter().position(|name| *name == known.name);
            let mut chosen: Vec<Named> =
                known.into_iter().filter(|known| place(known).is_some()).collect();
            chosen.sort_by_key(place);
            chosen
        }
    };
    let n = chosen.len();
    if n == 0 {
        if offload.devices.is_some() && offload.n_layers.is_some_and(|n| n > 0) {
            return refused("-ngl: no layer can go to a device under -dev none".into());
        }
        let here = Offload { devices: None, workers: Vec::new(), ..offload.clone() };
        return match here.is_here() {
            true => Ok(chosen),
            false => refused(format!(
                "-ngl, -sm, -mg and -ts are for devices, {}; this llama.cpp may be built with one \
                 (docs/rpc.md), or use workers (--rpc)",
                there(&names)
            )),
        };
    }
    if offload.main as usize >= n {
        return refused(format!("-mg {}: there are {n} devices, {}", offload.main, there(&names)));
    }
    if offload.main > 0 && offload.split == Split::Layer {
        return refused(format!("-mg {}: under -sm layer no device is the main one", offload.main));
    }
    if !offload.shares.is_empty() && offload.split == Split::None {
        return refused("-ts: under -sm none one device computes all".into());
    }
    if offload.shares.len() > n {
        let shares = offload.shares.len();
        return refused(format!("-ts: {shares} shares for {n} devices, {}", there(&names)));
    }
    if matches!(offload.split, Split::Row | Split::Tensor) && !offload.workers.is_empty() {
        return refused(format!(
            "-sm {}: llama.cpp shares out single tensors among devices of one machine only; workers \
             take whole layers (-sm layer)",
            offload.split
        ));
    }
    Ok(chosen)
}

fn there(names: &[String]) -> String {
    if names.is_empty() { "and there are none".into() } else { format!("of {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_device_is_refused_without_one() {
        let error = |offload: Offload| chosen(&offload, Vec::new()).err().map(|e| e.to_string());
        let here = Offload::default;
        assert_eq!(error(here()), None);
        assert_eq!(error(Offload { n_layers: Some(0), devices: Some(Vec::new()), ..here() }), None);
        let none = error(Offload { n_layers: Some(10), ..here() }).unwrap();
        assert!(none.contains("there are none") && none.contains("--rpc"), "{none}");
        let named = error(Offload { devices: Some(vec!["CUDA0".into()]), ..here() }).unwrap();
        assert!(named.contains("-dev CUDA0: there is no such device"), "{named}");
    }
}
