//! Heads share what their layer keeps: another policy's scores decide which head needs more.

use super::args::Args;
use super::{Budget, KvPolicy, Lane, Needs, POLICIES, PolicyEntry, PolicyError};

pub(super) const ENTRY: PolicyEntry = PolicyEntry {
    name: "adakv",
    form: "adakv:1024,scorer=snapkv",
    help: "N tokens a head on the mean, shared by the heads of a layer as the scores of scorer=NAME say; floor=0.2 of N each head has for sure",
    source: "Ada-KV, Feng et al., 2024 (arXiv 2407.11550)",
    new,
};

#[derive(Debug)]
struct AdaKv {
    scorer: Box<dyn KvPolicy>,
    floor: f64,
}

fn new(args: &mut Args) -> Result<Box<dyn KvPolicy>, PolicyError> {
    let floor = args.share("floor", 0.2)?;
    let name = args.text("scorer")?.unwrap_or_else(|| "snapkv".into());
    let entry = POLICIES.iter().find(|entry| entry.name == name && name != ENTRY.name);
    let Some(entry) = entry else {
        let names: Vec<_> = POLICIES.iter().map(|entry| entry.name).collect();
        return Err(args.wrong(format!("scorer={name}: expected one of {}", names.join(", "))));
    };
    let scorer = (entry.new)(args)?;
    let needs = scorer.needs();
    if needs.same_for_all_heads || needs.compact_sinks > 0 {
        return Err(args.wrong(format!("scorer={name}: it keeps the same tokens in all heads")));
    }
    Ok(Box::new(AdaKv { scorer, floor }))
}

impl KvPolicy for AdaKv {
    fn needs(&self) -> Needs {
        Needs { shared_floor: Some(self.floor), ..self.scorer.needs() }
    }

    fn budget(&self) -> Budget {
        self.scorer.budget()
    }

    fn score(&self, lane: &Lane<'_>, scores: &mut [f32]) {
        self.scorer.score(lane, scores);
    }
}
