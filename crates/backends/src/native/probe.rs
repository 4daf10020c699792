//! A model's passes, one at a time and at any depth: what predictions of a model's speed are made
//! of.
//!
//! A probe times the engine's own decoder over a slice of a model. The keys and values before a pass
//! are copies of some that were computed, so a depth costs no more than their memory; the time of a
//! pass does not depend on what is in them. What is made of the times is left to the caller.

use super::NativeError;
use super::error::of_engine;
use crate::supports;
use pacemark_backend::BackendError;
use pacemark_engine::{
    BatchItem, Decoder, DecoderOptions, KV_BLOCK, LogitRows, Model, Sampler, SamplerConfig,
    SequenceKv, TokenId,
};
use pacemark_modelfile::ModelFile;
use pacemark_setup::Setup;
use std::time::{Duration, Instant};

/// A model that passes are timed of.
pub struct Probe {
    decoder: Option<Decoder>,
    setup: Setup,
    /// A sequence each, with its blocks.
    sequences: Vec<(Vec<u32>, SequenceKv)>,
}

/// Tokens that are computed, to be copied.
const COMPUTED: usize = 512;

impl Probe {
    /// Loads a model whose bytes are made or mapped, with an empty cache.
    pub fn load(file: ModelFile, setup: &Setup) -> Result<Probe, NativeError> {
        let cache = DecoderOptions { n_ctx: KV_BLOCK, kv: supports::kv_types(setup)? };
        let began = Instant::now();
        let model = Model::of(file, began, setup.threads, setup.weights, cache, &mut |_, _| {})?;
        let decoder = Some(Decoder::new(model, cache));
        Ok(Probe { decoder, setup: setup.clone(), sequences: Vec::new() })
    }

    /// Makes a cache for the sequences of `setup`, and fills it, but for each one's last token. What
    /// was there is forgotten.
    pub fn fill(&mut self, setup: &Setup) -> Result<(), NativeError> {
        let n_ctx = setup.n_ctx.unwrap_or(Setup::DEFAULT_MAX_CTX);
        let per_sequence = n_ctx.div_ceil(KV_BLOCK);
        let n_tokens = per_sequence.saturating_mul(KV_BLOCK).saturating_mul(setup.n_seqs.max(1));
        let cache = DecoderOptions { n_ctx: n_tokens, kv: supports::kv_types(setup)? };
        self.setup = setup.clone();
        self.sequences.clear();
        // The old cache goes before the new one comes.
        let decoder = self.decoder.take().expect("a probe has a decoder between two calls");
        let decoder = self.decoder.insert(decoder.with_cache(cache));
        let blocks = decoder.kv_mut().lease();
        let sequence = |blocks: &[u32]| (blocks.to_vec(), SequenceKv::default());
        self.sequences = blocks.chunks_exact(per_sequence.max(1)).map(sequence).collect();
        let n = COMPUTED.min(n_ctx);
        let tokens = tokens(decoder, n);
        let Some((first, kv)) = self.sequences.first_mut() else { return Ok(()) };
        kv.place(first, 0);
        let item = BatchItem { kv, tokens: &tokens, logits: LogitRows::None };
        decoder.forward(&mut [item]).map_err(NativeError::from)?;
        let n_source = n.div_ceil(KV_BLOCK);
        let copies = blocks.iter().enumerate().skip(n_source);
        let pairs: Vec<(u32, u32)> = copies.map(|(i, &to)| (blocks[i % n_source], to)).collect();
        decoder.kv_mut().copy_blocks(&pairs);
        Ok(())
    }

    /// Time of `n` tokens of a prompt that come after `depth` others of it.
    pub fn prompt(&mut self, n: usize, depth: usize) -> Result<Duration, BackendError> {
        let decoder = self.decoder.as_mut().ok_or_else(nothing)?;
        let tokens = tokens(decoder, n);
        let Some((blocks, kv)) = self.sequences.first_mut() else { return Err(nothing()) };
        kv.place(blocks, depth);
        let began = Instant::now();
        let item = BatchItem { kv, tokens: &tokens, logits: LogitRows::None };
        decoder.forward(&mut [item]).map_err(of_engine)?;
        Ok(began.elapsed())
    }

    /// Time of the next token of all sequences after `depth` tokens of each, `with_logits` and a
    /// choice by them or without.
    pub fn step(&mut self, depth: usize, with_logits: bool) -> Result<Duration, BackendError> {
        let decoder = self.decoder.as_mut().ok_or_else(nothing)?;
        if self.sequences.is_empty() {
            return Err(nothing());
        }
        let tokens = tokens(decoder, self.sequences.len());
        let logits = if with_logits { LogitRows::Last } else { LogitRows::None };
        self.sequences.iter_mut().for_each(|(blocks, kv)| kv.place(blocks, depth));
        let began = Instant::now();
        let items = self.sequences.iter_mut().zip(tokens.chunks_exact(1));
        let items = items.map(|((_, kv), tokens)| BatchItem { kv, tokens, logits });
        decoder.forward(&mut items.collect::<Vec<_>>()).map_err(of_engine)?;
        if with_logits {
            let n_vocab = decoder.model().config().n_vocab;
            for row in decoder.logits().chunks_exact(n_vocab.max(1)) {
                Sampler::new(SamplerConfig::default(), &[]).sample(row);
            }
        }
        Ok(began.elapsed())
    }
}

/// That passes are timed of a cache that was never filled, or could not be: a mistake of the caller.
fn nothing() -> BackendError {
    BackendError::Engine("a probe has no sequence: its cache was not filled".into())
}

/// Tokens that are all different, as far as the vocabulary has so many.
fn tokens(decoder: &Decoder, n: usize) -> Vec<TokenId> {
    let n_vocab = decoder.model().config().n_vocab.max(1);
    (0..n).map(|i| (i * 7919 % n_vocab) as TokenId).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_modelfile::synth::slice;
    use pacemark_setup::Threads;
    use pacemark_testmodel::TestModel;

    /// Of every architecture: a slice computes prompts and steps at any depth that its cache has.
    #[test]
    fn passes_at_any_depth_of_every_architecture() {
        for (name, model) in TestModel::all() {
            let file = format!("pacemark-probe-{}-{name}.gguf", std::process::id());
            let path = std::env::temp_dir().join(file);
            model.write(&path).unwrap();
            let part = slice(&ModelFile::open(&path).unwrap(), 2).unwrap();
            std::fs::remove_file(path).unwrap();
            let setup = |n_ctx, n_seqs| Setup {
                threads: Threads::new(1),
                n_ctx: Some(n_ctx),
                n_seqs,
                ..Setup::default()
            };
            let mut probe = Probe::load(part, &setup(40, 1)).unwrap();
            assert!(probe.step(0, false).is_err(), "{name}: nothing is there yet");
            for (n_ctx, n_seqs) in [(40, 3), (200, 1)] {
                probe.fill(&setup(n_ctx, n_seqs)).unwrap();
                for (depth, logits) in [(0, true), (n_ctx - 1, false), (3, true)] {
                    assert!(probe.step(depth, logits).unwrap() > Duration::ZERO, "{name}");
                }
                assert!(probe.prompt(30, n_ctx - 30).unwrap() > Duration::ZERO, "{name}");
                assert!(probe.prompt(30, n_ctx - 10).is_err(), "{name}: beyond its blocks");
            }
        }
    }
}
