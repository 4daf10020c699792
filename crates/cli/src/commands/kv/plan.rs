//! What a study measures: flags → methods in passes, checked against model and text before anything
//! is loaded.

use super::methods;
use super::what::What;
use super::wrong;
use crate::exit::UsageError;
use crate::setup;
use crate::texts::Text;
use anyhow::Result;
use pacemark_backend::TokenId;
use pacemark_bench::kv::{Method, Study};
use pacemark_engine::{Policy, model_config};
use pacemark_modelfile::summary::Summary;
use pacemark_modelfile::{ModelFile, synth};
use pacemark_report::layout::compact_time;
use pacemark_setup::{CacheTypes, Residence, Setup, Threads};
use pacemark_tokenizer::{EncodeOptions, Tokenizer};
use serde_json::{Map, Value, json};
use std::num::NonZeroUsize;
use std::path::Path;

/// What is compared where nothing is asked for.
const POLICIES: &str = "baseline,recent_only,streaming_llm,fix_size_l2";

/// A study that can be made.
pub(super) struct Plan {
    what: What,
    methods: Vec<Method>,
    setup: Setup,
    n_samples: usize,
    file: String,
}

impl Plan {
    /// What the flags say, as far as no model is needed.
    pub(super) fn of(
        what: &What,
        cache: CacheTypes,
        weights: Residence,
        threads: Threads,
    ) -> Result<Plan> {
        let (n, n_gen) = (what.max_tokens.get(), what.max_new_tokens.get());
        if n_gen >= n {
            let why = format!("expected fewer than --max-tokens {n}, whose last they are");
            return Err(wrong("--max-new-tokens", n_gen, &why));
        }
        if let Some(prompt) = what.eval_prompt.filter(|prompt| prompt.get() >= n) {
            let why = format!("it leaves nothing of --max-tokens {n} to score");
            return Err(wrong("--eval-prompt", prompt, &why));
        }
        let sizes = what.sizes(cache)?;
        let mut methods = match &what.method {
            Some(method) => methods::of_one(method, &sizes)?,
            None => methods::of_list(what.policies.as_deref().unwrap_or(POLICIES), &sizes)?,
        };
        if !what.no_controls {
            let controls = methods::controls(&methods, &sizes);
            methods.extend(controls);
        }
        for method in &mut methods {
            let policy = policy(method)?;
            if what.eval_prompt.is_none() && policy.is_some_and(|policy| policy.needs_prompt()) {
                method.unscored = Some(
                    "no perplexity: it works when a prompt ends, so no token of a text would feel it \
                     (--eval-prompt N)"
                        .to_owned(),
                );
            }
        }
        let setup = Setup { threads, weights, n_ctx: Some(n), ..Setup::default() };
        for method in &methods {
            setup::check_native(Setup { cache: method.cache, ..setup.clone() })?;
        }
        let n_samples = what.num_samples.get();
        Ok(Plan { what: what.clone(), methods, setup, n_samples, file: String::new() })
    }

    /// The same for a model and a text, and the text's tokens.
    pub(super) fn on(mut self, path: &Path, text: &Text) -> Result<(Plan, Vec<TokenId>)> {
        let file = ModelFile::open(path)?;
        if synth::is_synthetic(file.metadata()) {
            let why = "its weights are random, so there is no quality to measure";
            return Err(
                UsageError(format!("{} is a synthetic model: {why}", path.display())).into()
            );
        }
        let config = model_config(&file)?;
        for method in &self.methods {
            let on = policy(method)?.map(|policy| policy.on(&config)).transpose();
            on.map_err(|error| UsageError(error.to_string()))?;
        }
        if let Some(longest) = Summary::of(&file)?.context_length {
            self.check_context(longest, path)?;
        }
        let tokenizer = Tokenizer::from_metadata(file.metadata())?;
        let options = EncodeOptions { add_special: true, parse_special: false };
        let tokens = tokenizer.encode(&text.text, options);
        self.n_samples = self.room(&tokens, &tokenizer, &text.name)?;
        self.file.clone_from(&text.name);
        Ok((self, tokens))
    }

    /// Beyond the model's context only what stays bounded makes sense; controls that do not are
    /// left out.
    fn check_context(&mut self, longest: u64, path: &Path) -> Result<()> {
        let n = self.what.max_tokens.get();
        if n as u64 <= longest {
            return Ok(());
        }
        let is_bounded = |method: &Method| {
            Policy::parse(&method.kv).ok().flatten().is_some_and(|policy| policy.is_bounded())
        };
        let is_control = |method: &Method| method.group == pacemark_bench::kv::Group::Control;
        let (kept, out): (Vec<Method>, Vec<Method>) =
            self.methods.drain(..).partition(|method| is_bounded(method) || !is_control(method));
        let names = |methods: &mut dyn Iterator<Item = &Method>| {
            methods.map(|method| method.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let unbounded = names(&mut kept.iter().filter(|method| !is_bounded(method)));
        if !unbounded.is_empty() {
            let why = format!(
                "{} has a context of {longest} tokens, and these methods keep more than a bounded \
                 number of them: {unbounded}. --policies without them may go further",
                path.display()
            );
            return Err(wrong("--max-tokens", n, &why));
        }
        if !out.is_empty() {
            eprintln!("note: beyond the model's context there are no {}", names(&mut out.iter()));
        }
        self.methods = kept;
        Ok(())
    }

    /// Samples that the text has room for, of those asked for.
    fn room(&self, tokens: &[TokenId], tokenizer: &Tokenizer, name: &str) -> Result<usize> {
        let n = self.what.max_tokens.get();
        let bos = tokenizer.bos().filter(|_| tokenizer.adds_bos());
        let lead = usize::from(bos.is_some() && bos == tokens.first().copied());
        let room = tokens.len().saturating_sub(lead) / (n - lead);
        if room == 0 {
            let why = format!("expected at least one sample of --max-tokens {n}");
            return Err(wrong("--text", format!("{name}: it has {} tokens", tokens.len()), &why));
        }
        if room < self.n_samples {
            eprintln!(
                "note: the text has {} tokens, room for {room} of {} samples of {n}: {room} it is",
                tokens.len(),
                self.n_samples
            );
        }
        Ok(room.min(self.n_samples))
    }

    /// A study for each type of cache, those of the flags first.
    pub(super) fn passes(&self) -> Vec<Study> {
        let mut types: Vec<CacheTypes> = Vec::new();
        for method in &self.methods {
            if !types.contains(&method.cache) {
                types.push(method.cache);
            }
        }
        let of = |(i, cache): (usize, &CacheTypes)| Study {
            methods: self.methods.iter().filter(|m| m.cache == *cache).cloned().collect(),
            n_samples: self.n_samples,
            n_tokens: self.what.max_tokens.get(),
            n_gen: self.what.max_new_tokens.get(),
            n_prompt: self.what.eval_prompt.map(NonZeroUsize::get),
            setup: Setup { cache: *cache, ..self.setup.clone() },
            file: self.file.clone(),
            apart: i > 0,
        };
        types.iter().enumerate().map(of).collect()
    }

    /// What was asked for, under the script's names, then ours.
    pub(super) fn config(
        &self,
        model: &str,
        unix_s: u64,
        repetitions: usize,
    ) -> Map<String, Value> {
        let what = &self.what;
        let config = json!({
            "model_id": model,
            "method": what.title(),
            "num_samples": self.n_samples,
            "max_tokens": what.max_tokens,
            "max_new_tokens": what.max_new_tokens,
            "skip_layers": what.skip_layers,
            "timestamp": compact_time(unix_s),
            "start_size": what.start_size,
            "recent_sizes": what.recent_sizes,
            "repetitions": repetitions,
            "eval_prompt": what.eval_prompt,
            "text": self.file,
        });
        config.as_object().cloned().unwrap_or_default()
    }
}

/// A method's policy, for no model yet.
fn policy(method: &Method) -> Result<Option<Policy>, UsageError> {
    Policy::parse(&method.kv).map_err(|error| UsageError(error.to_string()))
}
