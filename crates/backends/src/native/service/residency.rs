//! A policy's account, as the scheduler asks for it.

use crate::generation::Keeping;
use pacemark_engine::{Ledger, Policy};
use pacemark_sched::Residency;
use std::sync::{Mutex, PoisonError};

/// The slots that one request takes.
#[derive(Debug)]
pub(super) struct PolicyAccount {
    policy: Policy,
    n_prompt: Option<usize>,
    /// The account where it was asked for last: the next question is nearly always of the same
    /// place or a later one.
    at: Mutex<Ledger>,
}

impl PolicyAccount {
    pub(super) fn new(Keeping { policy, n_prompt }: Keeping) -> PolicyAccount {
        let at = Mutex::new(Ledger::new(policy.clone(), n_prompt));
        PolicyAccount { policy, n_prompt, at }
    }

    /// Asks of the account when there are `n` tokens.
    fn when<T>(&self, n: usize, ask: impl FnOnce(&Ledger) -> T) -> T {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.n_tokens() > n {
            *at = Ledger::new(self.policy.clone(), self.n_prompt);
        }
        let more = n - at.n_tokens();
        at.advance(more);
        ask(&at)
    }
}

impl Residency for PolicyAccount {
    fn peak(&self, from: usize, to: usize) -> usize {
        self.when(from, |ledger| ledger.n_slots_with(to - from))
    }

    fn slots(&self, n: usize) -> usize {
        self.when(n, Ledger::n_slots)
    }

    fn whole(&self) -> usize {
        self.policy.whole(self.n_prompt)
    }

    fn findable(&self, n: usize) -> usize {
        self.policy.findable(self.n_prompt, n)
    }

    fn most(&self, n: usize) -> usize {
        self.policy.most(self.n_prompt, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pacemark_engine::model_config;
    use pacemark_modelfile::ModelFile;
    use pacemark_testmodel::TestModel;

    #[test]
    fn asked_in_any_order_it_says_the_same() {
        let path =
            std::env::temp_dir().join(format!("pacemark-residency-{}.gguf", std::process::id()));
        TestModel::llama().write(&path).unwrap();
        let config = model_config(&ModelFile::open(&path).unwrap()).unwrap();
        std::fs::remove_file(path).unwrap();
        for spec in ["recent:5", "knorm:4,every=3", "l2_compress:keep=0.5,prune_after=9"] {
            let policy = Policy::parse(spec).unwrap().unwrap().on(&config).unwrap();
            let account = |policy: &Policy| {
                PolicyAccount::new(Keeping { policy: policy.clone(), n_prompt: Some(12) })
            };
            let asked = account(&policy);
            for (from, to) in [(0, 3), (9, 14), (2, 20), (20, 21), (0, 0), (13, 19)] {
                let fresh = account(&policy);
                assert_eq!(asked.peak(from, to), fresh.peak(from, to), "{spec} {from} {to}");
                assert_eq!(asked.slots(to), fresh.slots(to), "{spec} {to}");
                assert!(fresh.peak(0, to) <= fresh.most(to), "{spec} {to}");
            }
        }
    }
}
