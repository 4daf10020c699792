//! What the families that Hugging Face directories are read for have in common: how `config.json`
//! becomes GGUF's keys, and tensors' names GGUF's names. A family is the `hf` of an architecture in
//! [`crate::arch`].

mod attributes;
mod plain;
pub(crate) mod rope;

pub(crate) use super::json::Node;
pub(crate) use attributes::expect_none;
pub(crate) use plain::{SILU, Widths, describe, dimensions};

use super::tensors::Transform;
use crate::arch::{NewKeys, Part};
use crate::{Metadata, Result};

/// Reads a configuration: sets keys, and says what the tensors' transforms need.
type Describe = fn(&Node<'_>, &mut NewKeys<'_>) -> Result<HfShape>;

/// One family.
pub(crate) struct Family {
    /// `model_type` of its configuration.
    pub model_type: &'static str,
    /// Reads the configuration: sets keys, and says what the tensors' transforms need.
    pub describe: Describe,
    /// What some checkpoints put before every name, and others do not.
    pub prefix: &'static str,
    /// What the names of a layer's tensors begin with, before its number.
    pub layers: &'static str,
    /// Names without `.weight` and `.bias`, outside layers.
    pub outside: &'static [Rule],
    /// The same within a layer, after its number.
    pub inside: &'static [Rule],
    /// Whole names within a layer that old checkpoints have and the model does not need.
    pub buffers: &'static [&'static str],
    /// `tie_word_embeddings` where the configuration does not say.
    pub tied: bool,
    /// Other names that the configuration's class knows fields by, and what they are here.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Attributes of the configuration's class that are not read, because they change no forward
    /// pass; besides those of all classes ([`attributes::HARMLESS`]).
    pub harmless: &'static [&'static str],
    /// Attributes that are refused of other families ([`attributes`]) and that this one reads.
    pub own: &'static [&'static str],
}

impl Family {
    /// The names of llama and of most families after it.
    pub(crate) const fn plain(model_type: &'static str, describe: Describe) -> Family {
        Family {
            model_type,
            describe,
            prefix: "",
            layers: "model.layers.",
            outside: plain::OUTSIDE,
            inside: plain::INSIDE,
            buffers: &["self_attn.rotary_emb.inv_freq"],
            tied: false,
            aliases: &[],
            harmless: &[],
            own: &[],
        }
    }

    /// Reads a configuration: sets the keys of `architecture`, and says what the tensors'
    /// transforms need.
    pub(crate) fn read(
        &self,
        architecture: &'static str,
        config: &Node<'_>,
        metadata: &mut Metadata,
    ) -> Result<HfShape> {
        attributes::check(config, self.own)?;
        for (other, own) in self.aliases {
            if config.get(other).is_some_and(|value| config.get(own) != Some(value)) {
                return Err(config.wrong(
                    other,
                    format!("{own}, which it is another name of, with the same value"),
                ));
            }
        }
        (self.describe)(config, &mut NewKeys { metadata, architecture })
    }

    /// Whether this attribute of the class is known to change no forward pass.
    pub(crate) fn is_harmless(&self, field: &str) -> bool {
        attributes::HARMLESS.contains(&field) || self.harmless.contains(&field)
    }
}

/// A stored name, the part it names, and what is between it and GGUF's.
pub(crate) struct Rule {
    pub stored: &'static str,
    pub part: Part,
    pub how: How,
}

/// Which [`Transform`] a tensor needs; its numbers come from the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    AsIs,
    /// [`Transform::Interleave`].
    Interleave,
    /// [`Transform::SplitHeads`].
    SplitHeads,
    /// [`Transform::Transpose`], of the matrix; not of its bias.
    Transpose,
    /// [`Transform::AddOne`].
    AddOne,
    /// A table that is only looked up in, and stays as it is stored whatever type is asked for.
    Table,
}

pub(crate) const fn rule(stored: &'static str, part: Part, how: How) -> Rule {
    Rule { stored, part, how }
}

/// What the tensors' transforms need, and what the configuration implies besides.
#[derive(Debug)]
pub(crate) struct HfShape {
    pub n_layers: u32,
    pub n_heads: u32,
    pub head_dim: u32,
    /// Positions the model was made for.
    pub n_ctx: u32,
    /// Divisors of the rotation frequencies, `[head_dim / 2]`.
    pub rope_factors: Option<Vec<f32>>,
}

impl How {
    /// The transform of a tensor of `n_dims` dimensions.
    pub(crate) fn transform(self, shape: &HfShape, n_dims: usize) -> Transform {
        let (n_heads, head_dim) = (shape.n_heads as usize, shape.head_dim as usize);
        match self {
            How::Interleave => Transform::Interleave { head_dim },
            How::SplitHeads => Transform::SplitHeads { n_heads, head_dim },
            How::Transpose if n_dims > 1 => Transform::Transpose,
            How::AddOne => Transform::AddOne,
            How::AsIs | How::Transpose | How::Table => Transform::AsIs,
        }
    }
}

/// That a switch stands where the engine computes it.
pub(crate) fn expect_bool(
    config: &Node<'_>,
    field: &str,
    expected: bool,
    default: bool,
) -> Result<()> {
    if config.opt_bool(field)?.unwrap_or(default) == expected {
        return Ok(());
    }
    Err(config.wrong(field, format!("{expected}: the other is not supported")))
}

/// That the activation is one of `known`; `field`'s name differs between families.
pub(crate) fn expect_activation<'a>(
    config: &Node<'a>,
    field: &str,
    default: &'a str,
    known: &[&str],
) -> Result<&'a str> {
    let found = config.opt_str(field)?.unwrap_or(default);
    if known.contains(&found) { Ok(found) } else { Err(config.wrong(field, known.join(" or "))) }
}

/// Elements of a head: said, or the stream's width shared out.
pub(crate) fn head_dim(
    config: &Node<'_>,
    width: (&str, u32),
    heads: (&str, u32),
    said: Option<u32>,
) -> Result<u32> {
    match said {
        Some(said) => Ok(said),
        None if width.1.is_multiple_of(heads.1) => Ok(width.1 / heads.1),
        None => {
            let expected = format!("a divisor of {} = {}", width.0, width.1);
            Err(config.invalid(heads.0, expected, heads.1.to_string()))
        }
    }
}

/// Key and value heads: said, or the class's default (`None` for as many as queries', which `null`
/// also means); must divide those of queries.
fn kv_heads(config: &Node<'_>, n_heads: u32, default: Option<u32>) -> Result<u32> {
    let field = "num_key_value_heads";
    let default = default.filter(|_| !config.is_null(field)).unwrap_or(n_heads);
    let n = config.opt_size(field)?.unwrap_or(default);
    if n_heads.is_multiple_of(n) {
        return Ok(n);
    }
    Err(config.invalid(
        field,
        format!("a divisor of num_attention_heads = {n_heads}"),
        n.to_string(),
    ))
}

/// That all layers are of one kind, where the configuration lists them.
pub(crate) fn expect_layers(config: &Node<'_>, kind: &str) -> Result<()> {
    let types = config.opt_array("layer_types")?.unwrap_or_default();
    match types.iter().find(|other| other.as_str() != Some(kind)) {
        Some(other) => {
            Err(config.invalid("layer_types", format!("{kind} only"), super::json::describe(other)))
        }
        None => Ok(()),
    }
}
