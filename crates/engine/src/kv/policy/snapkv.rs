//! What the end of the prompt looks at stays, with its neighbours.

use super::args::Args;
use super::{Attention, Budget, KvPolicy, Lane, Needs, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "snapkv",
    form: "snapkv:1024,window=32",
    help: "of the prompt N tokens: the last window, and those that its queries attend to most, averaged (pool=mean) or max over kernel neighbours",
    source: "SnapKV, Li et al., 2024 (arXiv 2404.14469)",
    new,
};

/// The same with sizes that fall from layer to layer.
pub(super) const PYRAMID: PolicyEntry = PolicyEntry {
    name: "pyramidkv",
    form: "pyramidkv:1024,window=32,beta=20",
    help: "as snapkv, N tokens on the mean: more in the first layers, fewer in the last",
    source: "PyramidKV, Cai et al., 2024 (arXiv 2406.02069)",
    new: new_pyramid,
};

#[derive(Debug)]
struct SnapKv {
    budget: Budget,
    window: usize,
    kernel: usize,
    max: bool,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    Ok(Box::new(common(args, "snapkv:N")?))
}

fn new_pyramid(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let beta = args.count("beta", 20)?;
    if beta == 0 {
        return Err(args.wrong("beta=0: expected at least 1"));
    }
    let mut snap = common(args, "pyramidkv:N")?;
    if let Budget::Prompt { depth, .. } = &mut snap.budget {
        *depth = Some(super::Pyramid { beta, window: snap.window });
    }
    Ok(Box::new(snap))
}

fn common(args: &mut Args, form: &str) -> Result<SnapKv, PolicyError> {
    let window = args.count("window", 32)?;
    let kernel = args.count("kernel", 5)?;
    if window == 0 || window > 1024 {
        return Err(args.wrong(format!("window={window}: expected 1 to 1024")));
    }
    if kernel.is_multiple_of(2) || kernel > 63 {
        return Err(args.wrong(format!("kernel={kernel}: expected an odd number up to 63")));
    }
    let max = args.one_of("pool", &["mean", "max"])? == "max";
    let budget = args.prompt_budget(form, window, 16)?;
    Ok(SnapKv { budget, window, kernel, max })
}

impl KvPolicy for SnapKv {
    fn needs(&self) -> Needs {
        Needs { attention: Attention::Window(self.window), ..Needs::default() }
    }

    fn budget(&self) -> Budget {
        self.budget
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        // Neighbours are those of the text, wherever their slots are.
        let slots = lane.in_order();
        let before: Vec<f32> = slots
            .iter()
            .filter(|slot| !lane.is_recent(lane.tokens[**slot], self.window))
            .map(|slot| lane.window[*slot])
            .collect();
        let half = self.kernel / 2;
        for (i, &slot) in slots.iter().enumerate() {
            let Some(_) = before.get(i) else {
                scores[slot] = f32::INFINITY;
                continue;
            };
            let near = &before[i.saturating_sub(half)..before.len().min(i + half + 1)];
            scores[slot] = match self.max {
                true => near.iter().copied().fold(0.0, f32::max),
                // Beyond the ends are zeros, which count.
                false => near.iter().sum::<f32>() / self.kernel as f32,
            };
        }
    }
}
