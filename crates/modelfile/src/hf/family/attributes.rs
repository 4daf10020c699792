//! What the configurations of all families have in common: which attributes change nothing, and
//! which change everything and are not supported.
//!
//! A file may hold any field. Fields that the configuration's class in transformers has are read,
//! on a list of harmless ones or refused, which a test checks against the classes themselves; so
//! are fields that its shared code asks for besides. Fields of other families' classes would change
//! the computation there and nothing here; such a file contradicts its `model_type`, and is refused
//! too where the value is not the one that does nothing. All others change nothing in transformers
//! either: they are passed over, and named in a warning.

use crate::Result;
use crate::hf::json::Node;
use serde_json::Value;

/// Attributes of transformers' `PreTrainedConfig`, and those that all classes share, which change
/// no forward pass.
pub(super) const HARMLESS: &[&str] = &[
    // What a call returns, how memory is laid out, and where the file came from.
    "_attn_implementation",
    "_experts_implementation",
    "_name_or_path",
    "architectures",
    "chunk_size_feed_forward",
    "dtype",
    "id2label",
    "label2id",
    "name_or_path",
    "output_attentions",
    "output_hidden_states",
    "num_labels",
    "problem_type",
    "return_dict",
    "torch_dtype",
    "transformers_version",
    "use_cache",
    // Written by tools beside the classes, and what a generation begins with, which the caller
    // decides.
    "_sliding_window_pattern",
    "auto_map",
    "cache_implementation",
    "do_sample",
    "is_llama_config",
    "max_length",
    "n_ctx",
    "task_specific_params",
    "temperature",
    "top_k",
    "top_p",
    "transformers.js_config",
    "unsloth_fixed",
    "unsloth_version",
    // Training.
    "attention_dropout",
    "initializer_range",
    // The embedding of padding is trained differently, and looked up like any other.
    "pad_token_id",
];

/// The value that makes a switch of another family do nothing.
#[derive(Clone, Copy, Debug)]
enum Neutral {
    False,
    True,
    One,
    /// Nothing, or nothing in it.
    Empty,
}

impl Neutral {
    fn is(self, value: &Value) -> bool {
        match self {
            Neutral::False => value == &Value::Bool(false),
            Neutral::True => value == &Value::Bool(true),
            Neutral::One => value.as_f64() == Some(1.0),
            Neutral::Empty => match value {
                Value::Array(list) => list.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                value => value.as_f64() == Some(0.0) || value == &Value::Bool(false),
            },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Neutral::False => "false",
            Neutral::True => "true",
            Neutral::One => "1",
            Neutral::Empty => "none",
        }
    }
}

/// What no family here computes. Fields that are one family's own are for that family to check.
const UNSUPPORTED: &[(&str, Neutral)] = &[
    // Shared code of transformers asks for these whatever the class.
    ("is_causal", Neutral::True),
    ("is_encoder_decoder", Neutral::False),
    ("per_layer_config", Neutral::Empty),
    ("attention_chunk_size", Neutral::Empty),
    ("quantization_config", Neutral::Empty),
    ("num_kv_shared_layers", Neutral::Empty),
    // Switches of other families.
    ("alibi", Neutral::False),
    ("attention_multiplier", Neutral::One),
    ("clip_qkv", Neutral::Empty),
    ("embedding_multiplier", Neutral::One),
    ("logit_scale", Neutral::One),
    ("logits_scaling", Neutral::One),
    ("mlp_only_layers", Neutral::Empty),
    ("mup_width_scale", Neutral::One),
    ("no_rope_layers", Neutral::Empty),
    ("n_routed_experts", Neutral::Empty),
    ("num_experts", Neutral::Empty),
    ("num_local_experts", Neutral::Empty),
    ("residual_multiplier", Neutral::One),
    ("rope_interleaved", Neutral::False),
    ("use_qk_norm", Neutral::False),
];

/// That the configuration asks for nothing but what is on the list of the family's `own`.
pub(super) fn check(config: &Node<'_>, own: &[&str]) -> Result<()> {
    for (field, neutral) in UNSUPPORTED.iter().filter(|(field, _)| !own.contains(field)) {
        if config.get(field).is_some_and(|value| !neutral.is(value)) {
            return Err(
                config.wrong(field, format!("{}: anything else is not supported", neutral.name()))
            );
        }
    }
    Ok(())
}

/// That a switch which only some families have is not set.
pub(crate) fn expect_none(config: &Node<'_>, fields: &[&str]) -> Result<()> {
    match fields.iter().find(|field| config.get(field).is_some()) {
        Some(field) => Err(config.wrong(field, "none: not supported for this family")),
        None => Ok(()),
    }
}
