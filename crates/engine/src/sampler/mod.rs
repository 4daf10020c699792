//! From logits to a token.
//!
//! The order of llama.cpp's default chain: penalties, top-n-sigma, top-k, typical-p, top-p, min-p,
//! XTC, temperature, then the draw. Candidates that fall to a filter never come back.

mod filters;
mod penalties;

use crate::TokenId;
use pacemark_kernels::KernelSet;
use penalties::Penalties;

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
    /// Only the tokens whose information is nearest to the entropy, up to this probability
    /// together; 1 for all (Meister et al., 2023).
    pub typical_p: f32,
    /// Only tokens whose logits are within so many standard deviations of the largest; 0 for all
    /// (Tang et al., 2024).
    pub top_n_sigma: f32,
    /// How often all but the least likely of the tokens with at least
    /// [`xtc_threshold`](SamplerConfig::xtc_threshold) are left out ("exclude top choices", as
    /// llama.cpp has it); 0 for never.
    pub xtc_probability: f32,
    /// A probability.
    pub xtc_threshold: f32,
    /// Divides positive and multiplies negative logits of tokens in prompt or output (Keskar et
    /// al., 2019); 1 for none.
    pub repetition_penalty: f32,
    /// How many tokens back the repetition penalty looks; `None` for all.
    pub repetition_window: Option<usize>,
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
            typical_p: 1.0,
            top_n_sigma: 0.0,
            xtc_probability: 0.0,
            xtc_threshold: 0.1,
            repetition_penalty: 1.0,
            repetition_window: None,
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
    penalties: Penalties,
    candidates: Vec<(f32, TokenId)>,
}

impl Sampler {
    /// A sampler for a sequence that starts with `prompt`.
    pub fn new(config: SamplerConfig, prompt: &[TokenId]) -> Sampler {
        let kernels =
            pacemark_kernels::available().next().expect("portable kernels are always there");
        let penalties = Penalties::new(&config, prompt);
        Sampler {
            random: SplitMix64(config.seed),
            config,
            penalties,
            candidates: Vec::new(),
            kernels,
        }
    }

    /// Chooses from `logits`, `[n_vocab]`, and remembers the choice for the penalties.
    pub fn sample(&mut self, logits: &[f32]) -> TokenId {
        let c = &self.config;
        // These two may leave out the most likely token.
        let greedy = c.temperature <= 0.0 && c.typical_p >= 1.0 && c.xtc_probability <= 0.0;
        let id = if greedy && !self.penalties.any() {
            self.kernels.argmax(logits) as TokenId
        } else {
            self.draw(logits, greedy)
        };
        self.penalties.push(id);
        id
    }

    fn draw(&mut self, logits: &[f32], greedy: bool) -> TokenId {
        self.candidates.clear();
        self.candidates
            .extend(logits.iter().enumerate().map(|(id, &logit)| (number(logit), id as TokenId)));
        self.penalties.apply(&mut self.candidates);
        let c = &self.config;
        if !greedy {
            filters::keep_top_n_sigma(&mut self.candidates, c.top_n_sigma);
            filters::keep_top_k(&mut self.candidates, c.top_k);
            filters::keep_typical(&mut self.candidates, c.typical_p);
            filters::keep_top_p(&mut self.candidates, c.top_p);
            filters::keep_min_p(&mut self.candidates, c.min_p);
            if c.xtc_probability > 0.0 && self.random.unit() <= f64::from(c.xtc_probability) {
                filters::drop_top_choices(&mut self.candidates, c.xtc_threshold);
            }
        }
        if c.temperature <= 0.0 {
            let better =
                |a: &(f32, TokenId), b: &(f32, TokenId)| b.0 > a.0 || (b.0 == a.0 && b.1 < a.1);
            let best =
                self.candidates.iter().copied().reduce(|a, b| if better(&a, &b) { b } else { a });
            return best.map_or(0, |(_, id)| id);
        }
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
pub(crate) fn logprobs(
    kernels: &KernelSet,
    logits: &[f32],
    chosen: TokenId,
    n_top: usize,
) -> TokenLogprobs {
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
    /// Natural log-probabilities of `chosen` and of the `n_top` most likely tokens, from one row of
    /// logits.
    pub fn logprobs(&self, logits: &[f32], chosen: TokenId, n_top: usize) -> TokenLogprobs {
        logprobs(self.kernels, logits, chosen, n_top)
    }
}

/// NaN sorts and draws like the impossible.
fn number(logit: f32) -> f32 {
    if logit.is_nan() { f32::NEG_INFINITY } else { logit }
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
mod tests;
