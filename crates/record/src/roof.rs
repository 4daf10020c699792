//! How near a trial came to what the machine allows: the least time its reads and operations could
//! take, over the time it took.
//!
//! The limits are measured beside the trial, because on a shared machine they swing by half within
//! minutes. Of a prompt and of generation each takes at least the longer of two times: of its
//! operations at the peak of the type they are done in, and of its reads of weights and of keys and
//! values at the memory's bandwidth. One generated token is bound by reads, a long prompt by
//! operations. Attention's own operations are not counted, nor is what else a token costs.

use crate::{Trial, stats};
use serde::{Deserialize, Serialize};

/// Operations of one token's products with weight matrices, a multiplication and an addition
/// counting two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operations {
    /// On 8-bit integers.
    pub int8: u64,
    /// On bfloat16.
    pub bf16: u64,
    /// On 32-bit floats.
    pub f32: u64,
}

impl Operations {
    /// All of them together.
    pub fn all(&self) -> u64 {
        self.int8.saturating_add(self.bf16).saturating_add(self.f32)
    }
}

/// Limits of the machine at one moment, with the trial's threads: the best that a short probe saw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roof {
    /// Bytes read a second, with the threads that compute one token.
    pub read_bytes_per_s: f64,
    /// Operations on 8-bit integers a second, with the threads that compute prompts.
    pub int8_per_s: f64,
    /// On bfloat16; `None` where the processor has none, which then computes them as 32-bit floats.
    pub bf16_per_s: Option<f64>,
    /// On 32-bit floats.
    pub f32_per_s: f64,
}

impl Roof {
    /// The better of two moments, figure by figure: what the machine has shown it can do.
    fn or(self, other: Roof) -> Roof {
        Roof {
            read_bytes_per_s: self.read_bytes_per_s.max(other.read_bytes_per_s),
            int8_per_s: self.int8_per_s.max(other.int8_per_s),
            bf16_per_s: self.bf16_per_s.zip(other.bf16_per_s).map(|(a, b)| a.max(b)),
            f32_per_s: self.f32_per_s.max(other.f32_per_s),
        }
    }

    /// Seconds that these operations take at the peak, `n` times.
    fn seconds(&self, operations: Operations, n: f64) -> f64 {
        let Operations { int8, bf16, f32 } = operations;
        n * (int8 as f64 / self.int8_per_s
            + bf16 as f64 / self.bf16_per_s.unwrap_or(self.f32_per_s)
            + f32 as f64 / self.f32_per_s)
    }
}

impl Trial {
    /// The least time that the machine allows for a repetition over the mean time that it took: 1
    /// is the roof. `None` where no roof was measured, or one that no machine has, or the engine does not
    /// say what a token costs.
    pub fn roof_share(&self) -> Option<f64> {
        let roof = self.roofs.iter().copied().reduce(Roof::or)?;
        let known =
            self.model.bytes_per_token > 0 && self.model.layer_operations != Operations::default();
        let alone =
            self.contender().into_iter().flat_map(|of| &of.runs).map(|run| &run.alone.sample);
        let samples = self.samples().iter().chain(alone);
        let times: Vec<f64> = samples.map(|s| s.elapsed_ns as f64 / 1e9).collect();
        let mean = stats::mean(&times).filter(|mean| *mean > 0.0 && known)?;
        let share = (self.least_prompt_s(&roof) + self.least_generation_s(&roof)) / mean;
        Some(share).filter(|share| share.is_finite())
    }

    /// How often the weights are read for the prompts of a repetition: a pass computes `n_ubatch`
    /// tokens, but no more than `n_batch`, which is how many are handed over at once. One pass where
    /// neither is known.
    pub fn prompt_passes(&self) -> u64 {
        let n_tokens = self.n_parallel().saturating_mul(self.count("n_prompt"));
        let sizes = ["n_batch", "n_ubatch"].map(|name| self.count(name));
        match sizes.into_iter().filter(|size| *size > 0).min() {
            Some(step) => n_tokens.div_ceil(step),
            None => n_tokens.min(1),
        }
    }

    fn least_prompt_s(&self, roof: &Roof) -> f64 {
        let (n_seqs, n_prompt) = (self.n_parallel() as f64, self.count("n_prompt") as f64);
        if n_prompt == 0.0 {
            return 0.0;
        }
        let operations = roof.seconds(self.model.layer_operations, n_seqs * n_prompt)
            + roof.seconds(self.model.output_operations, n_seqs);
        operations.max(
            self.prompt_passes() as f64 * self.model.bytes_per_token as f64 / roof.read_bytes_per_s,
        )
    }

    fn least_generation_s(&self, roof: &Roof) -> f64 {
        let (n_seqs, n_gen) = (self.n_parallel() as f64, self.count("n_gen") as f64);
        let operations = roof.seconds(self.model.layer_operations, n_seqs)
            + roof.seconds(self.model.output_operations, n_seqs);
        // Half of the tokens are there on average.
        let context = (self.count("n_depth") + self.count("n_prompt")) as f64 + n_gen / 2.0;
        let bytes = self.model.bytes_per_token as f64 + n_seqs * self.kv_bytes_read(context);
        n_gen * operations.max(bytes / roof.read_bytes_per_s)
    }

    /// Keys and values that one token reads when there are `context` tokens: layers with a window
    /// read no more than that.
    pub(crate) fn kv_bytes_read(&self, context: f64) -> f64 {
        let all = self.model.kv_bytes_per_token as f64;
        match self.model.kv_windowed {
            Some((bytes, window)) => {
                (all - bytes as f64) * context + bytes as f64 * context.min(window as f64)
            }
            None => all * context,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, Sample};

    fn trial(params: &[(&str, u64)], elapsed_s: f64) -> Trial {
        Trial {
            model: Model {
                bytes_per_token: 1_000,
                kv_bytes_per_token: 10,
                kv_windowed: Some((8, 20)),
                layer_operations: Operations { int8: 4_000, ..Operations::default() },
                output_operations: Operations { f32: 500, bf16: 500, ..Operations::default() },
                ..Model::default()
            },
            params: params
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).into()))
                .collect(),
            measured: vec![Sample { elapsed_ns: (elapsed_s * 1e9) as u64, ..Sample::default() }]
                .into(),
            roofs: vec![
                Roof {
                    read_bytes_per_s: 500.0,
                    int8_per_s: 1e6,
                    bf16_per_s: None,
                    f32_per_s: 900.0,
                },
                Roof {
                    read_bytes_per_s: 1_000.0,
                    int8_per_s: 5e5,
                    bf16_per_s: None,
                    f32_per_s: 1e3,
                },
            ],
            ..Trial::default()
        }
    }

    /// That the least time of such a trial is `least_s`.
    fn check(params: &[(&str, u64)], least_s: f64) {
        let found = trial(params, 10.0).roof_share().unwrap() * 10.0;
        assert!((found - least_s).abs() < 1e-9, "{params:?}: {found} s, expected {least_s}");
    }

    #[test]
    fn the_longer_of_reads_and_operations_counts() {
        // Four tokens read the weights once each, and keys and values of two tokens on average.
        check(&[("n_gen", 4)], 4.0 * (1.0 + 0.02));
        // At depth 98 there are 100 tokens: two bytes of each, and eight of the 20 in the window.
        check(&[("n_gen", 4), ("n_depth", 98)], 4.0 * (1.0 + 0.2 + 0.16));
        // 500 tokens of 4 ms, and one row of logits of one second; the reads of one pass take no
        // longer.
        check(&[("n_prompt", 500), ("n_ubatch", 512)], 3.0);
        // Ten passes over the weights do.
        check(&[("n_prompt", 500), ("n_ubatch", 50)], 10.0);
        // No more than `n_batch` are handed over at once.
        check(&[("n_prompt", 500), ("n_ubatch", 512), ("n_batch", 50)], 10.0);
        // Eight sequences: logits of eight tokens a pass take longer than reading once.
        check(&[("n_gen", 2), ("n_parallel", 8)], 2.0 * 8.032);
    }

    #[test]
    fn a_roof_that_no_machine_has_is_none() {
        for impossible in [1e-320, 0.0, f64::NAN] {
            let mut trial = trial(&[("n_gen", 4)], 10.0);
            for roof in &mut trial.roofs {
                (roof.read_bytes_per_s, roof.f32_per_s) = (impossible, impossible);
                roof.int8_per_s = impossible;
            }
            assert_eq!(trial.roof_share(), None, "{impossible}");
        }
    }

    #[test]
    fn a_pass_is_no_longer_than_a_batch() {
        for (params, n) in [
            (&[("n_prompt", 256), ("n_batch", 16), ("n_ubatch", 256)][..], 16),
            (&[("n_prompt", 256), ("n_batch", 2048), ("n_ubatch", 100)][..], 3),
            (&[("n_prompt", 256), ("n_ubatch", 512)][..], 1),
            (&[("n_prompt", 256)][..], 1),
            (&[("n_gen", 4), ("n_batch", 16)][..], 0),
            (&[("n_prompt", 100), ("n_parallel", 3), ("n_batch", 150), ("n_ubatch", 512)][..], 2),
        ] {
            assert_eq!(trial(params, 1.0).prompt_passes(), n, "{params:?}");
        }
    }

    #[test]
    fn without_a_roof_or_costs_there_is_no_share() {
        let without = |change: fn(&mut Trial)| {
            let mut trial = trial(&[("n_gen", 4)], 1.0);
            change(&mut trial);
            trial.roof_share()
        };
        assert_eq!(without(|t| t.roofs.clear()), None);
        assert_eq!(without(|t| t.measured = Vec::<Sample>::new().into()), None);
        assert_eq!(without(|t| t.model.bytes_per_token = 0), None);
        assert_eq!(without(|t| t.model.layer_operations = Operations::default()), None);
    }
}
