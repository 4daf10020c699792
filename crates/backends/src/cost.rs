//! What a token costs by the model's file alone, the same for every backend that runs the file.

use pacemark_backend::{BackendInfo, Operations};
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{ModelFile, summary};
use pacemark_setup::DType;

/// `info` with the bytes and operations of a token. What the file does not tell stays zero.
pub(crate) fn with(info: BackendInfo, file: &ModelFile, kv_bytes_per_token: u64) -> BackendInfo {
    let (layers, output) = summary::operations(file).unwrap_or_default();
    let precision = match info.precision.is_empty() {
        true => most(layers).to_owned(),
        false => info.precision,
    };
    BackendInfo {
        precision,
        bytes_per_token: summary::bytes_per_token(file).unwrap_or(0),
        kv_bytes_per_token,
        kv_windowed: windowed(file, kv_bytes_per_token),
        layer_operations: operations(layers),
        output_operations: operations(output),
        ..info
    }
}

/// The same of an engine that tells by its own names what it computes on and keeps keys and values as.
/// What the processors' limits say nothing of has no cost.
pub(crate) fn of_engine(info: BackendInfo, file: &ModelFile, device: &str) -> BackendInfo {
    if !device.eq_ignore_ascii_case("cpu") {
        return info;
    }
    let kept = stored_as(&info.kv_types);
    let kv = kept.and_then(|dtype| Summary::of(file).ok()?.kv_bytes_per_token(dtype));
    with(info, file, kv.unwrap_or(0))
}

/// The type of ours that takes as many bytes as an engine's of that name.
fn stored_as(name: &str) -> Option<DType> {
    match name {
        "f16" | "bf16" => Some(DType::F16),
        "f32" => Some(DType::F32),
        // A byte a number, and scales.
        "u8" => Some(DType::Q8_0),
        _ => None,
    }
}

/// The type of most of a token's operations; empty where none are known.
fn most(of: summary::Operations) -> &'static str {
    let all = [("int8", of.int8), ("bf16", of.bf16), ("f32", of.f32)];
    let most = all.into_iter().filter(|(_, n)| *n > 0).max_by_key(|(_, n)| *n);
    most.map_or("", |(name, _)| name)
}

fn operations(of: summary::Operations) -> Operations {
    Operations { int8: of.int8, bf16: of.bf16, f32: of.f32 }
}

/// The share of the layers that have a window, and the largest window.
fn windowed(file: &ModelFile, kv_bytes_per_token: u64) -> Option<(u64, u64)> {
    let layers = pacemark_engine::model_config(file).ok()?.layers;
    let windows: Vec<u64> =
        layers.iter().filter_map(|layer| layer.window).map(|window| window as u64).collect();
    let largest = windows.iter().copied().max()?;
    Some((kv_bytes_per_token / layers.len() as u64 * windows.len() as u64, largest))
}
