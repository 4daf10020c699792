//! One test as requests to a backend, and its time from their events.

use crate::repeat::{MAX_GENERATED, Repeat};
use crate::{BenchError, Observer, Phase, Test};
use pacemark_backend::{Backend, Event, GenerateRequest, TokenId};
use pacemark_record::Sample;
use pacemark_record::rng::SplitMix64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A test that can be run again and again.
pub(super) struct Workload<'a> {
    backend: &'a dyn Backend,
    n_prompt: usize,
    n_gen: usize,
    /// Tokens that lie in the KV cache before the timed ones; the same in every run, so that they
    /// are computed once.
    depth: Vec<TokenId>,
    /// `depth` is in the backend's kept KV.
    filled: bool,
    bos: Option<TokenId>,
    n_vocab: usize,
    rng: SplitMix64,
    /// First timed token of the last run: the next must differ, or the backend would find it in its
    /// kept KV.
    last_first: Option<TokenId>,
    /// What of the keys and values is kept.
    kv: Option<String>,
    stop: &'a AtomicBool,
}

/// The stamps of one request.
struct Stamps {
    started: Instant,
    cached_tokens: usize,
    tokens: Vec<Instant>,
}

impl<'a> Workload<'a> {
    pub(super) fn new(
        backend: &'a dyn Backend,
        test: &Test,
        seed: u64,
        stop: &'a AtomicBool,
    ) -> Result<Self, BenchError> {
        let info = backend.info();
        let n_depth = test.n_depth;
        if n_depth > 0 && !backend.capabilities().prefix_reuse {
            return Err(BenchError::NoPrefixReuse { backend: info.backend });
        }
        let mut workload = Workload {
            backend,
            n_prompt: test.n_prompt,
            n_gen: test.n_gen,
            depth: Vec::new(),
            filled: false,
            bos: info.bos,
            n_vocab: info.vocab_size.max(2),
            rng: SplitMix64::new(seed),
            last_first: None,
            kv: test.kv.clone(),
            stop,
        };
        workload.depth = workload.random(n_depth);
        if let (Some(first), Some(bos)) = (workload.depth.first_mut(), workload.bos) {
            *first = bos;
        }
        Ok(workload)
    }

    fn n_gen(&self, brief: bool) -> usize {
        if brief { self.n_gen.min(MAX_GENERATED) } else { self.n_gen }
    }

    fn timed(&mut self, max_tokens: usize) -> Result<Stamps, BenchError> {
        let mut prompt = self.depth.clone();
        prompt.extend(self.fresh());
        self.request(prompt, max_tokens)
    }

    /// The tokens that are timed: the prompt, or the one token that generation starts from.
    fn fresh(&mut self) -> Vec<TokenId> {
        let mut tokens = self.random(self.n_prompt.max(1));
        if self.depth.is_empty() {
            if let Some(bos) = self.bos {
                tokens[0] = bos;
            }
        } else if self.last_first == Some(tokens[0]) {
            tokens[0] = (tokens[0] + 1) % self.n_vocab as TokenId;
        }
        self.last_first = Some(tokens[0]);
        tokens
    }

    fn random(&mut self, n: usize) -> Vec<TokenId> {
        (0..n).map(|_| self.rng.below(self.n_vocab) as TokenId).collect()
    }

    /// Sends a request and collects its stamps; checks `stop` between events.
    fn request(&self, prompt: Vec<TokenId>, max_tokens: usize) -> Result<Stamps, BenchError> {
        let reuse_prefix = !self.depth.is_empty();
        let request = GenerateRequest {
            prompt,
            max_tokens,
            ignore_eos: true,
            reuse_prefix,
            kv: self.kv.clone(),
            ..GenerateRequest::default()
        };
        let (mut started, mut found) = (None, 0);
        let mut tokens = Vec::with_capacity(max_tokens);
        for event in self.backend.generate(request) {
            match event {
                Event::Started { at, cached_tokens } => started = Some((at, cached_tokens)),
                Event::Token { at, .. } => tokens.push(at),
                Event::Failed(error) => return Err(error.into()),
                // A server tells only at the end what its cache had.
                Event::Finished { usage, .. } => found = usage.cached_tokens,
                Event::Queued { .. } | Event::Prefill { .. } => {}
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(BenchError::Interrupted);
            }
        }
        let Some((started, cached_tokens)) = started.filter(|_| tokens.len() == max_tokens) else {
            return Err(BenchError::TooFewTokens { expected: max_tokens, found: tokens.len() });
        };
        Ok(Stamps { started, cached_tokens: cached_tokens.max(found), tokens })
    }
}

impl Repeat for Workload<'_> {
    fn n_tokens(&self, brief: bool) -> usize {
        self.n_prompt + self.n_gen(brief)
    }

    /// Puts the test's depth into the KV cache, unless it is there.
    fn prepare(&mut self, observer: &mut dyn Observer) -> Result<(), BenchError> {
        if self.depth.is_empty() || self.filled {
            return Ok(());
        }
        observer.phase(Phase::Depth);
        self.request(self.depth.clone(), 0)?;
        self.filled = true;
        self.last_first = None;
        Ok(())
    }

    fn once(&mut self, observer: &mut dyn Observer, brief: bool) -> Result<Sample, BenchError> {
        let n_gen = self.n_gen(brief);
        // The first token comes out of the prompt's last logits: it costs no forward pass of its
        // own.
        let max_tokens = if self.n_prompt == 0 { n_gen } else { n_gen + 1 };
        let expected = self.depth.len();
        let mut stamps = self.timed(max_tokens)?;
        if stamps.cached_tokens != expected && expected > 0 {
            // The backend kept other KV than this test's: once more from a known state.
            self.filled = false;
            self.prepare(observer)?;
            stamps = self.timed(max_tokens)?;
        }
        if stamps.cached_tokens != expected {
            return Err(BenchError::CachedTokens { expected, found: stamps.cached_tokens });
        }
        // What a policy has let go of since is not there for the next run.
        self.filled &= self.kv.as_deref().is_none_or(|spec| spec == "full");
        sample(&stamps, max_tokens)
    }
}

fn sample(stamps: &Stamps, max_tokens: usize) -> Result<Sample, BenchError> {
    let (Some(first), Some(last)) = (stamps.tokens.first(), stamps.tokens.last()) else {
        return Err(BenchError::TooFewTokens { expected: max_tokens, found: 0 });
    };
    let ns = |from: Instant, to: Instant| to.saturating_duration_since(from).as_nanos() as u64;
    Ok(Sample {
        elapsed_ns: ns(stamps.started, *last),
        ttft_ns: Some(ns(stamps.started, *first)),
        gaps_ns: stamps.tokens.windows(2).map(|pair| ns(pair[0], pair[1])).collect(),
        cached_tokens: stamps.cached_tokens as u64,
        early_tokens: 0,
    })
}
