//! What is measured: tasks of items, and settings that all of them are measured under.

use super::answer;
use crate::experiment::How;
use crate::parameter::{KV, N_THREADS, TYPE_K, TYPE_V};
use crate::repeat::now_unix_s;
use crate::{BenchError, Params, describe};
use pacemark_backend::{Backend, BackendInfo, TokenId};
use pacemark_record::{Item, Items, Measured, Trial};
use pacemark_setup::CacheTypes;
use serde_json::Value;
use std::sync::atomic::Ordering::Relaxed;

/// One way to keep keys and values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setting {
    /// What it is called.
    pub name: String,
    /// What is kept, as a policy's spec.
    pub kv: String,
    /// How it is stored.
    pub cache: CacheTypes,
}

/// Items that one figure is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// What the items are, e.g. `needle`.
    pub name: String,
    /// Tokens of each prompt, where that was chosen.
    pub length: Option<usize>,
    /// The items; no two have one name.
    pub questions: Vec<Question>,
}

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Its name.
    pub id: String,
    /// Where in the context what is asked for stands, in percent, where that was chosen.
    pub depth: Option<f64>,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked of a model.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// How likely some continuations are.
    Choices {
        /// What they follow; at least a token.
        context: Vec<TokenId>,
        /// Tokens of each; at least one.
        choices: Vec<Vec<TokenId>>,
        /// Characters of each.
        n_chars: Vec<u64>,
        /// Number of the right one.
        gold: usize,
    },
    /// A text.
    Answer {
        /// What it follows.
        prompt: Vec<TokenId>,
        /// How many tokens of that are the prompt for a policy.
        kv_prompt: usize,
        /// Tokens to generate at most.
        max_tokens: usize,
        /// What it should hold.
        expected: Vec<String>,
    },
}

impl Ask {
    /// Tokens that a sequence has at most.
    pub fn n_tokens(&self) -> usize {
        match self {
            Ask::Choices { context, choices, .. } => {
                context.len() + choices.iter().map(Vec::len).max().unwrap_or(0)
            }
            Ask::Answer { prompt, max_tokens, .. } => prompt.len() + max_tokens,
        }
    }
}

/// Tasks, and settings of one type of cache.
#[derive(Clone, Debug, Default)]
pub struct Battery {
    /// In the order of their rows.
    pub tasks: Vec<Task>,
    /// Measured in turn, item by item.
    pub settings: Vec<Setting>,
    /// The number of the first of them among all that are compared.
    pub first: usize,
    /// Further parameters of all trials.
    pub params: Params,
}

/// Recorded parameters.
pub(super) const TASK: &str = "task";
pub(super) const LENGTH: &str = "length";
pub(super) const SETTING: &str = "setting";

impl Battery {
    fn trial(
        &self,
        experiment: &str,
        task: &Task,
        (turn, setting): (usize, &Setting),
        info: &BackendInfo,
    ) -> Trial {
        let [type_k, type_v] = setting.cache.names();
        let recorded: [(&str, Value); 7] = [
            (TASK, task.name.as_str().into()),
            (LENGTH, task.length.into()),
            (SETTING, setting.name.as_str().into()),
            (KV.name, setting.kv.as_str().into()),
            (TYPE_K.name, type_k.into()),
            (TYPE_V.name, type_v.into()),
            (N_THREADS.name, info.n_threads.into()),
        ];
        let recorded = recorded.into_iter().map(|(name, value)| (name.to_owned(), value));
        Trial {
            experiment: experiment.to_owned(),
            started_unix_s: now_unix_s(),
            model: describe(info),
            params: recorded.chain(self.params.clone()).collect(),
            repetitions: task.questions.len(),
            turn: (self.first + turn) as u64,
            measured: Measured::Items(Items {
                n_items: task.questions.len() as u64,
                items: Vec::new(),
            }),
            ..Trial::default()
        }
    }

    /// All items of all tasks under all settings, into `trials`: those of a task follow one another,
    /// in the order of the settings.
    pub(super) fn measure(
        &self,
        experiment: &str,
        backend: &dyn Backend,
        how: &mut How<'_>,
        trials: &mut Vec<Trial>,
    ) -> Result<(), BenchError> {
        let info = backend.info();
        let n_items: usize = self.tasks.iter().map(|task| task.questions.len()).sum();
        let (mut done, of) = (0, n_items * self.settings.len());
        for task in &self.tasks {
            let from = trials.len();
            let settings = self.settings.iter().enumerate();
            trials.extend(settings.map(|setting| self.trial(experiment, task, setting, &info)));
            for question in &task.questions {
                for (at, setting) in self.settings.iter().enumerate() {
                    how.observer.turn(&setting.name);
                    if how.stop.load(Relaxed) {
                        return Err(BenchError::Interrupted);
                    }
                    let item: Item = answer::ask(backend, question, &setting.kv, how.stop)?;
                    if let Measured::Items(items) = &mut trials[from + at].measured {
                        items.items.push(item);
                    }
                    done += 1;
                    how.observer.computed(done, of);
                }
                how.observer.round(trials);
            }
        }
        Ok(())
    }
}
