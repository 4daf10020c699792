//! From logits to a token.
//!
//! The order of llama.cpp's default chain: penalties, top-k, top-p, min-p, temperature, then the draw. Candidates that fall
//! to a filter never come back.

use crate::TokenId;
use pacemark_kernels::KernelSet;
use std::collections::HashMap;

/// How a token is chosen; the default is greedy.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerConfig {
    /// Divides the logits; 0 chooses the most likely token.
    pub temperature: f32,
    /// Only the `top_k` most likely; 0 for all.
    pub top_k: usize,
    /// Only the smallest set whose probability reaches this; 1 for all (Holtzman et al., 2020).
    pub top_p: f32,
    /// Only tokens at least this fraction as likely as the most likely; 0 for all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens in prompt or output (Keskar et al., 2019); 1 for none.
    pub repetition_penalty: f32,
    /// Subtracted once from the logit of a token in the output.
    pub presence_penalty: f32,
    /// Subtracted as often as the token is in the output.
    pub frequency_penalty: f32,
    /// Start of the random sequence.
    pub seed: u64,
}

impl Default for SamplerConfig {
    fn default() -> Self {
        SamplerConfig {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: 0,
        }
    }
}

/// Natural log-probabilities at one position, before penalties, filters and temperature.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenLogprobs {
    /// Of the chosen token.
    pub chosen: f32,
    /// The most likely tokens, most likely first.
    pub top: Vec<(TokenId, f32)>,
}

/// Chooses the tokens of one sequence.
pub struct Sampler {
    config: SamplerConfig,
    random: SplitMix64,
    /// The best that this machine has; all of them find the same maximum.
    kernels: &'static KernelSet,
    /// Occurrences: in the prompt (any), and in the output (how many).
    seen: HashMap<TokenId, u32>,
    candidates: Vec<(f32, TokenId)>,
}

impl Sampler {
    /// A sampler for a sequence that starts with `prompt`.
    pub fn new(config: SamplerConfig, prompt: &[TokenId]) -> Sampler {
        let seen =
            if config.repetition_penalty != 1.0 { prompt.iter().map(|&id| (id, 0)).collect() } else { HashMap::new() };
        let kernels = pacemark_kernels::available().next().expect("portable kernels are always there");
        Sampler { random: SplitMix64(config.seed), config, seen, candidates: Vec::new(), kernels }
    }

    /// Chooses from `logits`, `[n_vocab]`, and remembers the choice for the penalties.
    pub fn sample(&mut self, logits: &[f32]) -> TokenId {
        let c = &self.config;
        let penalized = c.repetition_penalty != 1.0 || c.presence_penalty != 0.0 || c.frequency_penalty != 0.0;
        let id =
            if c.temperature <= 0.0 && !penalized { self.kernels.argmax(logits) as TokenId } else { self.draw(logits) };
        if penalized {
            *self.seen.entry(id).or_default() += 1;
        }
        id
    }

    fn draw(&mut self, logits: &[f32]) -> TokenId {
        self.candidates.clear();
        self.candidates.extend(logits.iter().enumerate().map(|(id, &logit)| (number(logit), id as TokenId)));
        for (&id, &count) in &self.seen {
            if let Some((logit, _)) = self.candidates.get_mut(id as usize) {
                *logit = penalize(*logit, count, &self.config);
            }
        }
        let c = &self.config;
        if c.temperature <= 0.0 {
            let best = self.candidates.iter().copied().reduce(|a, b| if b.0 > a.0 { b } else { a });
            return best.map_or(0, |(_, id)| id);
        }
        keep_top_k(&mut self.candidates, c.top_k);
        keep_top_p(&mut self.candidates, c.top_p);
        keep_min_p(&mut self.candidates, c.min_p);
        let max = self.candidates.iter().map(|&(logit, _)| logit).fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| f64::from((logit - max) / c.temperature).exp();
        let total: f64 = self.candidates.iter().map(|&(logit, _)| weight(logit)).sum();
        let mut left = self.random.unit() * total;
        for &(logit, id) in &self.candidates {
            left -= weight(logit);
            if left < 0.0 {
                return id;
            }
        }
        self.candidates.last().map_or(0, |&(_, id)| id)
    }
}

/// The log-probabilities of one row of logits.
pub(crate) fn logprobs(kernels: &KernelSet, logits: &[f32], chosen: TokenId, n_top: usize) -> TokenLogprobs {
    let total = kernels.log_sum_exp(logits);
    let of = |logit: f32| (f64::from(logit) - total) as f32;
    let mut top: Vec<(f32, TokenId)> = Vec::with_capacity(n_top + 1);
    for (id, &logit) in logits.iter().enumerate() {
        if top.len() < n_top || top.last().is_some_and(|&(least, _)| logit > least) {
            let at = top.partition_point(|&(better, _)| better >= logit);
            top.insert(at, (logit, id as TokenId));
            top.truncate(n_top);
        }
    }
    let top = top.into_iter().map(|(logit, id)| (id, of(logit))).collect();
    TokenLogprobs { chosen: logits.get(chosen as usize).map_or(f32::NAN, |&logit| of(logit)), top }
}

impl crate::Model {
    /// Natural log-probabilities of `chosen` and of the `n_top` most likely tokens, from one row of logits.
    pub fn logprobs(&self, logits: &[f32], chosen: TokenId, n_top: usize) -> TokenLogprobs {
        logprobs(self.kernels, logits, chosen, n_top)
    }
}

/// NaN sorts and draws like the impossible.
fn number(logit: f32) -> f32 {
    if logit.is_nan() { f32::NEG_INFINITY } else { logit }
}

fn penalize(logit: f32, count: u32, c: &SamplerConfig) -> f32 {
    let logit = if logit > 0.0 { logit / c.repetition_penalty } else { logit * c.repetition_penalty };
    logit - count as f32 * c.frequency_penalty - if count > 0 { c.presence_penalty } else { 0.0 }
}

/// Most likely first; equal ones by id, so that a draw does not depend on the sort.
fn sort(candidates: &mut [(f32, TokenId)]) {
    candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
}

fn keep_top_k(candidates: &mut Vec<(f32, TokenId)>, k: usize) {
    if k > 0 && k < candidates.len() {
        candidates.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        candidates.truncate(k);
    }
}

fn keep_top_p(candidates: &mut Vec<(f32, TokenId)>, p: f32) {
    if p >= 1.0 {
        return;
    }
    sort(candidates);
    let max = candidates.first().map_or(0.0, |c| c.0);
    let total: f64 = candidates.iter().map(|c| f64::from(c.0 - max).exp()).sum();
    let mut sum = 0.0;
    let enough = candidates.iter().position(|c| {
        sum += f64::from(c.0 - max).exp() / total;
        sum >= f64::from(p)
    });
    candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
}

fn keep_min_p(candidates: &mut Vec<(f32, TokenId)>, p: f32) {
    if p > 0.0 {
        let max = candidates.iter().map(|c| c.0).fold(f32::NEG_INFINITY, f32::max);
        candidates.retain(|c| c.0 >= max + p.ln());
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): named, so that a seed means the same for ever.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In 0..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequencies(config: SamplerConfig, logits: &[f32]) -> Vec<f64> {
        const N: usize = 20_000;
        let mut sampler = Sampler::new(config, &[]);
        let mut counts = vec![0usize; logits.len()];
        for _ in 0..N {
            counts[sampler.draw(logits) as usize] += 1;
        }
        counts.into_iter().map(|n| n as f64 / N as f64).collect()
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.02), "{found:?} {expected:?}");
    }

    #[test]
    fn filters_by_hand() {
        let logits = [0.1f32.ln(), 0.4f32.ln(), 0.2f32.ln(), 0.3f32.ln()];
        let hot = SamplerConfig { temperature: 1.0, ..SamplerConfig::default() };
        near(&frequencies(hot.clone(), &logits), &[0.1, 0.4, 0.2, 0.3]);
        let top_k = SamplerConfig { top_k: 2, ..hot.clone() };
        near(&frequencies(top_k, &logits), &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        let top_p = SamplerConfig { top_p: 0.6, ..hot.clone() };
        near(&frequencies(top_p, &logits), &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        let min_p = SamplerConfig { min_p: 0.45, ..hot.clone() };
        near(&frequencies(min_p, &logits), &[0.0, 4.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0]);
        let cold = SamplerConfig { temperature: 0.5, ..hot };
        near(&frequencies(cold, &logits), &[1.0 / 30.0, 16.0 / 30.0, 4.0 / 30.0, 9.0 / 30.0]);
    }

    #[test]
    fn penalties_act_on_what_they_name() {
        let config = SamplerConfig { repetition_penalty: 2.0, presence_penalty: 0.5, ..SamplerConfig::default() };
        // 3 is in the prompt: 4 / 2 = 2 < 2.2. Then 1 is in the output: 2.2 / 2 - 0.5 < 2.
        let mut sampler = Sampler::new(config, &[3]);
        let logits = [0.0, 2.2, 1.0, 4.0];
        assert_eq!(sampler.sample(&logits), 1);
        assert_eq!(sampler.sample(&logits), 3);
    }

    #[test]
    fn greedy_takes_the_first_largest_and_survives_nan() {
        let mut sampler = Sampler::new(SamplerConfig::default(), &[]);
        let mut logits = vec![0.0; 200];
        (logits[70], logits[150], logits[199]) = (5.0, 5.0, f32::NAN);
        assert_eq!(sampler.sample(&logits), 70);
        assert!((sampler.sample(&[f32::NAN; 3]) as usize) < 3);
    }

    #[test]
    fn a_seed_repeats_itself() {
        let config = SamplerConfig { temperature: 1.0, seed: 42, ..SamplerConfig::default() };
        let draw = || {
            let mut sampler = Sampler::new(config.clone(), &[]);
            (0..50).map(|i| sampler.sample(&[0.0, 0.1, i as f32 * 0.01])).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
    }
}
