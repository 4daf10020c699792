//! `smollm3`: SmolLM 3.

use super::llama::{INSIDE, llama};
use super::{Arch, LayerKind, ModelConfig, NewKeys, RopeStyle};
use crate::hf::family::{Family, Node, Widths, expect_bool};
use crate::hf::json::describe;
use crate::{Result, Value};

/// llama without a rotation in every fourth layer (the report of SmolLM3, 2025; Yang et al., "Rope
/// to Nope and Back Again", 2025).
pub(super) const SMOLLM3: Arch = Arch {
    name: "smollm3",
    config: |keys| {
        let plain = ModelConfig::plain(keys)?;
        // Not llama.cpp's key: the reader of Hugging Face directories sets it.
        let rotates = keys.all_but_every("rope.rotated_layers", 4, plain.layers.len())?;
        let layers = plain.layers.iter().zip(rotates);
        Ok(ModelConfig {
            rope_style: RopeStyle::Interleaved,
            layers: layers.map(|(&layer, rotates)| LayerKind { rotates, ..layer }).collect(),
            ..plain
        })
    },
    keys: NewKeys::plain,
    hf: Family {
        inside: INSIDE,
        tied: true,
        own: &["no_rope_layers"],
        // Read by the class only where use_sliding_window is true.
        harmless: &["sliding_window", "max_window_layers"],
        ..Family::plain("smollm3", |config, keys| {
            expect_bool(config, "use_sliding_window", false, false)?;
            let widths = Widths {
                hidden: 2048,
                intermediate: 11008,
                layers: 36,
                heads: 16,
                kv_heads: Some(4),
                context: 32_768,
                eps: 1e-6,
            };
            let shape = llama(config, keys, &widths, 2_000_000.0)?;
            keys.set("rope.rotated_layers", rotated(config, shape.n_layers as usize)?);
            Ok(shape)
        })
    },
};

/// Which layers rotate: by a list whose name says the contrary, else all but every so-many-th.
fn rotated(config: &Node<'_>, n_layers: usize) -> Result<Value> {
    let every = config.size_or("no_rope_layer_interval", 4)?;
    let Some(list) = config.opt_array("no_rope_layers")? else { return Ok(Value::U32(every)) };
    if list.len() < n_layers {
        let expected = format!("an entry for each of num_hidden_layers = {n_layers}");
        return Err(config.wrong("no_rope_layers", expected));
    }
    let rotates = |entry: &serde_json::Value| match entry.as_u64() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(config.invalid("no_rope_layers", "0 or 1", describe(entry))),
    };
    Ok(Value::Bools(list.iter().take(n_layers).map(rotates).collect::<Result<_>>()?))
}
