//! What queries that are still to come will look at, as those of the prompt foretell, stays.

use super::args::Args;
use super::{Budget, KvPolicy, Lane, Needs, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "expected_attention",
    form: "expected_attention:0.5",
    help: "of the prompt N tokens that the next future=512 queries are expected to weigh most, by mean and covariance of the prompt's; sink=4 first stay",
    source: "Expected Attention, Devoto et al., 2025 (arXiv 2510.00636)",
    new,
};

#[derive(Debug)]
struct ExpectedAttention {
    budget: Budget,
    sinks: usize,
    future: usize,
    epsilon: f32,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let sinks = args.count("sink", 4)?;
    if sinks > 1024 {
        return Err(args.wrong(format!("sink={sinks}: expected at most 1024")));
    }
    let future = args.count("future", 512)?;
    if future == 0 || future > 65536 {
        return Err(args.wrong(format!("future={future}: expected 1 to 65536")));
    }
    let epsilon = args.share("epsilon", 0.0)? as f32;
    let budget = args.prompt_budget("expected_attention:N", sinks, 16)?;
    Ok(Box::new(ExpectedAttention { budget, sinks, future, epsilon }))
}

impl KvPolicy for ExpectedAttention {
    fn needs(&self) -> Needs {
        Needs {
            keys: true,
            value_norms: true,
            queries: Some((self.sinks, self.future)),
            ..Needs::default()
        }
    }

    fn budget(&self) -> Budget {
        self.budget
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        let dim = lane.head_dim;
        let sees = |token: u32| token != Lane::HOLE && token as usize >= self.sinks;
        scores.fill(0.0);
        let mut expected = vec![f32::NEG_INFINITY; scores.len()];
        for future in lane.future {
            for ((z, key), token) in
                expected.iter_mut().zip(lane.keys.chunks_exact(dim)).zip(lane.tokens)
            {
                *z = if sees(*token) { future.logit(key) } else { f32::NEG_INFINITY };
            }
            let most = expected.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if most == f32::NEG_INFINITY {
                continue;
            }
            let total: f32 = expected.iter().map(|z| (z - most).exp()).sum();
            for (score, z) in scores.iter_mut().zip(&expected) {
                *score += (z - most).exp() / total / lane.future.len() as f32;
            }
        }
        for (slot, (score, token)) in scores.iter_mut().zip(lane.tokens).enumerate() {
            let first = (*token as usize) < self.sinks;
            *score = match first {
                true => f32::INFINITY,
                false => (*score + self.epsilon) * lane.value_norms[slot],
            };
        }
    }
}
