//! Which type each tensor of a model gets: llama.cpp's rules, so that a name means the same file
//! there and here.
//!
//! Source of the rules: `llama_tensor_get_type`, `tensor_allows_quantization` and
//! `tensor_type_fallback` in `src/llama-quant.cpp` of ggml-org/llama.cpp, without importance
//! matrix. `tests/quantize.rs` holds what llama-quantize itself chose for models of several
//! families.

use super::Recipe;
use crate::arch::{self, Part, TensorName};
use crate::{DType, Metadata, Result, TensorInfo};

/// What the rules need to know of a model.
#[derive(Clone, Debug, Default)]
pub struct ModelFacts {
    /// `general.architecture`.
    pub architecture: String,
    /// Number of layers.
    pub n_layer: usize,
    /// Query heads of the first layer.
    pub n_head: u32,
    /// Key and value heads of the first layer.
    pub n_head_kv: u32,
    /// Experts of a mixture; 0 where there are none.
    pub n_expert: u32,
}

impl ModelFacts {
    /// Reads them from a model's metadata; what is not stated is 0.
    pub fn of(metadata: &Metadata) -> Result<ModelFacts> {
        let architecture = metadata.architecture()?.to_owned();
        let first = |key: &str| -> Result<Option<u32>> {
            let key = format!("{architecture}.{key}");
            match metadata.get(&key).and_then(|value| value.shape().1) {
                Some(_) => Ok(metadata.opt_u32s(&key)?.and_then(|each| each.first().copied())),
                None => metadata.opt_u32(&key),
            }
        };
        let n_head = first("attention.head_count")?.unwrap_or(0);
        Ok(ModelFacts {
            n_layer: first("block_count")?.unwrap_or(0) as usize,
            n_head,
            n_head_kv: first("attention.head_count_kv")?.unwrap_or(n_head),
            n_expert: first("expert_count")?.unwrap_or(0),
            architecture,
        })
    }

    /// At least four query heads share a key head: attn_v is then small, and worth more bits.
    fn shares_heads(&self) -> bool {
        self.n_head.checked_div(self.n_head_kv).unwrap_or(0) >= 4
    }

    /// What llama.cpp calls a 70B model, from the layers alone.
    fn is_70b(&self) -> bool {
        match self.architecture.as_str() {
            "llama" => self.n_layer == 80 && self.n_head != self.n_head_kv,
            "deci" | "olmo" | "qwen2" => self.n_layer == 80,
            "jais2" => self.n_layer == 68,
            _ => false,
        }
    }
}

/// What the user asks for.
#[derive(Clone, Debug)]
pub struct Choices {
    /// The mixture.
    pub recipe: Recipe,
    /// Every matrix in the recipe's own type, no mixture.
    pub pure: bool,
    /// Instead of the rule for `output.weight`, and for the embeddings where they are the output.
    pub output: Option<DType>,
    /// Instead of the rule for the token embeddings.
    pub embedding: Option<DType>,
}

/// What becomes of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetType {
    /// Its new type; the old one where it is not quantized.
    pub dtype: DType,
    /// What the rules wanted, where rows of this length cannot be that.
    pub instead_of: Option<DType>,
}

/// The part that a tensor plays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Output,
    Embedding,
    Value,
    Key,
    AttentionOutput,
    Down,
    Other,
}

fn role(name: &str) -> Role {
    let Some(known) = TensorName::parse(name) else { return foreign_role(name) };
    match (known.layer, known.part) {
        _ if known.bias => Role::Other,
        (None, Part::Output) => Role::Output,
        (None, Part::Embedding) => Role::Embedding,
        (_, Part::Qkv | Part::V) => Role::Value,
        (_, Part::K) => Role::Key,
        (_, Part::AttnOutput) => Role::AttentionOutput,
        (_, Part::Down) => Role::Down,
        _ => Role::Other,
    }
}

/// The same by the names of architectures that are not described here: encoders, mixtures,
/// compressed keys.
fn foreign_role(name: &str) -> Role {
    let has = |part: &str| name.contains(part);
    match name {
        "per_layer_token_embd.weight" => Role::Embedding,
        _ if has("attn_qkv.weight") || has("attn_kv_b.weight") || has("attn_v.weight") => {
            Role::Value
        }
        _ if has("attn_k.weight") => Role::Key,
        _ if has("attn_output.weight") => Role::AttentionOutput,
        _ if has("ffn_down") => Role::Down,
        _ => Role::Other,
    }
}

/// Parts of the names of matrices of other architectures that are kept as they are: small, or
/// sensitive beyond their size.
const KEPT: &[&str] = &[
    "_norm.weight",
    "ffn_gate_inp.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "time_mix_first.weight",
    "time_mix_w",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
    ".patch_embd",
];

fn is_quantized(tensor: &TensorInfo) -> bool {
    let name = tensor.name.as_str();
    let is_matrix = tensor.dims.iter().skip(1).any(|&dim| dim > 1);
    let by_name = match TensorName::parse(name) {
        Some(known) => known.part == Part::Embedding || known.role() == arch::Role::Matrix,
        None => {
            name.ends_with("weight")
                && name != "token_types.weight"
                && !KEPT.iter().any(|part| name.contains(part))
        }
    };
    is_matrix && by_name
}

/// What every tensor becomes, in the order of `tensors`.
pub fn targets(choices: &Choices, facts: &ModelFacts, tensors: &[TensorInfo]) -> Vec<TargetType> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    // The n-th attn_v is that of the n-th layer, whatever the order in the file.
    order.sort_by_key(|&i| {
        (layer(&tensors[i].name).map_or(-1, |n| n as i64), tensors[i].name.as_str())
    });
    let n_value = tensors.iter().filter(|tensor| role(&tensor.name) == Role::Value).count();
    let tied = !tensors.iter().any(|tensor| role(&tensor.name) == Role::Output);
    let mut rules = Rules { choices, facts, tied, n_value, i_value: 0, i_down: 0 };
    let mut targets: Vec<TargetType> =
        tensors.iter().map(|t| TargetType { dtype: t.dtype, instead_of: None }).collect();
    for i in order {
        if is_quantized(&tensors[i]) {
            targets[i] = fitting(rules.wanted(&tensors[i]), tensors[i].dims[0]);
        }
    }
    targets
}

/// The layer that a tensor's name tells.
fn layer(name: &str) -> Option<usize> {
    name.strip_prefix("blk.")?.split('.').next()?.parse().ok()
}

/// `wanted`, or the type that replaces it where rows are no whole number of its blocks.
fn fitting(wanted: DType, row: u64) -> TargetType {
    let fits = |dtype: DType| row.is_multiple_of(dtype.info().block_len as u64);
    if fits(wanted) {
        return TargetType { dtype: wanted, instead_of: None };
    }
    let smaller = match wanted {
        DType::IQ4XS => DType::IQ4NL,
        DType::Q2K | DType::Q3K => DType::Q4_0,
        DType::Q4K => DType::Q5_0,
        DType::Q5K => DType::Q5_1,
        DType::Q6K => DType::Q8_0,
        _ => DType::F16,
    };
    let dtype = if fits(smaller) { smaller } else { DType::F16 };
    TargetType { dtype, instead_of: Some(wanted) }
}

struct Rules<'a> {
    choices: &'a Choices,
    facts: &'a ModelFacts,
    /// The token embeddings are the output matrix too.
    tied: bool,
    n_value: usize,
    /// Value matrices seen so far.
    i_value: usize,
    /// Down projections seen so far.
    i_down: usize,
}

/// The first and the last eighth of the layers, and every third between.
fn more_bits(i: usize, n: usize) -> bool {
    i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2
}

impl Rules<'_> {
    /// The type that a matrix should have if its rows allow it.
    fn wanted(&mut self, tensor: &TensorInfo) -> DType {
        let Choices { recipe, pure, output, embedding } = *self.choices;
        let default = recipe.info().dtype;
        let role = role(&tensor.name);
        match (role, output, embedding) {
            (Role::Embedding, _, Some(dtype)) | (Role::Output, Some(dtype), _) => return dtype,
            _ if pure || matches!(default, DType::F32 | DType::F16 | DType::BF16) => {
                return default;
            }
            _ => {}
        }
        match role {
            Role::Output => self.output(tensor, default),
            Role::Embedding if self.tied => output.unwrap_or_else(|| self.output(tensor, default)),
            _ if recipe == Recipe::MXFP4MoE => {
                if tensor.dims.get(2).is_some_and(|&n| n > 1) {
                    DType::MXFP4
                } else {
                    DType::Q8_0
                }
            }
            Role::Value => self.value().unwrap_or(default),
            Role::Key if self.facts.n_expert == 8 => DType::Q8_0,
            Role::Down => self.down(&tensor.name).unwrap_or(default),
            Role::AttentionOutput => self.attention_output().unwrap_or(default),
            Role::Embedding | Role::Key | Role::Other => default,
        }
    }

    fn output(&self, tensor: &TensorInfo, default: DType) -> DType {
        let whole_blocks = tensor.dims[0].is_multiple_of(default.info().block_len as u64);
        let floats = matches!(self.choices.recipe, Recipe::MXFP4 | Recipe::MXFP4MoE);
        if floats || self.is_falcon() || !whole_blocks || default == DType::Q8_0 {
            DType::Q8_0
        } else {
            DType::Q6K
        }
    }

    fn value(&mut self) -> Option<DType> {
        let (i, shares) = (self.i_value, self.facts.shares_heads());
        self.i_value += 1;
        let recipe = self.choices.recipe;
        let wanted = match recipe {
            Recipe::Q2K => Some(if shares { DType::Q4K } else { DType::Q3K }),
            Recipe::Q2KS if shares => Some(DType::Q4K),
            Recipe::Q3KM => Some(if i < 2 { DType::Q5K } else { DType::Q4K }),
            Recipe::Q3KL => Some(DType::Q5K),
            Recipe::IQ4NL | Recipe::IQ4XS if shares => Some(DType::Q5K),
            Recipe::Q4KM | Recipe::Q5KM if more_bits(i, self.n_value) => Some(DType::Q6K),
            Recipe::Q4KS if i < 4 => Some(DType::Q5K),
            _ => None,
        };
        if self.facts.n_expert == 8 {
            return Some(DType::Q8_0);
        }
        let small = matches!(wanted.unwrap_or(recipe.info().dtype), DType::Q3K | DType::Q4K);
        if self.facts.is_70b() && small { Some(DType::Q5K) } else { wanted }
    }

    fn down(&mut self, name: &str) -> Option<DType> {
        // Experts of a mixture may be tensors of their own: their layer is in the name.
        let i =
            if self.facts.n_expert > 1 { layer(name).unwrap_or(self.i_down) } else { self.i_down };
        self.i_down += 1;
        let n = self.facts.n_layer;
        let falcon = self.is_falcon();
        match self.choices.recipe {
            Recipe::Q2K => Some(DType::Q3K),
            Recipe::Q2KS if i < n / 8 => Some(DType::Q4K),
            Recipe::Q3KM if i < n / 16 => Some(DType::Q5K),
            Recipe::Q3KM if !falcon || more_bits(i, n) => Some(DType::Q4K),
            Recipe::Q3KL => Some(if falcon { DType::Q4K } else { DType::Q5K }),
            Recipe::Q4KM if falcon && i >= n / 16 => more_bits(i, n).then_some(DType::Q5K),
            Recipe::Q4KM if falcon || more_bits(i, n) => Some(DType::Q6K),
            Recipe::IQ4NL | Recipe::IQ4XS if i < n / 8 => Some(DType::Q5K),
            Recipe::Q5KM if more_bits(i, n) => Some(DType::Q6K),
            Recipe::Q4KS if !falcon && i < n / 8 => Some(DType::Q5K),
            _ => None,
        }
    }

    fn attention_output(&self) -> Option<DType> {
        let recipe = self.choices.recipe;
        if self.is_falcon() {
            return (recipe == Recipe::Q3KL).then_some(DType::Q4K);
        }
        if self.facts.n_expert == 8 {
            let few_bits = matches!(
                recipe.info().dtype,
                DType::Q3K | DType::Q4K | DType::IQ4NL | DType::IQ4XS
            );
            return (recipe == Recipe::Q2K || few_bits && recipe != Recipe::Q3KL)
                .then_some(DType::Q5K);
        }
        match recipe {
            Recipe::Q2K => Some(DType::Q3K),
            Recipe::Q3KM => Some(DType::Q4K),
            Recipe::Q3KL => Some(DType::Q5K),
            _ => None,
        }
    }

    fn is_falcon(&self) -> bool {
        self.facts.architecture == "falcon"
    }
}
