//! The parts of a model that tensors are, and their names in GGUF files.

use std::fmt;

/// What a tensor is for. The discriminant indexes `PARTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A row for each token.
    Embedding,
    /// A row for each learned position.
    Positions,
    /// The norm before the output.
    OutputNorm,
    /// From the last state to logits; the embedding where there is none.
    Output,
    /// Divisors of the rotation's frequencies.
    RopeFactors,
    /// The norm before attention.
    AttnNorm,
    /// Queries, keys and values in one matrix.
    Qkv,
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// From what attention found to the stream.
    AttnOutput,
    /// The norm of queries.
    QNorm,
    /// The norm of keys.
    KNorm,
    /// The norm after attention.
    AttnPostNorm,
    /// The norm before the feed-forward block.
    FfnNorm,
    /// What gates the hidden elements.
    Gate,
    /// To the hidden elements.
    Up,
    /// From the hidden elements to the stream.
    Down,
    /// The norm after the feed-forward block.
    FfnPostNorm,
}

/// What kind of thing a tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A row is looked up for each token, and the others are not read.
    Table,
    /// Every token is multiplied by it.
    Matrix,
    /// The weight of a norm.
    Norm,
    /// What is added, after a matrix or a norm.
    Bias,
    /// Numbers of the model that were not trained.
    Constants,
}

/// Part, GGUF's name of it (gguf-py's `TENSOR_NAMES`), and what its `.weight` is.
const PARTS: &[(Part, &str, Role)] = &[
    (Part::Embedding, "token_embd", Role::Table),
    (Part::Positions, "position_embd", Role::Table),
    (Part::OutputNorm, "output_norm", Role::Norm),
    (Part::Output, "output", Role::Matrix),
    (Part::RopeFactors, "rope_freqs", Role::Constants),
    (Part::AttnNorm, "attn_norm", Role::Norm),
    (Part::Qkv, "attn_qkv", Role::Matrix),
    (Part::Q, "attn_q", Role::Matrix),
    (Part::K, "attn_k", Role::Matrix),
    (Part::V, "attn_v", Role::Matrix),
    (Part::AttnOutput, "attn_output", Role::Matrix),
    (Part::QNorm, "attn_q_norm", Role::Norm),
    (Part::KNorm, "attn_k_norm", Role::Norm),
    (Part::AttnPostNorm, "post_attention_norm", Role::Norm),
    (Part::FfnNorm, "ffn_norm", Role::Norm),
    (Part::Gate, "ffn_gate", Role::Matrix),
    (Part::Up, "ffn_up", Role::Matrix),
    (Part::Down, "ffn_down", Role::Matrix),
    (Part::FfnPostNorm, "post_ffw_norm", Role::Norm),
];

impl Part {
    /// GGUF's name, without layer and suffix.
    pub fn name(self) -> &'static str {
        PARTS[self as usize].1
    }
}

/// The name of a tensor: `blk.{layer}.{part}.weight`, or `.bias`; without `blk.` outside layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TensorName {
    /// The layer it is in.
    pub layer: Option<usize>,
    /// What it is for.
    pub part: Part,
    /// Whether it is what is added after the part's weight.
    pub bias: bool,
}

impl TensorName {
    /// The weight of a part outside layers.
    pub fn outside(part: Part) -> TensorName {
        TensorName { layer: None, part, bias: false }
    }

    /// Reads the name of a tensor that some architecture here has.
    pub fn parse(name: &str) -> Option<TensorName> {
        let (stem, suffix) = name.rsplit_once('.')?;
        let bias = match suffix {
            "weight" => false,
            "bias" => true,
            _ => return None,
        };
        let (layer, part) = match stem.strip_prefix("blk.") {
            Some(rest) => {
                let (layer, part) = rest.split_once('.')?;
                (Some(layer.parse().ok()?), part)
            }
            None => (None, stem),
        };
        let &(part, ..) = PARTS.iter().find(|(_, known, _)| *known == part)?;
        Some(TensorName { layer, part, bias })
    }

    /// What kind of thing it names.
    pub fn role(&self) -> Role {
        if self.bias { Role::Bias } else { PARTS[self.part as usize].2 }
    }
}

impl fmt::Display for TensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "blk.{layer}.")?;
        }
        write!(f, "{}.{}", self.part.name(), if self.bias { "bias" } else { "weight" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_enum_order_and_names_are_read_back() {
        for (index, &(part, ..)) in PARTS.iter().enumerate() {
            assert_eq!(part as usize, index);
            for (layer, bias) in [(None, false), (Some(0), true), (Some(17), false)] {
                let name = TensorName { layer, part, bias };
                assert_eq!(TensorName::parse(&name.to_string()), Some(name));
            }
        }
        let others = ["output", "weight", "blk.weight", "blk.x.attn_q.weight", "enc.output.weight"];
        assert!(others.iter().all(|name| TensorName::parse(name).is_none()));
    }
}
