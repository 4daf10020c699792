//! `pacemark models info`: the figures of `modelfile::summary`, shown.

use indicatif::DecimalBytes;
use pacemark_kernels::KvType;
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{DType, ModelFile};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

pub(super) fn json(file: &ModelFile, summary: &Summary, tensors: bool) -> Value {
    let share = |share: &pacemark_modelfile::summary::TypeShare| {
        json!({
            "type": share.dtype.name(), "n_tensors": share.n_tensors, "n_params": share.n_params,
            "bytes": share.n_bytes,
        })
    };
    let mut info = json!({
        "path": file.path(),
        "architecture": summary.architecture,
        "name": summary.name,
        "n_params": summary.n_params,
        "file_bytes": summary.file_bytes,
        "tensor_bytes": summary.tensor_bytes,
        "n_tensors": file.tensors().len(),
        "n_files": file.n_parts(),
        "bits_per_weight": bits_per_weight(summary),
        "quantization": summary.types.iter().map(share).collect::<Vec<_>>(),
        "context_length": summary.context_length,
        "n_vocab": summary.n_vocab,
        "n_layer": summary.n_layer,
        "embedding_length": summary.embedding_length,
        "n_head": summary.n_head,
        "n_head_kv": summary.n_head_kv,
        "key_length": summary.key_length,
        "value_length": summary.value_length,
        "tied_embeddings": summary.tied_embeddings,
        "bytes_per_token": summary.bytes_per_token,
        "kv_bytes_per_token_f16": summary.kv_bytes_per_token_f16,
        "kv_bytes_per_token": kv_types().map(|(name, dtype)| (name, summary.kv_bytes_per_token(dtype))).collect::<BTreeMap<_, _>>(),
    });
    if tensors {
        let each = file.tensors().iter().map(|tensor| {
            json!({
                "name": tensor.name, "dims": tensor.dims, "type": tensor.dtype.name(), "bytes": tensor.n_bytes(),
            })
        });
        info["tensors"] = each.collect();
    }
    info
}

pub(super) fn write(
    out: &mut impl Write,
    file: &ModelFile,
    summary: &Summary,
    tensors: bool,
) -> io::Result<()> {
    let number =
        |value: Option<u64>| value.map_or("not stated".to_owned(), |value| value.to_string());
    let bytes = |value: u64| format!("{} ({value} bytes)", DecimalBytes(value));
    let heads = match (summary.n_head, summary.n_head_kv) {
        (Some(heads), Some(kv)) => format!("{heads}, {kv} for keys and values"),
        (heads, _) => number(heads),
    };
    let tied = if summary.tied_embeddings { "; embeddings are the output matrix" } else { "" };
    let files =
        if file.n_parts() > 1 { format!(" in {} files", file.n_parts()) } else { String::new() };
    let million = summary.n_params as f64 / 1e6;
    let rows = [
        ("file", file.path().display().to_string()),
        ("name", summary.name.clone().unwrap_or_else(|| "not stated".into())),
        ("architecture", summary.architecture.clone()),
        ("parameters", format!("{million:.2} M in {} tensors{tied}", file.tensors().len())),
        ("file size", format!("{}{files}", bytes(summary.file_bytes))),
        (
            "weights",
            format!("{}, {:.2} bits each", bytes(summary.tensor_bytes), bits_per_weight(summary)),
        ),
        ("context length", number(summary.context_length)),
        ("vocabulary", number(summary.n_vocab)),
        ("layers", number(summary.n_layer)),
        ("embedding length", number(summary.embedding_length)),
        ("heads", heads),
        ("read per token", bytes(summary.bytes_per_token)),
        ("KV per token, f16", summary.kv_bytes_per_token_f16.map_or("not stated".into(), bytes)),
    ];
    let kv = kv_types().filter(|(name, _)| *name != "f16").map(|(name, dtype)| {
        let value = summary.kv_bytes_per_token(dtype).map_or("not stated".into(), bytes);
        (format!("KV per token, {name}"), value)
    });
    for (label, value) in rows.into_iter().map(|(label, value)| (label.to_owned(), value)).chain(kv)
    {
        writeln!(out, "{label:18} {value}")?;
    }
    writeln!(out, "\n{:6} {:>7} {:>14} {:>14}", "type", "tensors", "parameters", "bytes")?;
    for share in &summary.types {
        let name = share.dtype.name();
        writeln!(
            out,
            "{name:6} {:>7} {:>14} {:>14}",
            share.n_tensors, share.n_params, share.n_bytes
        )?;
    }
    if tensors {
        let width =
            file.tensors().iter().map(|tensor| tensor.name.chars().count()).max().unwrap_or(0);
        writeln!(out, "\n{:width$} {:6} {:>14}  dimensions", "tensor", "type", "bytes")?;
        for tensor in file.tensors() {
            let (dtype, dims) = (tensor.dtype.name(), &tensor.dims);
            writeln!(out, "{:width$} {dtype:6} {:>14}  {dims:?}", tensor.name, tensor.n_bytes())?;
        }
    }
    Ok(())
}

/// The types of the native backend's KV cache.
fn kv_types() -> impl Iterator<Item = (&'static str, DType)> {
    KvType::ALL
        .into_iter()
        .filter_map(|kv_type| Some((kv_type.name(), DType::from_name(kv_type.name())?)))
}

fn bits_per_weight(summary: &Summary) -> f64 {
    summary.tensor_bytes as f64 * 8.0 / (summary.n_params as f64).max(1.0)
}
