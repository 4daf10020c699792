//! A policy as a spec has it, e.g. `fix_size_l2:512,keep=0.5,sink=4,skip=0-1`, and as a model has
//! it.

use super::args::Args;
use super::budget::{Budget, Moment};
use super::{Attention, KvPolicy, Needs, POLICIES};
use crate::ModelConfig;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A spec that names no policy, or none that the model can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("KV policy `{spec}`: {why}")]
pub struct PolicyError {
    spec: String,
    why: String,
}

impl PolicyError {
    pub(super) fn new(spec: &str, why: String) -> PolicyError {
        let spec = pacemark_files::excerpt(spec).into_owned();
        PolicyError { spec, why: pacemark_files::bounded(&why).into_owned() }
    }
}

/// A policy, and for which layers it is.
#[derive(Clone, Debug)]
pub struct Policy {
    spec: Arc<str>,
    kept: Arc<dyn KvPolicy>,
    /// Layers that keep everything.
    skip: Option<RangeInclusive<usize>>,
    /// Window of each layer of the model that it is for.
    windows: Arc<[Option<usize>]>,
    n_kv_heads: usize,
}

impl Policy {
    /// The policy that `spec` names; [`None`] for `full`. It is for no model yet
    /// ([`Self::on`]).
    pub fn parse(spec: &str) -> Result<Option<Policy>, PolicyError> {
        let (name, mut args) = Args::new(spec)?;
        if name == "full" {
            args.finish()?;
            return Ok(None);
        }
        let entry = POLICIES.iter().find(|entry| entry.name == name);
        let Some(entry) = entry else {
            return Err(args.wrong(format!("expected {}", known_names(name).join(", "))));
        };
        let kept = (entry.new)(&mut args)?.into();
        let skip = args.range("skip")?;
        args.finish()?;
        Ok(Some(Policy { spec: spec.into(), kept, skip, windows: Arc::default(), n_kv_heads: 1 }))
    }

    /// The specs of a list: commas separate them, where a policy's name follows, and else belong to
    /// one.
    pub fn list(text: &str) -> Vec<String> {
        let mut specs: Vec<String> = Vec::new();
        for part in text.split(',') {
            let name = part.split(':').next().unwrap_or(part);
            let begins = name == "full" || POLICIES.iter().any(|entry| entry.name == name);
            match specs.last_mut() {
                Some(spec) if !begins && part.contains('=') => {
                    spec.push(',');
                    spec.push_str(part);
                }
                _ => specs.push(part.to_owned()),
            }
        }
        specs
    }

    /// The same for a model.
    pub fn on(self, config: &ModelConfig) -> Result<Policy, PolicyError> {
        let wrong = |why: String| Err(PolicyError::new(&self.spec, why));
        let n_layers = config.layers.len();
        if self.needs().compact_sinks > 0 && config.learned_positions {
            return wrong(format!(
                "positions=compact turns keys, and those of {} do not: its positions are learned \
                 and are in what the layers read. positions=original is what it can have",
                config.architecture
            ));
        }
        match &self.skip {
            Some(skip) if *skip.end() >= n_layers => wrong(format!(
                "skip={}-{}: expected layers from 0 to {}",
                skip.start(),
                skip.end(),
                n_layers.saturating_sub(1)
            )),
            _ => {
                let windows = config.layers.iter().map(|layer| layer.window).collect();
                Ok(Policy { windows, n_kv_heads: config.n_kv_heads, ..self })
            }
        }
    }

    /// As it was asked for.
    pub fn spec(&self) -> &str {
        &self.spec
    }

    /// Whether what is held stays below some size however long a text is.
    pub fn is_bounded(&self) -> bool {
        self.skip.is_none() && self.kept.budget().is_bounded()
    }

    /// Whether what it lets go of depends on where the prompt ends.
    pub fn works_on_prompts(&self) -> bool {
        matches!(self.kept.budget(), Budget::Prompt { .. })
    }

    /// Whether it has done its work when `n_tokens` are there: nothing will be let go of any more.
    pub(crate) fn is_done(&self, n_prompt: Option<usize>, n_tokens: usize) -> bool {
        let once = matches!(self.kept.budget(), Budget::Prompt { every: None, .. });
        once && n_prompt.is_some_and(|prompt| n_tokens >= prompt)
    }

    /// Whether it only ever works on prompts: a text that is none it leaves alone.
    pub fn needs_prompt(&self) -> bool {
        self.kept.budget().whole(None) == usize::MAX
    }

    /// Of `n_total` tokens those that may be found computed instead of being computed: what else
    /// the policy wants to know of them must be in their keys and values.
    pub fn findable(&self, n_prompt: Option<usize>, n_total: usize) -> usize {
        let needs = self.needs();
        let n = match needs.attention {
            _ if needs.queries.is_some() => 0,
            Attention::Mass => 0,
            Attention::Window(window) => n_prompt.unwrap_or(0).saturating_sub(window),
            Attention::None | Attention::Last => n_total,
        };
        n.min(n_total).min(self.whole(n_prompt))
    }

    /// Tokens up to which all lanes hold all.
    pub fn whole(&self, n_prompt: Option<usize>) -> usize {
        self.kept.budget().whole(n_prompt)
    }

    /// Slots that a lane takes at most while `n_total` tokens come, of which `n_prompt` are a
    /// prompt.
    pub fn most(&self, n_prompt: Option<usize>, n_total: usize) -> usize {
        if self.skip.is_some() {
            return n_total;
        }
        let window = self.windows.iter().flatten().copied().max().unwrap_or(0);
        self.kept.budget().most(n_prompt, n_total, window, &|held| self.of_one_head(held))
    }

    /// Tokens that one head holds at most where each holds `held` on the mean.
    pub(crate) fn of_one_head(&self, held: usize) -> usize {
        match self.needs().shared_floor {
            Some(floor) => {
                let others = (self.n_kv_heads - 1).saturating_mul((held as f64 * floor) as usize);
                held.saturating_mul(self.n_kv_heads).saturating_sub(others)
            }
            None => held,
        }
    }

    pub(crate) fn needs(&self) -> Needs {
        self.kept.needs()
    }

    pub(crate) fn n_layers(&self) -> usize {
        self.windows.len()
    }

    /// The policy, where a layer is under it: neither skipped, nor one that sees a window only.
    pub(crate) fn of(&self, layer: usize) -> Option<&dyn KvPolicy> {
        let own = !self.skips(layer) && self.windows[layer].is_none();
        own.then_some(&*self.kept)
    }

    fn skips(&self, layer: usize) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip.contains(&layer))
    }

    /// How many of `held` tokens stay in a layer. A layer that sees a window holds what is in it,
    /// and no fewer than the others, so that with room for everything nothing is different.
    pub(crate) fn keep(&self, held: usize, at: &Moment) -> usize {
        if self.skips(at.layer) {
            return held;
        }
        let keep = self.kept.budget().keep(held, at);
        keep.max(self.windows[at.layer].unwrap_or(0)).min(held)
    }
}

/// All names, those most like `name` first.
fn known_names(name: &str) -> Vec<&'static str> {
    let policies = POLICIES.iter().map(|entry| entry.name);
    pacemark_files::by_likeness(name, std::iter::once("full").chain(policies))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_forms_parse() {
        for (i, entry) in POLICIES.iter().enumerate() {
            assert!(POLICIES[..i].iter().all(|other| other.name != entry.name), "{}", entry.name);
            let parsed = Policy::parse(entry.form).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(parsed.unwrap().spec(), entry.form);
        }
        assert!(Policy::parse("full").unwrap().is_none());
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for (spec, why) in [
            ("", "expected h2o, full, "),
            ("recnt:4", "expected recent, "),
            ("h2:4", "expected h2o, "),
            ("full:3", "it takes no sizes"),
            ("full,skip=1", "it has no skip"),
            ("full,nonsense", "it has no nonsense"),
            ("l2_compress,colour=red", "it has no colour"),
            ("recent:5,", "nothing stands behind"),
            ("recent:", "nothing stands behind"),
            ("recent:+5", "expected recent:N"),
            ("recent:5,skip=+0-1", "expected a layer"),
            ("keydiff:64,every=4", "every=4: expected at least 16"),
            ("snapkv:64,kernel=4294967295", "kernel=4294967295: expected an odd number up to 63"),
            ("streaming:500+8", "S: expected at most 256"),
            ("expected_attention:0.5,sink=4294967295", "sink=4294967295: expected at most"),
            ("recent", "expected recent:N"),
            ("recent:0", "at least 1"),
            ("recent:x", "N: expected a number"),
            ("recent:0.0", "N: expected a share above 0 and up to 1"),
            ("recent:1.5", "N: expected a share above 0 and up to 1"),
            ("recent:120%", "N: expected a share above 0 and up to 1"),
            ("recent:4+4", "expected recent:N"),
            ("recent:99999999999999999999", "N: expected a number"),
            ("streaming:4+0", "R: expected at least 1"),
            ("streaming:4+8,positions=odd", "positions=odd: expected compact or original"),
            ("h2o:0.7+0.7", "H+R: shares of more than 1"),
            ("fix_size_l2:64,keep=1.5", "keep=1.5: expected a number from 0 to 1"),
            ("fix_size_l2:64,keep=NaN", "keep=NaN: expected a number from 0 to 1"),
            ("fix_size_l2:4,sink=4", "sink=4: it leaves no room"),
            ("fix_size_l2:64,colour=red", "it has no colour"),
            ("snapkv:32", "N: expected more than 32, found 32"),
            ("snapkv:64,kernel=4", "kernel=4: expected an odd number up to 63"),
            ("knorm:0.5,every=0", "every=0: expected at least 1"),
            ("adakv:64,scorer=tova", "scorer=tova: it keeps the same tokens in all heads"),
            ("adakv:64,scorer=adakv", "scorer=adakv: expected one of"),
            ("recent:4,skip=3-1", "skip=3-1: expected"),
            ("recent:4,skip", "skip: expected NAME=VALUE"),
            ("recent:4,skip=1,skip=2", "skip is there twice"),
        ] {
            let error = Policy::parse(spec).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(spec), "{spec}: {error}");
        }
    }

    #[test]
    fn a_long_spec_is_refused_shortly() {
        let long = format!("recent:5{}", ",".repeat(2_000_000));
        let error = Policy::parse(&long).unwrap_err().to_string();
        assert!(error.contains("at most 256 bytes") && error.len() < 1000, "{error}");
        let commas = Policy::parse("l2_compress,prune_after=2,keep=0.5").unwrap().unwrap();
        assert_eq!(commas.whole(None), 1, "what stands behind a comma counts");
    }

    #[test]
    fn a_list_is_cut_where_names_begin() {
        let list =
            Policy::list("full,streaming:4+8,positions=original,skip=0,recent:3,what:3,h2o:1+1");
        let expected =
            ["full", "streaming:4+8,positions=original,skip=0", "recent:3", "what:3", "h2o:1+1"];
        assert_eq!(list, expected);
    }
}
