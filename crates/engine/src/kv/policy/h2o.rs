//! Heavy hitters: the tokens that got most attention so far, and the last.

use super::args::Args;
use super::{Attention, Budget, KvPolicy, Lane, Needs, PolicyEntry, PolicyError, Size};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "h2o",
    form: "h2o:256+256",
    help: "H tokens with the most attention since they came, and the last R (H+R); norm=lifetime divides by how many tokens saw it",
    source: "H2O, Zhang et al., 2023 (arXiv 2306.14048); by lifetime as OpenVINO GenAI's NORM_SUM",
    new,
};

#[derive(Debug)]
struct H2o {
    heavy: Size,
    recent: Size,
    by_lifetime: bool,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let [heavy, recent] = args.two_sizes("h2o:H+R", ["H", "R"])?;
    if heavy == Size::Tokens(0) && recent == Size::Tokens(0) {
        return Err(args.wrong("H+R: expected at least 1"));
    }
    let by_lifetime = args.one_of("norm", &["none", "lifetime"])? == "lifetime";
    Ok(Box::new(H2o { heavy, recent, by_lifetime }))
}

impl KvPolicy for H2o {
    fn needs(&self) -> Needs {
        Needs { attention: Attention::Mass, ..Needs::default() }
    }

    fn budget(&self) -> Budget {
        Budget::Always(self.heavy, self.recent)
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        let recent = self.recent.of(lane.n_tokens);
        for (slot, (score, token)) in scores.iter_mut().zip(lane.tokens).enumerate() {
            let seen_by =
                if self.by_lifetime { lane.n_tokens.saturating_sub(*token as usize) } else { 1 };
            let stays = lane.is_recent(*token, recent);
            *score = if stays { f32::INFINITY } else { lane.mass[slot] / seen_by as f32 };
        }
    }
}
