//! The decoder: one `forward` over a flat list of tokens from any number of sequences.
//!
//! Prefill, chunked prefill, decode, batched decode and scoring are the same call; only the list
//! differs. The code is straight-line and single-threaded to read: each operation spreads over the
//! team inside `kernels`.

use crate::kv::Slot;
use crate::kv::compressed::{Rows, attend_items};
use crate::kv::pass::Pass;
use crate::rope::RopeAngles;
use crate::weights::{Layer, Norm};
use crate::{EngineError, Ffn, KvCache, KvTypes, LayerKind, Model, QkNorm, SequenceKv, TokenId};
use pacemark_kernels::{
    Activations, AttentionShape, KernelSet, Matrix, Product, SequenceSpan, attention, matmul,
};

/// How to set up a decoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecoderOptions {
    /// Tokens that the KV cache holds, over all sequences.
    pub n_ctx: usize,
    /// How it stores them.
    pub kv: KvTypes,
}

/// Which rows of an item need logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogitRows {
    /// None: the tokens only fill the cache.
    None,
    /// The last token's.
    Last,
    /// All from this token of the item on.
    From(usize),
}

/// One sequence's tokens in a batch; they follow what its cache holds.
pub struct BatchItem<'a> {
    /// Where its keys and values are; extended by the call.
    pub kv: &'a mut SequenceKv,
    /// The tokens.
    pub tokens: &'a [TokenId],
    /// Which logits are wanted.
    pub logits: LogitRows,
}

/// A model with its KV cache and the buffers of a forward pass.
///
/// ```
/// use pacemark_engine::{
///     BatchItem, Decoder, DecoderOptions, LogitRows, Model, Residence, SequenceKv, Threads,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tiny = r#"synth:{"architecture": "llama", "n_embd": 64, "n_ff": 64, "n_layers": 1,
///     "n_heads": 2, "n_vocab": 300}:Q8_0"#;
/// let cache = DecoderOptions { n_ctx: 32, ..DecoderOptions::default() };
/// let model = Model::load(tiny, Threads::new(1), Residence::default(), cache, &mut |_, _| {})?;
/// let mut decoder = Decoder::new(model, cache);
/// let mut kv = SequenceKv::default();
/// // A prompt, then the most likely token after it.
/// for tokens in [&[1, 2, 3][..], &[4]] {
///     let item = BatchItem { kv: &mut kv, tokens, logits: LogitRows::Last };
///     let logits = decoder.forward(&mut [item])?;
///     assert_eq!(logits.len(), 300);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Decoder {
    model: Model,
    kv: KvCache,
    scratch: Scratch,
}

/// Buffers kept from pass to pass. `n` is the number of tokens of the batch.
#[derive(Default)]
struct Scratch {
    /// Residual stream `[n, n_embd]`.
    x: Vec<f32>,
    /// `[n, n_heads * head_dim]`
    q: Vec<f32>,
    /// `[n, n_kv_heads * head_dim]`
    k: Vec<f32>,
    v: Vec<f32>,
    /// Attention's output, as `q`.
    mixed: Vec<f32>,
    /// What a block adds to the stream, as `x`.
    delta: Vec<f32>,
    /// `[n, n_ff]`
    gate: Vec<f32>,
    up: Vec<f32>,
    activations: Activations,
    /// `[wanted rows, n_vocab]`
    logits: Vec<f32>,
    /// `[n, n_embd]`, of [`Decoder::states`] only.
    states: Vec<f32>,
    /// Position of each token.
    positions: Vec<i32>,
    /// Where each goes; `None` where a policy decides.
    slots: Vec<Option<Slot>>,
    /// Attention's output under policies, `[n_kv_heads][n, n_heads / n_kv_heads * head_dim]`.
    by_head: Vec<f32>,
    /// The kinds of layer that rotate, with their angles.
    angles: Vec<(LayerKind, RopeAngles)>,
}

impl Decoder {
    /// A decoder with an empty cache. [`Model::load`] has checked that the cache fits the memory.
    pub fn new(model: Model, options: DecoderOptions) -> Decoder {
        let kv = KvCache::new(&model.config, options.kv, options.n_ctx);
        let mut angles: Vec<(LayerKind, RopeAngles)> = Vec::new();
        for layer in model.config.layers.iter().filter(|layer| layer.rotates) {
            if !angles.iter().any(|(kind, _)| kind.rotates_like(layer)) {
                angles.push((*layer, RopeAngles::default()));
            }
        }
        Decoder { model, kv, scratch: Scratch { angles, ..Scratch::default() } }
    }

    /// The same model with another cache, an empty one.
    pub fn with_cache(self, options: DecoderOptions) -> Decoder {
        Decoder::new(self.model, options)
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The cache.
    pub fn kv(&self) -> &KvCache {
        &self.kv
    }

    /// The cache, to release or truncate sequences.
    pub fn kv_mut(&mut self) -> &mut KvCache {
        &mut self.kv
    }

    /// Computes the items' tokens. Returns the wanted logits, `[rows, n_vocab]`, in order of items
    /// and tokens.
    ///
    /// On an error no sequence has changed.
    pub fn forward(&mut self, items: &mut [BatchItem<'_>]) -> Result<&[f32], EngineError> {
        self.layers(items)?;
        self.output(items);
        Ok(&self.scratch.logits)
    }

    /// Computes the items' tokens as [`Decoder::forward`] does, but in place of logits returns the
    /// last layer's states after the output norm, `[n_tokens, n_embd]`, of all tokens: what
    /// embeddings are made of.
    pub fn states(&mut self, items: &mut [BatchItem<'_>]) -> Result<&[f32], EngineError> {
        self.layers(items)?;
        let (model, s) = (&self.model, &mut self.scratch);
        let (width, norm, kernels) =
            (model.config.n_embd, &model.weights.output_norm, model.kernels);
        s.states.resize(s.x.len(), 0.0);
        for (x, out) in s.x.chunks_exact(width).zip(s.states.chunks_exact_mut(width)) {
            norm_row(kernels, norm, model.config.norm_eps, x, out);
        }
        Ok(&s.states)
    }

    /// All layers over the items' tokens; what they make of them is in `x`.
    fn layers(&mut self, items: &mut [BatchItem<'_>]) -> Result<(), EngineError> {
        let n_vocab = self.model.config.n_vocab;
        for &token in items.iter().flat_map(|item| item.tokens) {
            if token as usize >= n_vocab {
                return Err(EngineError::Token { token, n_vocab });
            }
        }
        if let Some(positions) = &self.model.weights.positions {
            let n_positions = positions.len() / self.model.config.n_embd;
            let longest =
                items.iter().map(|item| item.kv.len() + item.tokens.len()).max().unwrap_or(0);
            if longest > n_positions {
                return Err(EngineError::Positions { n_tokens: longest, n_positions });
            }
        }
        self.reserve(items)?;
        self.model.set_threads_for(self.scratch.positions.len());
        self.embed(items);
        for layer in 0..self.model.config.layers.len() {
            self.attention_block(layer, items);
            self.ffn_block(layer);
        }
        items.iter_mut().for_each(|item| self.kv.settle(item.kv));
        Ok(())
    }

    /// Calls `f` for each of `items`, spread over the threads that compute: for work on logits
    /// between two passes.
    pub fn spread<T: Send>(&self, items: &mut [T], f: &(dyn Fn(&mut T) + Sync)) {
        self.model.team.rows(items, 1, &|_, item| item.iter_mut().for_each(f));
    }

    /// What the last [`Decoder::forward`] returned.
    pub fn logits(&self) -> &[f32] {
        &self.scratch.logits
    }

    /// Extends the sequences and notes where each token goes.
    fn reserve(&mut self, items: &mut [BatchItem<'_>]) -> Result<(), EngineError> {
        for i in 0..items.len() {
            let n = items[i].tokens.len();
            if let Err(error) = self.kv.extend(items[i].kv, n) {
                for item in &mut items[..i] {
                    self.kv.retract(item.kv, item.tokens.len());
                }
                return Err(error);
            }
        }
        let s = &mut self.scratch;
        s.positions.clear();
        s.slots.clear();
        for item in items.iter() {
            for index in item.kv.len() - item.tokens.len()..item.kv.len() {
                s.positions.push(index as i32);
                let slot = || Slot::of(item.kv.blocks(), index);
                s.slots.push(item.kv.sees_all().then(slot));
            }
        }
        Ok(())
    }

    fn embed(&mut self, items: &[BatchItem<'_>]) {
        let (c, s) = (&self.model.config, &mut self.scratch);
        let n = s.positions.len();
        s.x.resize(n * c.n_embd, 0.0);
        s.q.resize(n * c.n_heads * c.head_dim, 0.0);
        s.mixed.resize(s.q.len(), 0.0);
        s.k.resize(n * c.n_kv_heads * c.head_dim, 0.0);
        s.v.resize(s.k.len(), 0.0);
        s.delta.resize(s.x.len(), 0.0);
        s.gate.resize(if c.ffn.is_gated() { n * c.n_ff } else { 0 }, 0.0);
        s.up.resize(n * c.n_ff, 0.0);
        let tokens: Vec<TokenId> = items.iter().flat_map(|item| item.tokens).copied().collect();
        let embedding = &self.model.weights.embedding;
        let (kernels, learned, positions) =
            (self.model.kernels, &self.model.weights.positions, &s.positions);
        self.model.team.rows(&mut s.x, c.n_embd, &|t, row| {
            embedding.row(tokens[t], row);
            if let Some(learned) = learned {
                kernels.add(row, &learned[positions[t] as usize * c.n_embd..][..c.n_embd]);
            }
        });
        let factors = self.model.weights.rope_factors.as_deref();
        for (kind, angles) in &mut s.angles {
            angles.set(kind, c.rope_dim, factors, &s.positions);
        }
    }

    /// `x += attention(norm(x))`; of parallel blocks the sum is left in `delta`, to be added by
    /// [`Self::ffn_block`].
    fn attention_block(&mut self, index: usize, items: &mut [BatchItem<'_>]) {
        let (team, s, layer) =
            (&self.model.team, &mut self.scratch, &self.model.weights.layers[index]);
        let n = s.positions.len();
        let qkv = [&layer.wq, &layer.wk, &layer.wv];
        normalize(&self.model, &s.x, 0..n, layer.attn_norm.as_ref(), &qkv, &mut s.activations);
        matmul(
            team,
            &s.activations,
            &mut [
                Product { weights: &layer.wq, out: &mut s.q },
                Product { weights: &layer.wk, out: &mut s.k },
                Product { weights: &layer.wv, out: &mut s.v },
            ],
        );
        self.norm_and_rotate(index);
        let Model { config: c, kernels, team, .. } = &self.model;
        let (kernels, s) = (*kernels, &mut self.scratch);
        self.kv.write(team, kernels, index, &s.slots, &s.k, &s.v);
        let shape = AttentionShape {
            n_heads: c.n_heads,
            n_kv_heads: c.n_kv_heads,
            head_dim: c.head_dim,
            scale: c.attn_scale,
            window: c.layers[index].window,
            kv: self.kv.types(),
        };
        let spans = spans(items, &s.positions);
        attention(team, kernels, &shape, &self.kv.lanes(index), &spans, &s.q, &mut s.mixed);
        self.attend_under_policies(index, &shape, items);
        let Model { config: c, weights, kernels, team, .. } = &self.model;
        let (kernels, s, layer) = (*kernels, &mut self.scratch, &weights.layers[index]);
        let (mixed, width) = (&s.mixed, c.n_heads * c.head_dim);
        s.activations.reset(n, width, &[&layer.wo]);
        s.activations
            .fill(team, kernels, &|t, row| row.copy_from_slice(&mixed[t * width..][..width]));
        matmul(team, &s.activations, &mut [Product { weights: &layer.wo, out: &mut s.delta }]);
        if !c.parallel_residual {
            self.add_delta(|layer| layer.attn_post_norm.as_ref(), index);
        }
    }

    /// Attention of the items whose tokens a policy keeps or lets go.
    fn attend_under_policies(
        &mut self,
        index: usize,
        shape: &AttentionShape,
        items: &mut [BatchItem<'_>],
    ) {
        if items.iter().all(|item| item.kv.policy().is_none()) {
            return;
        }
        let Model { config: c, weights, kernels, team, .. } = &self.model;
        let (s, kind) = (&mut self.scratch, &c.layers[index]);
        let angles = s.angles.iter().find(|(other, _)| kind.rotates_like(other));
        let pass = Pass {
            kernels,
            shape,
            layer: index,
            n_layers: c.layers.len(),
            kind,
            rope_dim: c.rope_dim,
            rope_factors: weights.rope_factors.as_deref(),
            angles: angles.map(|(_, angles)| angles),
        };
        let rows = Rows { q: &s.q, k: &s.k, v: &s.v, out: &mut s.mixed, by_head: &mut s.by_head };
        attend_items(team, &pass, self.kv.lanes_mut(index), items, rows);
    }

    /// Queries and keys are normalized and rotated, where the layer does either.
    fn norm_and_rotate(&mut self, index: usize) {
        let Model { config: c, weights, kernels, team, .. } = &self.model;
        let (kernels, s, layer) = (*kernels, &mut self.scratch, &weights.layers[index]);
        let kind = &c.layers[index];
        if !kind.rotates && c.qk_norm == QkNorm::None {
            return;
        }
        let angles =
            s.angles.iter().find(|(other, _)| kind.rotates_like(other)).map(|(_, angles)| angles);
        let heads = |norm: Option<&Norm>, t: usize, row: &mut [f32]| {
            if let (Some(norm), QkNorm::Whole) = (norm, c.qk_norm) {
                kernels.rms_norm_in_place(row, &norm.weight, c.norm_eps);
            }
            for head in row.chunks_exact_mut(c.head_dim) {
                if let (Some(norm), QkNorm::Head) = (norm, c.qk_norm) {
                    kernels.rms_norm_in_place(head, &norm.weight, c.norm_eps);
                }
                if let Some(angles) = angles {
                    let (cos, sin) = angles.of(t);
                    kernels.rope(head, cos, sin);
                }
            }
        };
        let (q, k) =
            ((&mut s.q[..], c.n_heads * c.head_dim), (&mut s.k[..], c.n_kv_heads * c.head_dim));
        team.rows2(q, k, &|t, q, k| {
            heads(layer.q_norm.as_ref(), t, q);
            heads(layer.k_norm.as_ref(), t, k);
        });
    }

    /// `x += down(activation(gate(norm(x))) * up(norm(x)))`, or `x +=
    /// down(activation(up(norm(x))))`.
    fn ffn_block(&mut self, index: usize) {
        let (n, parallel) = (self.scratch.positions.len(), self.model.config.parallel_residual);
        let s = &mut self.scratch;
        let layer = &self.model.weights.layers[index];
        let up_and_gate = [&layer.up, layer.gate.as_ref().unwrap_or(&layer.up)];
        let norm = layer.ffn_norm.as_ref();
        normalize(&self.model, &s.x, 0..n, norm, &up_and_gate, &mut s.activations);
        if parallel {
            // The stream as it entered the layer has been read: now it may take what attention
            // found.
            self.add_delta(|layer| layer.attn_post_norm.as_ref(), index);
        }
        let Model { config: c, weights, kernels, team, .. } = &self.model;
        let (kernels, s, layer) = (*kernels, &mut self.scratch, &weights.layers[index]);
        let up = Product { weights: &layer.up, out: &mut s.up };
        match &layer.gate {
            Some(gate) => {
                matmul(team, &s.activations, &mut [Product { weights: gate, out: &mut s.gate }, up])
            }
            None => matmul(team, &s.activations, &mut [up]),
        }
        let (gate, up) = (&s.gate, &s.up);
        s.activations.reset(n, c.n_ff, &[&layer.down]);
        s.activations.fill(team, kernels, &|t, row| {
            let range = t * c.n_ff..(t + 1) * c.n_ff;
            let up = &up[range.clone()];
            row.copy_from_slice(if c.ffn.is_gated() { &gate[range] } else { up });
            match c.ffn {
                Ffn::GatedSilu => kernels.silu_mul(row, up),
                Ffn::GatedGeluTanh => kernels.gelu_mul(row, up),
                Ffn::GeluTanh => kernels.gelu_tanh(row),
                Ffn::GeluErf => kernels.gelu_erf(row),
            }
        });
        matmul(team, &s.activations, &mut [Product { weights: &layer.down, out: &mut s.delta }]);
        self.add_delta(|layer| layer.ffn_post_norm.as_ref(), index);
    }

    /// `x += delta`, normalized first where the layer has such a norm.
    fn add_delta(&mut self, post_norm: impl Fn(&Layer) -> Option<&Norm>, index: usize) {
        let Model { config: c, weights, kernels, team, .. } = &self.model;
        let (kernels, norm) = (*kernels, post_norm(&weights.layers[index]));
        let s = &mut self.scratch;
        team.rows2((&mut s.x, c.n_embd), (&mut s.delta, c.n_embd), &|_, x, delta| {
            if let Some(norm) = norm {
                kernels.rms_norm_in_place(delta, &norm.weight, c.norm_eps);
            }
            kernels.add(x, delta);
        });
    }

    /// Logits of the wanted rows.
    fn output(&mut self, items: &[BatchItem<'_>]) {
        let Model { config: c, weights, team, .. } = &self.model;
        let s = &mut self.scratch;
        let mut rows = Vec::new();
        let mut first = 0;
        for item in items {
            let n = item.tokens.len();
            let from = match item.logits {
                LogitRows::None => n,
                LogitRows::Last => n.saturating_sub(1),
                LogitRows::From(from) => from.min(n),
            };
            rows.extend(first + from..first + n);
            first += n;
        }
        let n_rows = rows.len();
        let norm = Some(&weights.output_norm);
        if weights.fine_logits {
            s.activations.reset_fine(n_rows, c.n_embd, &weights.output);
        } else {
            s.activations.reset(n_rows, c.n_embd, &[&weights.output]);
        }
        fill_normalized(&self.model, &s.x, rows, norm, &mut s.activations);
        s.logits.resize(n_rows * c.n_vocab, 0.0);
        matmul(
            team,
            &s.activations,
            &mut [Product { weights: &weights.output, out: &mut s.logits }],
        );
        if let Some(cap) = c.logit_softcap {
            team.rows(&mut s.logits, c.n_vocab, &|_, row| {
                row.iter_mut().for_each(|x| *x = cap * (*x / cap).tanh())
            });
        }
    }
}

/// `activations[i] = norm(x[rows[i]])` for `weights`, `x` being `[n, n_embd]`; as it is where there
/// is no norm.
fn normalize(
    model: &Model,
    x: &[f32],
    rows: std::ops::Range<usize>,
    norm: Option<&Norm>,
    weights: &[&Matrix],
    activations: &mut Activations,
) {
    activations.reset(rows.len(), model.config.n_embd, weights);
    fill_normalized(model, x, rows, norm, activations);
}

/// [`normalize`] to activations that were prepared.
fn fill_normalized(
    model: &Model,
    x: &[f32],
    rows: impl IntoIterator<Item = usize>,
    norm: Option<&Norm>,
    activations: &mut Activations,
) {
    let (width, eps, kernels) = (model.config.n_embd, model.config.norm_eps, model.kernels);
    let rows: Vec<usize> = rows.into_iter().collect();
    activations.fill(&model.team, kernels, &|i, row| {
        let x = &x[rows[i] * width..][..width];
        match norm {
            Some(norm) => norm_row(kernels, norm, eps, x, row),
            None => row.copy_from_slice(x),
        }
    });
}

fn norm_row(kernels: &KernelSet, norm: &Norm, eps: f32, x: &[f32], out: &mut [f32]) {
    match &norm.bias {
        None => kernels.rms_norm(x, &norm.weight, eps, out),
        Some(bias) => kernels.layer_norm(x, &norm.weight, bias, eps, out),
    }
}

/// The items whose tokens see all before them, as attention sees them.
fn spans<'a>(items: &'a [BatchItem<'_>], positions: &'a [i32]) -> Vec<SequenceSpan<'a>> {
    let mut first_row = 0;
    let span = |item: &'a BatchItem<'_>| {
        let n = item.tokens.len();
        if !item.kv.sees_all() {
            first_row += n;
            return None;
        }
        let span = SequenceSpan {
            first_row,
            row_positions: &positions[first_row..first_row + n],
            block_table: item.kv.blocks(),
            positions: item.kv.positions(),
        };
        first_row += n;
        Some(span)
    };
    items.iter().filter_map(span).collect()
}
