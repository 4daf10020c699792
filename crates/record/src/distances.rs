//! How far a model's predictions are from a reference's on the same tokens.
//!
//! Of each scored token, with p the reference's distribution over the vocabulary and q the
//! candidate's, both computed in double precision from their logits:
//!
//! - the divergence is KL(p ‖ q) = Σ p · (ln p − ln q), in nats;
//! - the top is the same where both have the same most likely token, of equal ones the first;
//! - Δp is q − p of the token that came; of it the root of the mean square is told.
//!
//! The definitions are those of llama.cpp's `llama-perplexity --kl-divergence`, whose reference
//! logits are rounded to 16 bits where these are not. Tokens of a chunk are not independent, chunks
//! nearly are: intervals of means are made of the chunks' means ([`stats::BOOTSTRAP`]).

use crate::measured::Scores;
use crate::stats::{self, CONFIDENCE, Interval};
use serde::{Deserialize, Serialize};

/// A candidate beside its reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    /// How the candidate predicts the text.
    pub candidate: Scores,
    /// How the reference does; its chunks are the same.
    pub reference: Scores,
    /// How far they are apart in each chunk.
    pub apart: Vec<Apart>,
}

/// A value for each scored token of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    /// KL(reference ‖ candidate), nats.
    pub kld: Vec<f32>,
    /// Both have the same most likely token.
    pub same_top: Vec<bool>,
}

impl Distances {
    /// Tokens scored.
    pub fn n_scored(&self) -> usize {
        self.apart.iter().map(|apart| apart.kld.len()).sum()
    }

    /// The divergence of each token, in order.
    pub fn klds(&self) -> Vec<f64> {
        self.by_chunk(Distances::chunk_klds).concat()
    }

    /// Where the mean divergence lies; absent with fewer than five chunks, as all of these.
    pub fn kld_interval(&self) -> Option<Interval> {
        self.mean_interval(Distances::chunk_klds)
    }

    /// Of each token, 1 where the top is the same.
    pub fn tops(&self) -> Vec<f64> {
        self.by_chunk(Distances::chunk_tops).concat()
    }

    /// Where the share of the same top lies.
    pub fn top_interval(&self) -> Option<Interval> {
        self.mean_interval(Distances::chunk_tops)
    }

    /// Δp of each token.
    pub fn dps(&self) -> Vec<f64> {
        self.by_chunk(Distances::chunk_dps).concat()
    }

    /// The root of the mean square of Δp.
    pub fn rms_dp(&self) -> Option<f64> {
        stats::mean(&self.dps().iter().map(|dp| dp * dp).collect::<Vec<_>>()).map(f64::sqrt)
    }

    /// Where that lies.
    pub fn rms_dp_interval(&self) -> Option<Interval> {
        let squares = |this: &Distances, i| -> Vec<f64> {
            this.chunk_dps(i).iter().map(|dp| dp * dp).collect()
        };
        let mean = self.mean_interval(squares)?;
        Some(Interval { low: mean.low.sqrt(), high: mean.high.sqrt() })
    }

    /// The candidate's perplexity over the reference's.
    pub fn ppl_ratio(&self) -> Option<f64> {
        stats::mean(&self.by_chunk(Distances::chunk_nll_rises).concat()).map(f64::exp)
    }

    /// Where that lies, token by token on the same text: narrower than either perplexity.
    pub fn ppl_ratio_interval(&self) -> Option<Interval> {
        let mean = self.mean_interval(Distances::chunk_nll_rises)?;
        Some(Interval { low: mean.low.exp(), high: mean.high.exp() })
    }

    fn chunk_klds(&self, i: usize) -> Vec<f64> {
        self.apart[i].kld.iter().map(|kld| f64::from(*kld)).collect()
    }

    fn chunk_tops(&self, i: usize) -> Vec<f64> {
        self.apart[i].same_top.iter().map(|same| f64::from(u8::from(*same))).collect()
    }

    fn chunk_dps(&self, i: usize) -> Vec<f64> {
        self.pairs(i).map(|(candidate, reference)| candidate.exp() - reference.exp()).collect()
    }

    fn chunk_nll_rises(&self, i: usize) -> Vec<f64> {
        self.pairs(i).map(|(candidate, reference)| reference - candidate).collect()
    }

    /// Log-probabilities of both of each token of a chunk. A record may hold fewer of one.
    fn pairs(&self, i: usize) -> impl Iterator<Item = (f64, f64)> {
        let of = |scores: &Scores| {
            let chunk = scores.chunks.get(i);
            chunk.map(|chunk| chunk.logprobs.clone()).unwrap_or_default().into_iter()
        };
        of(&self.candidate).map(f64::from).zip(of(&self.reference).map(f64::from))
    }

    fn by_chunk(&self, of: impl Fn(&Distances, usize) -> Vec<f64>) -> Vec<Vec<f64>> {
        (0..self.apart.len()).map(|i| of(self, i)).collect()
    }

    fn mean_interval(&self, of: impl Fn(&Distances, usize) -> Vec<f64>) -> Option<Interval> {
        let means: Vec<f64> =
            self.by_chunk(of).iter().filter_map(|values| stats::mean(values)).collect();
        stats::mean_interval(&means, CONFIDENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Chunk;

    fn scores(chunks: &[[f32; 2]]) -> Scores {
        let chunk = |p: &[f32; 2]| Chunk { logprobs: p.map(f32::ln).to_vec(), ..Chunk::default() };
        Scores { chunks: chunks.iter().map(chunk).collect(), ..Scores::default() }
    }

    fn distances(n_chunks: usize) -> Distances {
        let apart = Apart { kld: vec![0.01, 0.03], same_top: vec![true, false] };
        Distances {
            candidate: scores(&vec![[0.5, 0.2]; n_chunks]),
            reference: scores(&vec![[0.4, 0.25]; n_chunks]),
            apart: vec![apart; n_chunks],
        }
    }

    #[test]
    fn two_tokens_by_hand() {
        let found = distances(1);
        let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-6, "{a:?} {b}");
        close(stats::mean(&found.klds()), 0.02);
        close(stats::mean(&found.tops()), 0.5);
        close(stats::mean(&found.dps()), 0.025);
        close(found.rms_dp(), ((0.01_f64 + 0.0025) / 2.0).sqrt());
        // √(0.4 · 0.25) over √(0.5 · 0.2): the same.
        close(found.ppl_ratio(), 1.0);
        assert_eq!((found.n_scored(), found.kld_interval()), (2, None));
    }

    #[test]
    fn intervals_are_over_chunks() {
        let mut five = distances(5);
        for (i, apart) in five.apart.iter_mut().enumerate() {
            apart.kld[0] += 0.001 * i as f32;
        }
        let (mean, interval) = (stats::mean(&five.klds()).unwrap(), five.kld_interval().unwrap());
        assert!(interval.low < mean && mean < interval.high, "{interval:?} {mean}");
        let same = five.rms_dp_interval().unwrap();
        assert!((same.low - same.high).abs() < 1e-9, "all chunks alike");
        assert!(five.top_interval().is_some() && five.ppl_ratio_interval().is_some());
        assert_eq!(Distances::default().ppl_ratio(), None);
    }
}
