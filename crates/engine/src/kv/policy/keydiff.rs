//! Keys of the prompt that are unlike the others stay.

use super::args::Args;
use super::{Budget, KvPolicy, Lane, Needs, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "keydiff",
    form: "keydiff:0.5",
    help: "of the prompt N tokens whose keys are least like the mean key, in each head",
    source: "KeyDiff, Park et al., 2025 (arXiv 2504.15364)",
    new,
};

#[derive(Debug)]
struct KeyDiff(Budget);

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    Ok(Box::new(KeyDiff(args.prompt_budget("keydiff:N", 0, 16)?)))
}

impl KvPolicy for KeyDiff {
    fn needs(&self) -> Needs {
        Needs { keys: true, ..Needs::default() }
    }

    fn budget(&self) -> Budget {
        self.0
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        let dim = lane.head_dim;
        let length = |key: &[f32]| key.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
        let keys = lane.keys.chunks_exact(dim).zip(lane.tokens);
        let mut mean = vec![0.0; dim];
        for (key, _) in keys.filter(|(_, token)| **token != Lane::HOLE) {
            let length = length(key);
            mean.iter_mut().zip(key).for_each(|(mean, x)| *mean += x / length);
        }
        let anchor = length(&mean);
        for (score, key) in scores.iter_mut().zip(lane.keys.chunks_exact(dim)) {
            let dot: f32 = mean.iter().zip(key).map(|(a, b)| a * b).sum();
            *score = -dot / (anchor * length(key));
        }
    }
}
