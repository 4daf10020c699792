//! Rates of a model: what follows for all of it from passes over a few layers, and what it had itself.

use super::{Fit, FitRound, Layers, ProofRun};
use crate::stats::{self, CONFIDENCE, Interval};
use crate::{Operations, Roof, Sample, Trial};

/// `a / b`, nothing where there is nothing to divide by.
fn share(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

impl Fit {
    /// Seconds of a step of all sequences, in each round: on an empty cache, and at the end of a
    /// context of `n_ctx` tokens.
    pub fn steps_s(&self, n_ctx: u64) -> Vec<[f64; 2]> {
        let (whole, slice) = (&self.whole, &self.of_steps);
        let last = n_ctx.saturating_sub(1);
        let weights = share(whole.bytes as f64, slice.bytes as f64);
        let keys = share(whole.keys(last, n_ctx), slice.keys(last, n_ctx));
        let of = |round: &FitRound| {
            let [step, logits, deep] = [round.step_ns, round.logits_ns, round.deep_ns].map(seconds);
            let first = (logits - step).max(0.0) + weights * step;
            [first, first + keys * (deep - step).max(0.0)]
        };
        self.rounds.iter().map(of).collect()
    }

    /// Seconds of a prompt of one chunk, and of one of `n_ctx` tokens, in each round.
    pub fn prompts_s(&self, n_ctx: u64) -> Vec<[f64; 2]> {
        let (whole, slice, chunk) = (&self.whole, &self.of_prompts, self.n_chunk.max(1));
        let layers = share(whole.n as f64, slice.n as f64);
        let n_chunks = n_ctx as f64 / chunk as f64;
        // What attention looks at beyond what it does in as many first chunks.
        let beyond = |layers: &Layers, from: u64, to: u64, n: f64| {
            layers.keys(from, to) - n * layers.keys(0, chunk)
        };
        let deep = beyond(slice, n_ctx.saturating_sub(chunk), n_ctx, 1.0);
        let keys = share(beyond(whole, 0, n_ctx, n_chunks), deep);
        let of = |round: &FitRound| {
            let [first, last] = [round.prompt_ns, round.prompt_deep_ns].map(seconds);
            [layers * first, n_chunks * layers * first + keys * (last - first).max(0.0)]
        };
        self.rounds.iter().map(of).collect()
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

impl ProofRun {
    /// Prompt tokens a second of `n_seqs` sequences together, and generated ones, in each sample.
    pub fn rates_ts(&self, n_seqs: u64) -> Vec<[f64; 2]> {
        let of = |sample: &Sample| {
            let ttft = sample.ttft_ns.unwrap_or(sample.elapsed_ns);
            let generated = n_seqs.saturating_mul(self.n_gen).saturating_sub(sample.early_tokens);
            let rate = |n: u64, ns: u64| share(n as f64, seconds(ns));
            [
                rate(n_seqs.saturating_mul(self.n_prompt), ttft),
                rate(generated, sample.elapsed_ns.saturating_sub(ttft)),
            ]
        };
        self.samples.iter().map(of).collect()
    }
}

/// A rate that is predicted, or was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitRate {
    /// Prompt tokens a second, prompts of one chunk.
    Prompt,
    /// The same, prompts that fill the context.
    FullPrompt,
    /// Generated tokens a second, of all sequences together, on an empty cache.
    Decode,
    /// The same, at the end of the context.
    FullDecode,
}

impl FitRate {
    /// All of them.
    pub const ALL: [FitRate; 4] =
        [FitRate::Prompt, FitRate::FullPrompt, FitRate::Decode, FitRate::FullDecode];

    /// Its rates in each round, predicted.
    pub fn predicted(self, trial: &Trial) -> Vec<f64> {
        let Some(fit) = trial.fit() else { return Vec::new() };
        let (n_ctx, n_seqs) = (trial.count("n_ctx"), trial.n_parallel() as f64);
        let rates = |n: f64, times: Vec<[f64; 2]>, which: usize| {
            times.iter().map(|s| share(n, s[which])).collect()
        };
        match self {
            FitRate::Prompt => rates(fit.n_chunk as f64, fit.prompts_s(n_ctx), 0),
            FitRate::FullPrompt => rates(n_ctx as f64, fit.prompts_s(n_ctx), 1),
            FitRate::Decode => rates(n_seqs, fit.steps_s(n_ctx), 0),
            FitRate::FullDecode => rates(n_seqs, fit.steps_s(n_ctx), 1),
        }
    }

    /// Where the mean of those will lie: its interval over rounds, wider by half of what the limit
    /// that it depends on swung between the probes.
    pub fn interval(self, trial: &Trial) -> Option<Interval> {
        let Interval { low, high } = stats::mean_interval(&self.predicted(trial), CONFIDENCE)?;
        let of_prompts = matches!(self, FitRate::Prompt | FitRate::FullPrompt);
        let limit = |roof: &Roof| {
            if of_prompts { roof.int8_per_s } else { roof.read_bytes_per_s }
        };
        let limits = trial.roofs.iter().map(limit);
        let (least, most) = limits.fold((f64::INFINITY, 0.0f64), |(a, b), x| (a.min(x), b.max(x)));
        let swing = if most > least { (most - least) / (most + least) } else { 0.0 };
        Some(Interval { low: low * (1.0 - swing), high: high * (1.0 + swing) })
    }

    /// Its rates as the model itself had them.
    pub fn measured(self, trial: &Trial) -> Vec<f64> {
        let Some(proof) = trial.fit().and_then(|fit| fit.proof.as_ref()) else { return Vec::new() };
        let (run, which) = match self {
            FitRate::Prompt => (&proof.short, 0),
            FitRate::FullPrompt => (&proof.full, 0),
            FitRate::Decode => (&proof.empty, 1),
            FitRate::FullDecode => (&proof.full, 1),
        };
        run.rates_ts(trial.n_parallel()).iter().map(|rates| rates[which]).collect()
    }

    /// The most that the machine's limits allow.
    pub fn roof(self, trial: &Trial) -> Option<f64> {
        let best = |of: fn(&Roof) -> f64| trial.roofs.iter().map(of).reduce(f64::max);
        let (read, int8) = (best(|r| r.read_bytes_per_s)?, best(|r| r.int8_per_s)?);
        let f32 = best(|r| r.f32_per_s)?;
        let model = &trial.model;
        let of = |o: Operations| o.int8 as f64 / int8 + (o.bf16 + o.f32) as f64 / f32;
        let layers = of(model.layer_operations);
        if model.bytes_per_token == 0 || layers <= 0.0 {
            return None;
        }
        let n_seqs = trial.n_parallel() as f64;
        let depth = match self {
            FitRate::Prompt | FitRate::FullPrompt => return Some(1.0 / layers),
            FitRate::Decode => 0.0,
            FitRate::FullDecode => trial.count("n_ctx") as f64,
        };
        let bytes = model.bytes_per_token as f64 + n_seqs * trial.kv_bytes_read(depth);
        let operations = n_seqs * (layers + of(model.output_operations));
        Some(n_seqs / operations.max(bytes / read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Measured, Model, Proof};

    /// Twelve layers, of which six see a window of 4, timed on 3 and on 2 of them.
    fn fit() -> Fit {
        let layers = |n, windowed| Layers { n, bytes: 100 * n, windows: vec![(4, windowed)] };
        let round = FitRound {
            step_ns: 30_000,
            logits_ns: 40_000,
            deep_ns: 36_000,
            prompt_ns: 200_000,
            prompt_deep_ns: 260_000,
        };
        Fit {
            whole: layers(12, 6),
            of_steps: layers(3, 1),
            of_prompts: layers(2, 1),
            n_chunk: 8,
            rounds: vec![round; 5],
            ..Fit::default()
        }
    }

    fn trial(fit: Fit, n_parallel: u64) -> Trial {
        let params = [("n_ctx", 32u64), ("n_parallel", n_parallel)];
        Trial {
            params: params.iter().map(|(name, n)| ((*name).to_owned(), (*n).into())).collect(),
            measured: Measured::Fit(Box::new(fit)),
            ..Trial::default()
        }
    }

    fn near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found}, expected {expected}");
    }

    #[test]
    fn keys_are_counted_token_by_token() {
        let layers = fit().whole;
        let by_hand = |from: u64, to: u64| -> u64 {
            (from..to).map(|t| 6 * (t + 1) + 6 * (t + 1).min(4)).sum()
        };
        for (from, to) in [(0, 0), (0, 3), (0, 32), (2, 9), (31, 32), (24, 32)] {
            near(layers.keys(from, to).max(1e-300), (by_hand(from, to) as f64).max(1e-300));
        }
    }

    #[test]
    fn parts_of_a_slice_become_the_whole() {
        let fit = fit();
        // Logits once, layers by their weights, attention by the keys of the 32nd token.
        let first = 10e-6 + 4.0 * 30e-6;
        let keys = (6.0 * 32.0 + 6.0 * 4.0) / (2.0 * 32.0 + 4.0);
        let [[found, deep], ..] = fit.steps_s(32)[..] else { panic!() };
        near(found, first);
        near(deep, first + keys * 6e-6);
        let of_all = |n: u64, from: u64, to: u64| -> f64 {
            (from..to).map(|t| (n * (t + 1) + n * (t + 1).min(4)) as f64).sum()
        };
        let beyond =
            (of_all(6, 0, 32) - 4.0 * of_all(6, 0, 8)) / (of_all(1, 24, 32) - of_all(1, 0, 8));
        let [[short, full], ..] = fit.prompts_s(32)[..] else { panic!() };
        near(short, 6.0 * 200e-6);
        near(full, 4.0 * 6.0 * 200e-6 + beyond * 60e-6);
        // A context of one chunk has no depth.
        near(fit.prompts_s(8)[0][1], 6.0 * 200e-6);
        let trial = trial(fit, 2);
        near(FitRate::Decode.predicted(&trial)[0], 2.0 / first);
        near(FitRate::FullPrompt.predicted(&trial)[4], 32.0 / full);
    }

    #[test]
    fn an_interval_is_wider_where_the_machine_swings() {
        let mut trial = trial(fit(), 1);
        let roof = |read, int8| Roof {
            read_bytes_per_s: read,
            int8_per_s: int8,
            bf16_per_s: None,
            f32_per_s: 1e12,
        };
        trial.roofs = vec![roof(9e9, 1e12), roof(11e9, 1e12)];
        let mean = FitRate::Decode.predicted(&trial)[0];
        let Interval { low, high } = FitRate::Decode.interval(&trial).unwrap();
        near(low, 0.9 * mean);
        near(high, 1.1 * mean);
        let prompt = FitRate::Prompt.interval(&trial).unwrap();
        near(prompt.low, prompt.high);
        trial.model = Model {
            bytes_per_token: 110,
            layer_operations: Operations { int8: 1000, ..Operations::default() },
            kv_bytes_per_token: 1,
            ..Model::default()
        };
        near(FitRate::Decode.roof(&trial).unwrap(), 1e8);
        near(FitRate::FullDecode.roof(&trial).unwrap(), 11e9 / 142.0);
        near(FitRate::Prompt.roof(&trial).unwrap(), 1e9);
    }

    #[test]
    fn what_ran_has_rates_too() {
        let sample = Sample {
            elapsed_ns: 3_000_000_000,
            ttft_ns: Some(2_000_000_000),
            early_tokens: 2,
            ..Sample::default()
        };
        let full = ProofRun { n_prompt: 100, n_gen: 11, samples: vec![sample] };
        let proof = Proof { full, ..Proof::default() };
        let trial = trial(Fit { proof: Some(proof), ..Fit::default() }, 2);
        assert_eq!(FitRate::FullPrompt.measured(&trial), [100.0]);
        assert_eq!(FitRate::FullDecode.measured(&trial), [20.0]);
        assert!(FitRate::Decode.measured(&trial).is_empty());
        assert!(FitRate::ALL.iter().all(|rate| rate.predicted(&trial).is_empty()));
    }
}
