//! Short keys stay: now and then a share of all.

use super::args::Args;
use super::{Budget, KvPolicy, Lane, Needs, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "l2_compress",
    form: "l2_compress:keep=0.98,prune_after=1000",
    help: "whenever there are prune_after tokens, the share keep of them with the lowest key norms",
    source: "Devoto et al., 2024 (arXiv 2406.11430)",
    new,
};

#[derive(Debug)]
struct L2Compress {
    keep: f64,
    prune_after: usize,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let keep = args.share("keep", 0.98)?;
    let prune_after = args.count("prune_after", 1000)?;
    if keep == 0.0 || prune_after == 0 {
        return Err(args.wrong("keep and prune_after: expected more than 0"));
    }
    Ok(Box::new(L2Compress { keep, prune_after }))
}

impl KvPolicy for L2Compress {
    fn needs(&self) -> Needs {
        Needs { norms: true, ..Needs::default() }
    }

    fn budget(&self) -> Budget {
        Budget::Sawtooth { keep: self.keep, from: self.prune_after }
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        for (score, norm) in scores.iter_mut().zip(lane.norms) {
            *score = -norm;
        }
    }
}
