//! A few layers of a model, with weights that are drawn: what a part of it costs to run, from its
//! description alone.
//!
//! The slice has the model's keys, its tensors outside layers and the tensors of some layers, all of
//! the shapes and types that they have there. How fast those layers are follows from that; nothing
//! of the model's weights is read.

use super::weights::Weights;
use crate::arch::{Role, TensorName};
use crate::{
    Metadata, ModelFile, ModelFileError, Result, TensorBytes, TensorInfo, TensorSource, Value,
};
use std::path::Path;

/// The model's keys of its vocabulary, which no layer needs.
const VOCABULARY: &str = "tokenizer.";

/// `n` layers of `model`, evenly spaced, as a model of `n` layers; all where it has no more.
pub fn slice(model: &ModelFile, n: usize) -> Result<ModelFile> {
    let metadata = model.metadata();
    let count_key = format!("{}.block_count", metadata.architecture()?);
    let n_layers = metadata.u32(&count_key)? as usize;
    if n == 0 || n_layers == 0 {
        let found = format!("{n} of {n_layers}");
        return Err(ModelFileError::invalid(model.path(), &count_key, "layers to take", found));
    }
    let n = n.min(n_layers);
    let taken: Vec<usize> = (0..n).map(|i| i * n_layers / n).collect();
    let tensors = model.tensors().iter().filter_map(|info| renumbered(info, &taken)).collect();
    let label = Path::new("a slice of the model");
    let source = Drawn(Weights::of(label.to_owned()));
    ModelFile::from_source(
        label,
        keys(metadata, &count_key, n_layers, &taken),
        tensors,
        Box::new(source),
    )
}

/// The tensor under the name that it has in the slice; none of layers that are not taken.
fn renumbered(info: &TensorInfo, taken: &[usize]) -> Option<TensorInfo> {
    let name = match TensorName::parse(&info.name) {
        Some(TensorName { layer: Some(layer), part, bias }) => {
            let layer = Some(taken.iter().position(|&other| other == layer)?);
            TensorName { layer, part, bias }.to_string()
        }
        _ => info.name.clone(),
    };
    Some(TensorInfo::new(name, info.dims.clone(), info.dtype))
}

/// The keys, for fewer layers: lists with an entry for each layer have those of the layers taken.
fn keys(metadata: &Metadata, count_key: &str, n_layers: usize, taken: &[usize]) -> Metadata {
    let prefix = count_key.trim_end_matches("block_count");
    let mut slice = Metadata::new();
    for (key, value) in metadata.iter().filter(|(key, _)| !key.starts_with(VOCABULARY)) {
        let per_layer = key.starts_with(prefix) && value.shape().1 == Some(n_layers);
        slice.set(key, if per_layer { value.elements(taken) } else { value.clone() });
    }
    slice.set(count_key, Value::U32(taken.len() as u32));
    slice
}

/// Weights for any tensors.
#[derive(Debug)]
struct Drawn(Weights);

impl TensorSource for Drawn {
    fn bytes(&self, tensor: &TensorInfo) -> Result<TensorBytes> {
        let role = TensorName::parse(&tensor.name).map(|name| name.role());
        if matches!(role, Some(Role::Norm | Role::Constants)) {
            // One is what norms begin at, and a rotation that is not scaled.
            let mut bytes = vec![0; tensor.n_bytes() as usize];
            let ones = vec![1.0; tensor.n_elements() as usize];
            let written = pacemark_quant::quantize_row(tensor.dtype, &ones, &mut bytes);
            return written.map(|()| bytes.into()).map_err(|error| {
                let expected = "a type that can be written";
                ModelFileError::invalid(
                    Path::new(&tensor.name),
                    "type",
                    expected,
                    error.to_string(),
                )
            });
        }
        self.0.drawn(tensor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch;

    const MODEL: &str = r#"synth:{"architecture": "gemma3", "n_embd": 256, "n_ff": 256, "n_layers": 13,
        "n_heads": 2, "n_kv_heads": 1, "head_dim": 64, "n_vocab": 300}:Q4_K_M"#;

    #[test]
    fn a_slice_is_a_model_of_fewer_layers_of_the_same_types() {
        let whole = ModelFile::open(MODEL).unwrap();
        let part = slice(&whole, 4).unwrap();
        assert_eq!(arch::config(&part).unwrap().layers.len(), 4);
        for (name, from) in [
            ("blk.1.ffn_down.weight", "blk.3.ffn_down.weight"),
            ("blk.3.attn_v.weight", "blk.9.attn_v.weight"),
            ("token_embd.weight", "token_embd.weight"),
        ] {
            let (found, expected) = (part.tensor(name).unwrap(), whole.tensor(from).unwrap());
            assert_eq!((found.dtype, &found.dims), (expected.dtype, &expected.dims), "{name}");
            assert_eq!(part.bytes(found).unwrap().len() as u64, expected.n_bytes(), "{name}");
        }
        assert!(part.tensor("blk.4.attn_q.weight").is_none());
        assert_eq!(slice(&whole, 99).unwrap().tensors().len(), whole.tensors().len());
        assert!(slice(&whole, 0).is_err());
    }

    #[test]
    fn lists_by_layer_are_cut_with_it() {
        let mut metadata = Metadata::new();
        let pattern = [true, true, false, true];
        metadata.set("x.block_count", Value::U32(4));
        metadata.set("x.pattern", Value::Bools(pattern.into()));
        metadata.set("x.other", Value::Bools(vec![true; 3]));
        metadata.set("tokenizer.ggml.model", Value::String("gpt2".into()));
        let cut = keys(&metadata, "x.block_count", 4, &[0, 2]);
        assert_eq!(cut.get("x.pattern"), Some(&Value::Bools(vec![true, false])));
        assert_eq!(cut.get("x.other"), metadata.get("x.other"));
        assert_eq!((cut.get("x.block_count"), cut.len()), (Some(&Value::U32(2)), 3));
    }
}
