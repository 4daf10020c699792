//! The settings that the flags ask for, each with what the header says of it.

use super::machine::Sizes;
use super::subject::{Model, layers};
use super::{Args, wrong};
use crate::exit::distinct;
use crate::setup;
use anyhow::Result;
use pacemark_backends::native::preview;
use pacemark_bench::describe;
use pacemark_bench::fit::Setting;
use pacemark_engine::{KvType, KvTypes, ModelConfig, Policy, Usage};
use pacemark_limits::{Memory, System};
use pacemark_record::{Fit, FitMemory, Layers};
use pacemark_setup::{CacheTypes, DType, Setup, Threads};

/// What is asked of one model.
pub(super) struct Plan {
    pub settings: Vec<Setting>,
    /// The header lacks what a prediction needs.
    pub is_unknown: bool,
}

/// Tokens of each sequence where nothing is said.
const DEFAULT_CTX: usize = 4096;
/// Memory that no machine has.
const MOST: u64 = 1 << 56;
/// Tokens that are generated where the model is run, at most.
pub(super) const N_GEN: usize = 32;

/// Tokens of the longest context that is reckoned.
const MOST_CTX: usize = 1 << 28;

impl Plan {
    pub(super) fn of(args: &Args, model: &Model, threads: Threads) -> Result<Plan> {
        let config = model.config.as_ref().ok();
        let trained = config.map(|config| config.n_ctx_train);
        let default = trained.map_or(DEFAULT_CTX, |trained| trained.min(DEFAULT_CTX));
        let contexts = match args.ctx_size.as_slice() {
            [] => vec![default],
            asked => asked.iter().map(|n| n.get()).collect(),
        };
        if let Some(least) = contexts.iter().find(|n| **n < 2) {
            return Err(wrong(
                "-c",
                least,
                "expected at least 2 tokens, of which one is generated",
            ));
        }
        if let Some(most) = contexts.iter().find(|n| **n > MOST_CTX) {
            return Err(wrong("-c", most, &format!("expected at most {MOST_CTX} tokens")));
        }
        distinct("-c", &contexts)?;
        distinct("--parallel", &args.parallel)?;
        distinct("--kv", &args.kv)?;
        let types = pairs(&args.cache_type_k, &args.cache_type_v)?;
        distinct(
            "-ctk, -ctv",
            &types.iter().map(|pair| pair.names().join("/")).collect::<Vec<_>>(),
        )?;
        let of_model = OfModel::new(args, model, threads);
        let mut settings = Vec::new();
        for types in types {
            let setup = Setup { threads, weights: model.weights, cache: types, ..Setup::default() };
            setup::check_native(setup)?;
            for spec in policies(&args.kv, config)? {
                for n_seqs in args.parallel.iter().map(|n| n.get()) {
                    let each = contexts.iter().map(|n_ctx| Ask { n_ctx: *n_ctx, n_seqs, types });
                    for ask in each {
                        settings.push(of_model.setting(&ask, &spec)?);
                    }
                }
            }
        }
        Ok(Plan { settings, is_unknown: of_model.unknown.is_some() })
    }
}

/// Types of keys with types of values: one of a list of one with all of the other.
fn pairs(k: &[DType], v: &[DType]) -> Result<Vec<CacheTypes>> {
    let n = k.len().max(v.len());
    if [k, v].iter().any(|list| list.len() != 1 && list.len() != n) {
        let why = format!("expected as many types as of values, or one: there are {}", v.len());
        return Err(wrong("-ctk", format!("({} types)", k.len()), &why));
    }
    Ok((0..n).map(|i| CacheTypes { k: k[i.min(k.len() - 1)], v: v[i.min(v.len() - 1)] }).collect())
}

/// Policies by their specs, those of the model.
fn policies(
    specs: &[String],
    config: Option<&ModelConfig>,
) -> Result<Vec<(String, Option<Policy>)>> {
    let full = ["full".to_owned()];
    let specs = if specs.is_empty() { &full[..] } else { specs };
    let of = |spec: &String| {
        let parsed = Policy::parse(spec).and_then(|policy| match (policy, config) {
            (Some(policy), Some(config)) => policy.on(config).map(Some),
            (policy, _) => Ok(policy),
        });
        let policy = parsed.map_err(|error| wrong("--kv", spec, &error.to_string()))?;
        Ok((spec.clone(), policy))
    };
    specs.iter().map(of).collect()
}

/// One way to run the model.
struct Ask {
    n_ctx: usize,
    n_seqs: usize,
    types: CacheTypes,
}

/// What holds for all settings of a model.
struct OfModel<'a> {
    args: &'a Args,
    model: &'a Model,
    threads: Threads,
    /// What the system has left, and what the model may take.
    available: Option<u64>,
    budget: Option<u64>,
    whole: Layers,
    sizes: Sizes,
    /// Why the engine cannot run it.
    unknown: Option<String>,
}

impl<'a> OfModel<'a> {
    fn new(args: &'a Args, model: &'a Model, threads: Threads) -> OfModel<'a> {
        let available = Memory::of(&System::here()).available;
        let budget = args.budget.or(available);
        let (whole, sizes, unknown) = match &model.config {
            Ok(config) => {
                let whole = layers(&model.file, config);
                let sizes = Sizes::of(&model.file, &whole);
                let needed = model.memory(&usage(&Ask::smallest(), None, model.weights.pack));
                (whole, sizes, needed.err())
            }
            Err(why) => (Layers::default(), Sizes::default(), Some(why.clone())),
        };
        OfModel { args, model, threads, available, budget, whole, sizes, unknown }
    }

    fn setting(&self, ask: &Ask, (spec, policy): &(String, Option<Policy>)) -> Result<Setting> {
        let Ask { n_ctx, n_seqs, types } = *ask;
        let setup = Setup { threads: self.threads, cache: types, ..Setup::default() };
        let mut setting = Setting {
            n_ctx,
            n_parallel: n_seqs,
            types: types.names(),
            kv: spec.clone(),
            n_threads: self.threads.per_batch(),
            model: describe(&preview(&self.model.file, &setup)?),
            notes: self.model.notes.clone(),
            ..Setting::default()
        };
        let (Ok(config), None) = (&self.model.config, &self.unknown) else {
            let why = self.unknown.as_deref().unwrap_or_default();
            setting
                .notes
                .push(format!("no rates, and of memory the weights in the file only: {why}"));
            let weights = self.model.file.n_bytes();
            let memory =
                FitMemory { weights, process: self.model.process_bytes, ..FitMemory::default() };
            setting.fit = Fit { memory, budget_bytes: self.budget, ..Fit::default() };
            return Ok(setting);
        };
        let memory = |ask: &Ask| {
            let usage = usage(ask, policy.as_ref(), self.model.weights.pack);
            self.model.memory(&usage).map_err(anyhow::Error::msg)
        };
        let needed = memory(ask)?;
        if needed.most() > MOST {
            let why = "expected what some machine could hold: it would take more than 64 PiB";
            return Err(wrong("-c", format!("{n_ctx} --parallel {n_seqs}"), why));
        }
        setting.fit = Fit {
            memory: needed,
            budget_bytes: self.budget,
            trained_ctx: Some(config.n_ctx_train as u64),
            whole: self.whole.clone(),
            n_chunk: Setup::default().n_step().min(n_ctx) as u64,
            ..Fit::default()
        };
        setting.fit.largest_ctx = self.budget.map(|budget| {
            let fits = |n_ctx: usize| {
                memory(&Ask { n_ctx, ..*ask }).is_ok_and(|memory| memory.most() <= budget)
            };
            largest(config.n_ctx_train, fits) as u64
        });
        self.choose(&mut setting, config, policy.is_some())?;
        Ok(setting)
    }

    /// Whether it is timed and proved; where not, why.
    fn choose(&self, setting: &mut Setting, config: &ModelConfig, has_policy: bool) -> Result<()> {
        if config.learned_positions && setting.n_ctx > config.n_ctx_train {
            let why = format!("the model has positions for {} tokens", config.n_ctx_train);
            return Err(wrong("-c", setting.n_ctx, &why));
        }
        if setting.n_ctx > config.n_ctx_train {
            setting.notes.push(format!(
                "the model was trained for {} tokens: what it answers beyond is another matter",
                config.n_ctx_train
            ));
        }
        let available = self.available.unwrap_or(u64::MAX);
        let slices = self.sizes.memory(&setting.fit, &self.whole);
        if has_policy {
            let why = "no rates: what a policy's own work takes is not predicted";
            setting.notes.push(why.to_owned());
        } else if slices > available {
            setting.notes.push("no rates: there is no memory for the layers to time".to_owned());
        } else {
            setting.is_timed = true;
            setting.fit.of_steps = self.sizes.steps.clone();
            setting.fit.of_prompts = self.sizes.prompts.clone();
        }
        let most = setting.fit.memory.most();
        if self.args.prove && most > available.min(self.budget.unwrap_or(u64::MAX)) {
            setting.notes.push("not run: it does not fit".to_owned());
        } else {
            setting.is_proved = self.args.prove;
        }
        Ok(())
    }
}

impl Ask {
    /// What every model can be run as.
    fn smallest() -> Ask {
        Ask { n_ctx: 2, n_seqs: 1, types: CacheTypes::default() }
    }
}

fn usage(ask: &Ask, policy: Option<&Policy>, pack: bool) -> Usage {
    let of = |dtype: DType| KvType::from_dtype(dtype).unwrap_or_default();
    Usage {
        n_ctx: ask.n_ctx,
        n_seqs: ask.n_seqs,
        n_step: Setup::default().n_step(),
        // The pair was checked with the flags.
        kv: KvTypes::new(of(ask.types.k), of(ask.types.v)).unwrap_or_default(),
        policy: policy.cloned(),
        n_prompt: Some(n_prompt(ask.n_ctx)),
        pack,
    }
}

/// Tokens of a context that are prompt where it is filled: the last ones are generated.
pub(super) fn n_prompt(n_ctx: usize) -> usize {
    n_ctx - 1 - n_gen(n_ctx)
}

/// Those that are generated after the first.
pub(super) fn n_gen(n_ctx: usize) -> usize {
    N_GEN.min(n_ctx.saturating_sub(2))
}

/// The largest number up to `most` for which `fits` holds, as it does for all smaller ones; 0 for
/// none.
fn largest(most: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut fitting, mut beyond) = (0, most + 1);
    while beyond - fitting > 1 {
        let middle = fitting + (beyond - fitting) / 2;
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_found() {
        for limit in [0, 1, 7, 4095, 4096, 9999] {
            assert_eq!(largest(4096, |n| n <= limit), limit.min(4096), "{limit}");
        }
    }

    #[test]
    fn types_are_taken_pair_by_pair() {
        let (a, b) = (DType::F16, DType::Q8_0);
        let of = |k: &[DType], v: &[DType]| pairs(k, v).map(|found| found.len()).ok();
        assert_eq!(
            (of(&[a], &[b]), of(&[a, b], &[a]), of(&[a, b], &[a, b])),
            (Some(1), Some(2), Some(2))
        );
        assert_eq!(of(&[a, b], &[a, b, a]), None);
        assert_eq!(pairs(&[a, b], &[b]).unwrap()[1], CacheTypes { k: b, v: b });
    }

    #[test]
    fn a_context_is_a_prompt_and_what_is_generated() {
        for n_ctx in [2, 3, 34, 4096] {
            assert!(n_prompt(n_ctx) >= 1 && n_prompt(n_ctx) + n_gen(n_ctx) < n_ctx, "{n_ctx}");
        }
    }
}
