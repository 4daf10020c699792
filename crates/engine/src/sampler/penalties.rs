//! What makes tokens less likely that came before.

use super::SamplerConfig;
use crate::TokenId;
use std::collections::{HashMap, HashSet, VecDeque};

/// The tokens of one sequence, as far as its penalties need them.
pub(super) struct Penalties {
    repetition: f32,
    presence: f32,
    frequency: f32,
    /// How often a token is in the output, where something depends on that.
    counts: HashMap<TokenId, u32>,
    seen: Seen,
}

/// What the repetition penalty looks at.
enum Seen {
    /// Nothing: there is none.
    Nothing,
    /// Every token so far.
    All(HashSet<TokenId>),
    /// The last so many.
    Last(VecDeque<TokenId>, usize),
}

impl Penalties {
    /// For a sequence that starts with `prompt`.
    pub(super) fn new(config: &SamplerConfig, prompt: &[TokenId]) -> Penalties {
        let seen = match config.repetition_window {
            _ if config.repetition_penalty == 1.0 => Seen::Nothing,
            None => Seen::All(prompt.iter().copied().collect()),
            Some(n) => {
                Seen::Last(prompt[prompt.len().saturating_sub(n)..].iter().copied().collect(), n)
            }
        };
        let (presence, frequency) = (config.presence_penalty, config.frequency_penalty);
        Penalties {
            repetition: config.repetition_penalty,
            presence,
            frequency,
            counts: HashMap::new(),
            seen,
        }
    }

    fn counted(&self) -> bool {
        self.presence != 0.0 || self.frequency != 0.0
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        self.counted() || !matches!(self.seen, Seen::Nothing)
    }

    /// A token was chosen.
    pub(super) fn push(&mut self, id: TokenId) {
        match &mut self.seen {
            Seen::Nothing => {}
            Seen::All(seen) => drop(seen.insert(id)),
            Seen::Last(recent, n) => {
                recent.push_back(id);
                while recent.len() > *n {
                    recent.pop_front();
                }
            }
        }
        if self.counted() {
            *self.counts.entry(id).or_default() += 1;
        }
    }

    /// Acts on candidates that lie in the order of their ids, none left out.
    pub(super) fn apply(&self, candidates: &mut [(f32, TokenId)]) {
        let repetition = self.repetition;
        let mut repeat = |id: TokenId| {
            if let Some((logit, _)) = candidates.get_mut(id as usize) {
                *logit = if *logit > 0.0 { *logit / repetition } else { *logit * repetition };
            }
        };
        match &self.seen {
            Seen::Nothing => {}
            Seen::All(seen) => seen.iter().for_each(|id| repeat(*id)),
            Seen::Last(recent, _) => {
                recent.iter().collect::<HashSet<_>>().into_iter().for_each(|id| repeat(*id))
            }
        }
        for (&id, &count) in &self.counts {
            if let Some((logit, _)) = candidates.get_mut(id as usize) {
                *logit -= count as f32 * self.frequency + self.presence;
            }
        }
    }
}
