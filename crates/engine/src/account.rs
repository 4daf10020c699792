//! The account of a model's memory: what it will take, part by part, from its header and the way it
//! is to be run, before anything is loaded.
//!
//! It counts what the loader, the cache and the decoder will allocate, by their own sizes; loading
//! asks it whether there is room ([`Model::load`](crate::Model::load)). Not counted are the process
//! itself and what the vocabulary takes: they are of whoever loads the model.

use crate::kv::ledger::Ledger;
use crate::kv::policy::{Attention, Policy};
use crate::weights::tensor;
use crate::{EngineError, KV_BLOCK, KvCache, KvTypes, LayerKind, ModelConfig, TokenId};
use pacemark_kernels::{Activations, ArenaPlan, KernelSet, Matrix};
use pacemark_modelfile::arch::{Part, Role, TensorSpec};
use pacemark_modelfile::{ModelFile, TensorInfo};
use pacemark_quant::Activation;

/// How a model is to be run.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Tokens of each sequence.
    pub n_ctx: usize,
    /// Sequences at a time.
    pub n_seqs: usize,
    /// Tokens computed at once.
    pub n_step: usize,
    /// How keys and values are stored.
    pub kv: KvTypes,
    /// What of them is kept, a policy of the model ([`Policy::on`]).
    pub policy: Option<Policy>,
    /// How many tokens of a sequence are its prompt, as policies see it.
    pub n_prompt: Option<usize>,
    /// Weights are laid out for the kernels.
    pub pack: bool,
}

/// Bytes by what takes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Matrices as they are held, norms, biases and positions.
    pub weights: u64,
    /// The table of token embeddings beside the matrices: all of it, where it is the process's own;
    /// of a mapped file, whose pages come when a token is looked up, what random tokens touch.
    pub table: u64,
    /// It is of a mapped file: its pages give way where memory is short.
    pub table_is_mapped: bool,
    /// Pages of keys and values, and what a policy notes of them.
    pub kv: u64,
    /// What a pass computes with: activations, scores, logits.
    pub work: u64,
    /// The most that weights take while they are laid out: those that are done, and the tensor that
    /// is read.
    pub loading: u64,
}

impl Account {
    /// What a model takes that is run so.
    pub fn of(
        file: &ModelFile,
        config: &ModelConfig,
        kernels: &KernelSet,
        usage: &Usage,
    ) -> Result<Account, EngineError> {
        let held = Held::of(file, config, kernels, usage.pack)?;
        let n_tokens = (usage.n_ctx as u64).saturating_mul(usage.n_seqs as u64);
        let table = match (held.table_is_mapped, usage.pack) {
            (false, _) => held.table,
            // The rows that the file has are the matrix.
            (true, false) if held.tied => 0,
            (true, _) => touched(held.table, config.n_vocab as u64, n_tokens),
        };
        Ok(Account {
            weights: held.weights,
            table,
            table_is_mapped: held.table_is_mapped,
            kv: kv_bytes(config, usage),
            work: work_bytes(config, usage, held.widest),
            loading: held.loading,
        })
    }

    /// All that it takes while it runs.
    pub fn running(&self) -> u64 {
        [self.weights, self.table, self.kv, self.work].into_iter().fold(0, u64::saturating_add)
    }
}

/// The weights, in the order in which they are loaded.
struct Held {
    weights: u64,
    table: u64,
    table_is_mapped: bool,
    tied: bool,
    loading: u64,
    /// Columns of the widest matrix of floats, and of the widest quantized one.
    widest: [usize; 2],
}

impl Held {
    fn of(
        file: &ModelFile,
        config: &ModelConfig,
        kernels: &KernelSet,
        pack: bool,
    ) -> Result<Held, EngineError> {
        let page = pacemark_limits::large_page(&pacemark_limits::System::here());
        let outer = config.outer_tensors();
        let find = |part| outer.iter().find(|spec| spec.name.part == part && !spec.name.bias);
        let is_there = |spec: &&TensorSpec| file.tensor(&spec.name.to_string()).is_some();
        let output = find(Part::Output).filter(is_there);
        let tied = output.is_none();
        let mut held =
            Held { weights: 0, table: 0, table_is_mapped: false, tied, loading: 0, widest: [0; 2] };
        let (mut packed, mut vectors) = (ArenaPlan::new(page), 0u64);
        let layers = (0..config.layers.len()).flat_map(|layer| config.layer_tensors(layer));
        let all =
            outer.iter().cloned().chain(layers).filter(|spec| !spec.optional || is_there(&spec));
        let mut in_file = 0;
        for spec in all {
            let info = tensor(file, &spec)?;
            let is_table = spec.name.part == Part::Embedding;
            if is_table {
                (held.table, held.table_is_mapped) = (info.n_bytes(), file.is_mapped(info));
            }
            if is_vector(&spec) {
                vectors += info.n_elements().saturating_mul(size_of::<f32>() as u64);
            } else if !is_table || held.tied {
                in_file = info.n_bytes().saturating_add(in_file);
                let form = usize::from(info.dtype.info().activation == Activation::Int8);
                held.widest[form] = held.widest[form].max(spec.dims[0] as usize);
                if pack {
                    panels(config, kernels, &spec, info)
                        .into_iter()
                        .for_each(|len| packed.add(len));
                }
            }
            let table = if held.table_is_mapped { 0 } else { held.table };
            let done = if pack { packed.bytes() } else { in_file };
            let all =
                [done, vectors, table, info.n_bytes()].into_iter().fold(0, u64::saturating_add);
            held.loading = held.loading.max(all);
        }
        let matrices = if pack { packed.bytes() } else { in_file };
        held.weights = matrices.saturating_add(vectors);
        Ok(held)
    }
}

/// Whether a tensor is held as floats.
fn is_vector(spec: &TensorSpec) -> bool {
    match spec.role() {
        Role::Norm | Role::Bias | Role::Constants => true,
        Role::Table => spec.name.part == Part::Positions,
        Role::Matrix => false,
    }
}

/// Bytes of the matrices that a tensor becomes: three, where queries, keys and values are one.
fn panels(
    config: &ModelConfig,
    kernels: &KernelSet,
    spec: &TensorSpec,
    info: &TensorInfo,
) -> Vec<usize> {
    let (q, kv) = (config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim);
    let n_cols = spec.dims[0] as usize;
    let rows = match spec.name.part {
        Part::Qkv => vec![q, kv, kv],
        _ => vec![spec.dims[1] as usize],
    };
    let packed = |n_rows: usize| {
        Matrix::packed_bytes(kernels, info.dtype, (n_rows, n_cols)).unwrap_or(usize::MAX)
    };
    rows.into_iter().map(packed).collect()
}

/// Bytes of a mapped table that are in memory when `n_tokens` random tokens were looked up. The
/// system maps the pages around one that is missed (`fault_around_bytes`, 64 KiB unless changed).
fn touched(table: u64, n_rows: u64, n_tokens: u64) -> u64 {
    const AROUND: f64 = 65536.0;
    let (table_f, windows) = (table as f64, (table as f64 / AROUND).max(1.0));
    let row = table_f / n_rows.max(1) as f64;
    // A row may lie across the border of two.
    let by_one = (1.0 + row / AROUND).min(windows);
    let untouched = (1.0 - by_one / windows).max(0.0).powf(n_tokens as f64);
    (table_f * (1.0 - untouched)) as u64
}

/// Tokens up to which an account under a policy goes token by token; beyond, it is what the policy
/// promises not to exceed.
const WALKED: usize = 1 << 17;

/// Pages of all sequences when each has its tokens, or had the most under a policy.
fn kv_bytes(config: &ModelConfig, usage: &Usage) -> u64 {
    let Some(policy) = &usage.policy else {
        let blocks = usage.n_ctx.div_ceil(KV_BLOCK).saturating_mul(usage.n_seqs);
        return KvCache::bytes_for(config, usage.kv, blocks.saturating_mul(KV_BLOCK))
            .unwrap_or(u64::MAX);
    };
    let (k_page, v_page) = usage.kv.page_bytes(config.head_dim);
    let needs = policy.needs();
    let sees = matches!(needs.attention, Attention::Last | Attention::Mass);
    let columns = [needs.norms, needs.value_norms, sees, needs.attention == Attention::Mass];
    // A slot's token and position, and a number for each thing that is known of it.
    let noted = (2 + columns.into_iter().filter(|asked| *asked).count()) * size_of::<u32>();
    let slots = if usage.n_ctx <= WALKED {
        Ledger::new(policy.clone(), usage.n_prompt).advance_by_layer(usage.n_ctx)
    } else {
        vec![policy.most(usage.n_prompt, usage.n_ctx); config.layers.len()]
    };
    let lane = |slots: usize| {
        (slots.div_ceil(KV_BLOCK) as u64)
            .saturating_mul((k_page + v_page + KV_BLOCK * noted) as u64)
    };
    let lanes = slots.into_iter().map(lane).fold(0, u64::saturating_add);
    lanes.saturating_mul(config.n_kv_heads as u64).saturating_mul(usage.n_seqs as u64)
}

/// The decoder's buffers for a pass over as many tokens as are computed at once, and logits of every
/// sequence.
fn work_bytes(config: &ModelConfig, usage: &Usage, widest: [usize; 2]) -> u64 {
    let n_tokens = usage.n_ctx.saturating_mul(usage.n_seqs);
    let n = usage.n_step.min(n_tokens).max(1);
    let (q, kv) = (config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim);
    let by_head = if usage.policy.is_some() { q } else { 0 };
    let gate = if config.ffn.is_gated() { config.n_ff } else { 0 };
    let mut kinds: Vec<_> = Vec::new();
    for layer in config.layers.iter().filter(|layer| layer.rotates) {
        if !kinds.iter().any(|kind: &&LayerKind| kind.rotates_like(layer)) {
            kinds.push(layer);
        }
    }
    let floats = 2 * config.n_embd
        + 2 * q
        + 2 * kv
        + gate
        + config.n_ff
        + by_head
        + kinds.len() * config.rope_dim;
    let of = |n: usize, each: usize| (n as u64).saturating_mul(each as u64);
    let token = floats * size_of::<f32>() + size_of::<TokenId>() + size_of::<i32>();
    [
        of(n, token),
        Activations::bytes_for(n, widest),
        of(usage.n_seqs, config.n_vocab).saturating_mul(size_of::<f32>() as u64),
        // The position in every slot.
        of(n_tokens, size_of::<i32>()),
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fills_with_the_tokens_looked_up() {
        let table = 64 << 20;
        assert_eq!(touched(table, 1 << 16, 0), 0);
        // One token of a row of 1 KiB: a window, or two where it lies across.
        let one = touched(table, 1 << 16, 1) as f64;
        assert!((one / 65536.0 - 1.0).abs() < 0.02, "{one}");
        // As many tokens as windows leave a share of 1/e untouched.
        let share = touched(table, 1 << 16, 1024) as f64 / table as f64;
        assert!((share - (1.0 - (-1.0f64).exp())).abs() < 0.01, "{share}");
        assert_eq!(touched(table, 1 << 16, u64::MAX), table);
        assert_eq!(touched(100, 10, 5), 100, "a table smaller than a window");
    }
}
