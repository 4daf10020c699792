//! What a model costs to run, as far as its file tells: sizes, types, bytes read per token, KV
//! bytes per token.
//!
//! Read from metadata and shapes alone, so it also answers for architectures that no engine here
//! can run. What the file does not say is `None`.

use crate::arch::{Part, Role, TensorName};
use crate::{Metadata, ModelFile, Result, TensorInfo};
use pacemark_quant::DType;

/// A model in figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// `general.architecture`.
    pub architecture: String,
    /// `general.name`.
    pub name: Option<String>,
    /// Elements of all tensors.
    pub n_params: u64,
    /// Bytes of all tensors.
    pub tensor_bytes: u64,
    /// Bytes of the file or files.
    pub file_bytes: u64,
    /// Tensors by type, the type with the most bytes first.
    pub types: Vec<TypeShare>,
    /// The longest context the model was trained for.
    pub context_length: Option<u64>,
    /// Width of the residual stream.
    pub embedding_length: Option<u64>,
    /// Number of layers.
    pub n_layer: Option<u64>,
    /// Number of query heads; of the first layer where layers differ.
    pub n_head: Option<u64>,
    /// Number of key and value heads; of the first layer where layers differ.
    pub n_head_kv: Option<u64>,
    /// Elements of a key.
    pub key_length: Option<u64>,
    /// Elements of a value.
    pub value_length: Option<u64>,
    /// Number of tokens in the vocabulary.
    pub n_vocab: Option<u64>,
    /// Whether the token embeddings are also the output matrix.
    pub tied_embeddings: bool,
    /// Weight bytes that one decoded token reads: see [`bytes_per_token`].
    pub bytes_per_token: u64,
    /// Key and value heads of all layers together.
    pub n_head_kv_total: Option<u64>,
    /// Bytes that one token adds to a KV cache of f16, all layers together.
    pub kv_bytes_per_token_f16: Option<u64>,
}

impl Summary {
    /// Bytes that one token adds to a KV cache of that type, all layers together; a head fills
    /// whole blocks.
    pub fn kv_bytes_per_token(&self, dtype: DType) -> Option<u64> {
        let info = dtype.info();
        let bytes = |length: u64| {
            length.div_ceil(info.block_len as u64).checked_mul(info.block_bytes as u64)
        };
        let head = bytes(self.key_length?)?.checked_add(bytes(self.value_length?)?)?;
        self.n_head_kv_total?.checked_mul(head)
    }
}

/// The tensors of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeShare {
    /// The type.
    pub dtype: DType,
    /// How many tensors are of it.
    pub n_tensors: usize,
    /// Their elements.
    pub n_params: u64,
    /// Their bytes.
    pub n_bytes: u64,
}

impl Summary {
    /// Summarizes a model; fails when a key that is there has the wrong type.
    pub fn of(model: &ModelFile) -> Result<Summary> {
        let metadata = model.metadata();
        let keys = Keys { metadata, prefix: metadata.architecture()? };
        let (embedding_length, n_layer) =
            (keys.integer("embedding_length")?, keys.integer("block_count")?);
        let heads = keys.per_layer("attention.head_count")?;
        let heads_kv = match keys.per_layer("attention.head_count_kv")? {
            None => heads.clone(),
            some => some,
        };
        let n_head = heads.and_then(|heads| heads.first().copied()).map(u64::from);
        let head_length = match (embedding_length, n_head) {
            (Some(width), Some(heads)) => width.checked_div(heads),
            _ => None,
        };
        let key_length = keys.integer("attention.key_length")?.or(head_length);
        let value_length = keys.integer("attention.value_length")?.or(head_length);
        let kv_heads =
            n_layer.zip(heads_kv.as_deref()).and_then(|(n, heads)| total_heads(n, heads));
        let kv_length =
            key_length.zip(value_length).and_then(|(key, value)| key.checked_add(value));
        Ok(Summary {
            architecture: keys.prefix.to_owned(),
            name: metadata.opt_string("general.name")?.map(str::to_owned),
            n_params: model.n_params(),
            tensor_bytes: model.n_bytes(),
            file_bytes: model.file_bytes(),
            types: shares(model.tensors()),
            context_length: keys.integer("context_length")?,
            embedding_length,
            n_layer,
            n_head,
            n_head_kv: heads_kv.and_then(|heads| heads.first().copied()).map(u64::from),
            key_length,
            value_length,
            n_vocab: metadata
                .opt_strings("tokenizer.ggml.tokens")?
                .map(|tokens| tokens.len() as u64),
            tied_embeddings: tied_embeddings(model),
            bytes_per_token: bytes_per_token(model)?,
            n_head_kv_total: kv_heads,
            kv_bytes_per_token_f16: kv_heads.zip(kv_length).and_then(|(heads, length)| {
                heads.checked_mul(length)?.checked_mul(2) // bytes of an f16
            }),
        })
    }
}

/// Operations of a token's products with weight matrices, a multiplication and an addition counting
/// two, by what they are done in: 8-bit integers for every quantized type, else floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// On 8-bit integers.
    pub int8: u64,
    /// On bfloat16.
    pub bf16: u64,
    /// On 32-bit floats.
    pub f32: u64,
}

/// The operations of one token in the layers, and those of its logits, which not every token needs.
/// Of a mixture's experts the share that is used; attention's products of queries with keys and
/// values are not among them.
pub fn operations(model: &ModelFile) -> Result<(Operations, Operations)> {
    let keys = Keys { metadata: model.metadata(), prefix: model.metadata().architecture()? };
    let experts = keys.integer("expert_count")?.zip(keys.integer("expert_used_count")?);
    let tied = tied_embeddings(model);
    let (mut layers, mut output) = (Operations::default(), Operations::default());
    for tensor in model.tensors().iter().filter(|tensor| tensor.dims.len() > 1) {
        let is_output = is(tensor, Part::Output) || tied && is(tensor, Part::Embedding);
        if !is_output && is_looked_up(tensor) {
            continue;
        }
        let sum = if is_output { &mut output } else { &mut layers };
        let kind = match tensor.dtype {
            DType::F32 | DType::F16 => &mut sum.f32,
            DType::BF16 => &mut sum.bf16,
            _ => &mut sum.int8,
        };
        let share = match experts {
            Some((count, used)) if tensor.name.contains("_exps.") && used < count => {
                used as f64 / count as f64
            }
            _ => 1.0,
        };
        *kind = kind.saturating_add((2.0 * tensor.n_elements() as f64 * share) as u64);
    }
    Ok((layers, output))
}

/// Whether one row of a tensor is looked up for a token. Some tables are of architectures that are
/// not described here.
fn is_looked_up(tensor: &TensorInfo) -> bool {
    const OTHERS: [&str; 2] = ["token_types.weight", "per_layer_token_embd.weight"];
    TensorName::parse(&tensor.name).is_some_and(|name| name.role() == Role::Table)
        || OTHERS.contains(&tensor.name.as_str())
}

fn is(tensor: &TensorInfo, part: Part) -> bool {
    TensorName::parse(&tensor.name) == Some(TensorName::outside(part))
}

/// Weight bytes that decoding one token reads: every tensor once, but of the tables that only one
/// row is looked up in nothing, and of a mixture's experts the share that is used. Token embeddings
/// that are also the output matrix are read whole, as such.
pub fn bytes_per_token(model: &ModelFile) -> Result<u64> {
    let keys = Keys { metadata: model.metadata(), prefix: model.metadata().architecture()? };
    let experts = keys.integer("expert_count")?.zip(keys.integer("expert_used_count")?);
    let tied = tied_embeddings(model);
    let read = |tensor: &TensorInfo| match experts {
        _ if tied && is(tensor, Part::Embedding) => tensor.n_bytes(),
        _ if is_looked_up(tensor) => 0,
        Some((count, used)) if tensor.name.contains("_exps.") && used < count => {
            (u128::from(tensor.n_bytes()) * u128::from(used) / u128::from(count)) as u64 // less than n_bytes
        }
        _ => tensor.n_bytes(),
    };
    Ok(model.tensors().iter().map(read).sum())
}

fn tied_embeddings(model: &ModelFile) -> bool {
    let has = |part| model.tensors().iter().any(|tensor| is(tensor, part));
    !has(Part::Output) && has(Part::Embedding)
}

/// KV heads of all layers together: one number for all, or one for each.
fn total_heads(n_layer: u64, heads: &[u32]) -> Option<u64> {
    match heads {
        [all] => n_layer.checked_mul(u64::from(*all)),
        each => {
            (each.len() as u64 == n_layer).then(|| each.iter().map(|&heads| u64::from(heads)).sum())
        }
    }
}

fn shares(tensors: &[TensorInfo]) -> Vec<TypeShare> {
    let mut shares: Vec<TypeShare> = Vec::new();
    for tensor in tensors {
        let at = shares.iter().position(|share| share.dtype == tensor.dtype).unwrap_or_else(|| {
            shares.push(TypeShare { dtype: tensor.dtype, n_tensors: 0, n_params: 0, n_bytes: 0 });
            shares.len() - 1
        });
        shares[at].n_tensors += 1;
        shares[at].n_params += tensor.n_elements();
        shares[at].n_bytes += tensor.n_bytes();
    }
    shares.sort_by_key(|share| std::cmp::Reverse(share.n_bytes));
    shares
}

/// The keys of one architecture.
struct Keys<'a> {
    metadata: &'a Metadata,
    prefix: &'a str,
}

impl Keys<'_> {
    fn integer(&self, key: &str) -> Result<Option<u64>> {
        self.metadata.opt_u64(&format!("{}.{key}", self.prefix))
    }

    /// A number for all layers, or an array with one for each.
    fn per_layer(&self, key: &str) -> Result<Option<Vec<u32>>> {
        let key = format!("{}.{key}", self.prefix);
        match self.metadata.get(&key).map(|value| value.shape().1) {
            Some(Some(_)) => Ok(self.metadata.opt_u32s(&key)?.map(|each| each.into_owned())),
            _ => Ok(self.metadata.opt_u32(&key)?.map(|all| vec![all])),
        }
    }
}
