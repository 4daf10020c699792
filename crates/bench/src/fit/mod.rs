//! What this machine will do with a model before it runs there: memory by account, rates from
//! passes over a few layers, and beside them, if asked for, the model itself.
//!
//! Who can time passes and run the model implements [`Fitting`]; here rounds are taken, and what they
//! give becomes trials and a page. What follows from raw times is `record`'s (`Fit`).

mod experiment;
mod figures;
mod page;
mod verdict;

pub use experiment::FitModel;
pub use verdict::{fits, nothing_fits, recommended};

use crate::Params;
use pacemark_record::{Fit, FitRound, Model, Proof, Roof};
use serde_json::Value;

/// The experiment's name.
const EXPERIMENT: &str = "fit";

/// Recorded parameters that no other experiment has, by the names that records have for them.
const N_CTX: &str = "n_ctx";
const POLICY: &str = "kv";

/// One way to run a model, and what its header says of it.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Tokens of each sequence.
    pub n_ctx: usize,
    /// Sequences together.
    pub n_parallel: usize,
    /// How keys and values are stored.
    pub types: [String; 2],
    /// What of them is kept, as a policy's spec.
    pub kv: String,
    /// Threads that compute.
    pub n_threads: usize,
    /// The model.
    pub model: Model,
    /// Its account, and its layers; no times yet.
    pub fit: Fit,
    /// Passes are to be timed.
    pub is_timed: bool,
    /// The model is to be run.
    pub is_proved: bool,
    /// What is to be known of it, a sentence each.
    pub notes: Vec<String>,
}

/// Whoever can time passes over parts of the model, and run it.
pub trait Fitting {
    /// The machine's limits now; `None` where they are not measured.
    fn roof(&mut self) -> Result<Option<Roof>, String>;

    /// Makes ready for rounds of a setting.
    fn begin(&mut self, setting: &Setting) -> Result<(), String>;

    /// Times every pass once.
    fn round(&mut self, setting: &Setting) -> Result<FitRound, String>;

    /// Loads the model in a process of its own, and runs it.
    fn prove(&mut self, setting: &Setting) -> Result<Proof, String>;
}

impl Setting {
    fn params(&self) -> Params {
        let [type_k, type_v] = &self.types;
        let recorded: [(&str, Value); 6] = [
            (N_CTX, self.n_ctx.into()),
            ("n_parallel", self.n_parallel.into()),
            ("type_k", type_k.as_str().into()),
            ("type_v", type_v.as_str().into()),
            (POLICY, self.kv.as_str().into()),
            ("n_threads", self.n_threads.into()),
        ];
        recorded.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Its name, for people.
    pub fn name(&self) -> String {
        page::name(&self.params())
    }
}
