//! Access to the keys of one architecture, with an account of what was read: a key that nothing
//! reads is an error, unless it is known to change nothing. What the keys mean is llama.cpp's
//! `src/llama-model.cpp`.

use super::{ArchError, Ffn};
use crate::synth::Shape;
use crate::{Metadata, ModelFileError, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Keys that no computation here depends on.
const HARMLESS: &[&str] = &[
    "vocab_size", // the embedding has as many rows
    "tensor_data_layout",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length", // of scalings that are refused
    // Which of the two counts is the kind of norm.
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    // Read by those who make embeddings.
    "pooling_type",
];

/// Switches that are accepted in the position in which they do nothing.
const NEUTRAL: &[(&str, Value)] = &[
    ("attention.causal", Value::Bool(true)),
    ("attention.clamp_kqv", Value::F32(0.0)),
    ("attention.max_alibi_bias", Value::F32(0.0)),
    ("attention.sliding_window", Value::U32(0)),
    ("attn_logit_softcapping", Value::F32(0.0)),
    ("final_logit_softcapping", Value::F32(0.0)),
    ("expert_count", Value::U32(0)),
    ("expert_used_count", Value::U32(0)),
    ("expert_group_count", Value::U32(0)),
    ("nextn_predict_layers", Value::U32(0)),
    ("rope.scaling.attn_factor", Value::F32(1.0)),
    ("rope.scaling.yarn_log_multiplier", Value::F32(0.0)),
    ("embedding_scale", Value::F32(1.0)),
    ("logit_scale", Value::F32(1.0)),
    ("residual_scale", Value::F32(1.0)),
];

/// The keys `{architecture}.{key}` of a file.
pub(super) struct Keys<'a> {
    metadata: &'a Metadata,
    prefix: &'static str,
    /// Without the prefix.
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(metadata: &'a Metadata, prefix: &'static str) -> Self {
        Keys { metadata, prefix, asked: RefCell::default() }
    }

    /// The architecture whose keys they are.
    pub(super) fn architecture(&self) -> &'static str {
        self.prefix
    }

    fn full(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    /// The value of a key, of whatever type. Of a list with an entry for each layer, all the same,
    /// that entry.
    fn get(&self, key: &str) -> Result<Option<Value>, ArchError> {
        self.asked.borrow_mut().insert(key.to_string());
        let Some(value) = self.metadata.get(&self.full(key)) else { return Ok(None) };
        let Some(list) = value.as_integers::<i64>() else { return Ok(Some(value.clone())) };
        let n_layers = self.metadata.opt_u32(&self.full("block_count"))?.unwrap_or(0) as usize;
        match list
            .first()
            .filter(|first| list.len() == n_layers && list.iter().all(|other| other == *first))
        {
            Some(&entry) => Ok(Some(Value::I64(entry))),
            None => {
                let expected = "a number, or a list with the same for each layer";
                let shown = list.iter().take(8).map(i64::to_string).collect::<Vec<_>>().join(", ");
                Err(self.invalid(key, expected, format!("a list of {}: {shown}, …", list.len())))
            }
        }
    }

    /// A size: at least 1.
    pub(super) fn size(&self, key: &str) -> Result<usize, ArchError> {
        let size = self.opt_size(key)?;
        size.ok_or_else(|| self.invalid(key, "an integer that fits u32", "no such key"))
    }

    /// A size that may be absent.
    pub(super) fn opt_size(&self, key: &str) -> Result<Option<usize>, ArchError> {
        match self.get(key)? {
            None => Ok(None),
            Some(value) => match value.as_integer::<u32>() {
                Some(0) => Err(self.invalid(key, "at least 1", "0")),
                Some(size) => Ok(Some(size as usize)),
                None => Err(self.invalid(key, "an integer that fits u32", value.describe())),
            },
        }
    }

    /// A count of which 0 means none, as its absence does.
    pub(super) fn opt_count(&self, key: &str) -> Result<Option<usize>, ArchError> {
        let is_zero = self.get(key)?.is_some_and(|value| value.as_integer::<u32>() == Some(0));
        if is_zero { Ok(None) } else { self.opt_size(key) }
    }

    pub(super) fn f32(&self, key: &str) -> Result<f32, ArchError> {
        let number = self.opt_f32(key)?;
        number.ok_or_else(|| self.invalid(key, "a float", "no such key"))
    }

    /// A number; integers, which some writers make of whole numbers, are taken too.
    pub(super) fn opt_f32(&self, key: &str) -> Result<Option<f32>, ArchError> {
        match self.get(key)? {
            None => Ok(None),
            Some(value) => {
                let number =
                    number(&value).ok_or_else(|| self.invalid(key, "a float", value.describe()))?;
                Ok(Some(number as f32))
            }
        }
    }

    /// A number that may be absent; 0 counts as its absence, as for llama.cpp.
    pub(super) fn opt_nonzero(&self, key: &str) -> Result<Option<f32>, ArchError> {
        Ok(self.opt_f32(key)?.filter(|&number| number != 0.0))
    }

    pub(super) fn bool(&self, key: &str) -> Result<bool, ArchError> {
        self.asked.borrow_mut().insert(key.to_string());
        Ok(self.metadata.bool(&self.full(key))?)
    }

    fn opt_string(&self, key: &str) -> Result<Option<&'a str>, ArchError> {
        self.asked.borrow_mut().insert(key.to_string());
        Ok(self.metadata.opt_string(&self.full(key))?)
    }

    /// What holds of all layers but every `default`-th, where the file does not say otherwise by
    /// another such number or by a list.
    pub(super) fn all_but_every(
        &self,
        key: &str,
        default: usize,
        n_layers: usize,
    ) -> Result<Vec<bool>, ArchError> {
        self.asked.borrow_mut().insert(key.to_string());
        let list = match self.metadata.get(&self.full(key)) {
            None => None,
            Some(Value::Bools(list)) => Some(list.clone()),
            Some(other) => other
                .as_integers::<u32>()
                .map(|list| list.iter().map(|&entry| entry != 0).collect()),
        };
        match list {
            Some(list) if list.len() == n_layers => Ok(list),
            Some(list) => Err(self.invalid(
                key,
                &format!("an entry for each of {n_layers} layers"),
                list.len(),
            )),
            None => {
                let every = self.opt_size(key)?.unwrap_or(default);
                Ok((1..=n_layers).map(|layer| !layer.is_multiple_of(every)).collect())
            }
        }
    }

    /// Elements of a head where the heads share out the stream evenly and the file does not say
    /// otherwise.
    pub(super) fn whole_heads(&self, n_embd: usize, n_heads: usize) -> Result<usize, ArchError> {
        if !n_embd.is_multiple_of(n_heads) {
            return Err(self.invalid(
                "attention.head_count",
                &format!("a divisor of embedding_length {n_embd}"),
                n_heads,
            ));
        }
        self.head_dim(n_embd / n_heads)
    }

    /// Elements of a head, `default` where the file does not say; keys and values must have the
    /// same.
    pub(super) fn head_dim(&self, default: usize) -> Result<usize, ArchError> {
        let key = self.opt_size("attention.key_length")?.unwrap_or(default);
        match self.opt_size("attention.value_length")? {
            Some(value) if value != key => {
                Err(self.invalid("attention.value_length", &format!("the keys' {key}"), value))
            }
            _ => Ok(key),
        }
    }

    /// Which GELU a feed-forward block without a gate has: `default` where the file does not say,
    /// as GGUF files of these architectures do not. The key and its values are those of Hugging
    /// Face's configurations, whose reader sets it.
    pub(super) fn gelu(&self, default: Ffn) -> Result<Ffn, ArchError> {
        let key = "hidden_activation";
        match self.opt_string(key)? {
            None => Ok(default),
            Some("gelu") => Ok(Ffn::GeluErf),
            Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Ffn::GeluTanh),
            Some(other) => {
                Err(self.invalid(key, "gelu, gelu_new, gelu_fast or gelu_pytorch_tanh", other))
            }
        }
    }

    /// The divisor of positions: 1 without scaling; only linear scaling is known, which is meant
    /// where no type is named.
    pub(super) fn rope_factor(&self) -> Result<f32, ArchError> {
        let said = self.opt_nonzero("rope.scaling.factor")?;
        let old = self.opt_nonzero("rope.scale_linear")?;
        match self.opt_string("rope.scaling.type")? {
            None | Some("linear") => Ok(said.or(old).unwrap_or(1.0)),
            Some("none") => Ok(1.0),
            Some(other) => Err(ArchError::Unsupported {
                file: self.metadata.file().display().to_string(),
                what: format!(
                    "{}: {other} is not supported (supported: none, linear)",
                    self.full("rope.scaling.type")
                ),
            }),
        }
    }

    /// That every key of the architecture was read, or changes nothing.
    pub(super) fn expect_all_read(&self) -> Result<(), ArchError> {
        let asked = self.asked.borrow();
        for (full, value) in self.metadata.iter() {
            let Some(key) = full.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            if asked.contains(key) || HARMLESS.contains(&key) {
                continue;
            }
            match NEUTRAL.iter().find(|(neutral, _)| *neutral == key) {
                Some((_, neutral)) if same(value, neutral) => {}
                Some((_, neutral)) => {
                    let expected =
                        format!("{}: anything else is not supported", neutral.describe());
                    return Err(self.invalid(key, &expected, value.describe()));
                }
                None => {
                    let expected =
                        format!("a key that Pacemark knows of architecture {}", self.prefix);
                    return Err(self.invalid(key, &expected, value.describe()));
                }
            }
        }
        Ok(())
    }

    pub(super) fn invalid(&self, key: &str, expected: &str, found: impl ToString) -> ArchError {
        ModelFileError::invalid(self.metadata.file(), self.full(key), expected, found.to_string())
            .into()
    }
}

/// Writes the keys of one architecture.
pub(crate) struct NewKeys<'a> {
    pub metadata: &'a mut Metadata,
    pub architecture: &'static str,
}

impl NewKeys<'_> {
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.metadata.set(format!("{}.{key}", self.architecture), value);
    }

    pub(crate) fn size(&mut self, key: &str, value: u32) {
        self.set(key, Value::U32(value));
    }

    pub(crate) fn float(&mut self, key: &str, value: f32) {
        self.set(key, Value::F32(value));
    }

    /// What a model whose configuration is [`super::ModelConfig::plain`] says besides its sizes.
    pub(super) fn plain(shape: &Shape, keys: &mut NewKeys<'_>) {
        keys.heads(shape);
        keys.norms_and_rotation(shape);
    }

    /// The size of a head, rotated whole.
    pub(super) fn heads(&mut self, shape: &Shape) {
        self.size("attention.key_length", shape.head_dim());
        self.size("attention.value_length", shape.head_dim());
        self.size("rope.dimension_count", shape.head_dim());
    }

    /// RMS norms, and the base of the rotation.
    pub(super) fn norms_and_rotation(&mut self, shape: &Shape) {
        self.float("attention.layer_norm_rms_epsilon", 1e-5);
        self.float("rope.freq_base", shape.rope_theta);
    }
}

/// The value of a number of any type.
fn number(value: &Value) -> Option<f64> {
    match *value {
        Value::F32(number) => Some(number.into()),
        Value::F64(number) => Some(number),
        ref other => other.as_integer::<i64>().map(|number| number as f64),
    }
}

/// Whether two values mean the same, whatever their types.
fn same(a: &Value, b: &Value) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
