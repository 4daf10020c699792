//! Heavy hitters: the tokens that got most attention so far, and the last.

use super::args::Args;
use super::{KvPolicy, Lane, Needs, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "h2o",
    form: "h2o:256+256",
    help: "H tokens with the most attention since they came, and the last R (H+R)",
    source: "Zhang et al., 2023 (arXiv 2306.14048)",
    new,
};

#[derive(Debug)]
struct H2o {
    heavy: usize,
    recent: usize,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let [heavy, recent] = args.sizes("h2o:H+R", ["H", "R"])?;
    if heavy + recent == 0 {
        return Err(args.wrong("H+R: expected at least 1"));
    }
    Ok(Box::new(H2o { heavy, recent }))
}

impl KvPolicy for H2o {
    fn needs(&self) -> Needs {
        Needs { attention: true, ..Needs::default() }
    }

    fn keep(&self, n: usize) -> usize {
        n.min(self.heavy + self.recent)
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        for (slot, (score, token)) in scores.iter_mut().zip(lane.tokens).enumerate() {
            let stays = lane.is_recent(*token, self.recent);
            *score = if stays { f32::INFINITY } else { lane.mass[slot] };
        }
    }
}
