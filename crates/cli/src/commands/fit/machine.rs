//! Slices of the model, made and timed in this process.

use super::process;
use super::subject::Model;
use crate::commands::bench::roof;
use anyhow::{Context, Result};
use pacemark_backends::native::Probe;
use pacemark_bench::fit::{Fitting, Setting};
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::synth::slice;
use pacemark_record::host::Host;
use pacemark_record::{Fit, FitRound, Layers, Proof, Roof};
use pacemark_setup::{CacheTypes, DType, Residence, Setup, Threads};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Time of the steps of a kind in a round, and how many there are, whatever it takes.
const STEPS: (Duration, RangeInclusive<u32>) = (Duration::from_millis(60), 2..=16);
/// Weights of a slice that prompts are timed on: arithmetic does not ask where they lie.
const OF_PROMPTS: u64 = 32 << 20;
/// Layers of it, at least: types differ from layer to layer.
const LEAST: u64 = 4;

/// The slices of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Sizes {
    /// The one that steps are timed on: too large for the last cache, unless the model is not.
    pub steps: Layers,
    /// The one that prompts are timed on.
    pub prompts: Layers,
    /// Bytes beside the layers.
    outside: u64,
}

impl Sizes {
    pub(super) fn of(file: &ModelFile, whole: &Layers) -> Sizes {
        let outside = file.n_bytes().saturating_sub(whole.bytes);
        let cache = Host::read().caches.iter().map(|cache| cache.bytes).max().unwrap_or(0);
        let enough = (2 * cache).clamp(128 << 20, 1 << 30);
        // Of a model that is hardly larger all layers are taken: nothing is to be guessed then.
        let steps = if whole.bytes <= enough + enough / 2 { whole.bytes } else { enough };
        Sizes { steps: part(file, whole, steps), prompts: part(file, whole, OF_PROMPTS), outside }
    }

    /// Memory that timing takes: both slices, with keys and values of the setting.
    pub(super) fn memory(&self, fit: &Fit, whole: &Layers) -> u64 {
        let of = |layers: &Layers| {
            let kv = fit.memory.kv as f64 * layers.n as f64 / whole.n.max(1) as f64;
            // The table of embeddings is held beside the matrix that it may be too.
            layers.bytes.saturating_add(2 * self.outside).saturating_add(kv as u64)
        };
        of(&self.steps).saturating_add(of(&self.prompts)).saturating_add(fit.memory.work)
    }
}

/// As many layers as have about so many bytes, as [`slice`] takes them.
fn part(file: &ModelFile, whole: &Layers, bytes: u64) -> Layers {
    let share = bytes as f64 / whole.bytes.max(1) as f64;
    let n = ((whole.n as f64 * share).ceil() as u64).max(LEAST).min(whole.n);
    let made = slice(file, n as usize).ok();
    let config = made.as_ref().and_then(|made| pacemark_engine::model_config(made).ok());
    made.zip(config)
        .map_or_else(Layers::default, |(made, config)| super::subject::layers(&made, &config))
}

/// A model's slices, loaded when they are first needed.
pub(super) struct Slices<'a> {
    model: &'a Model,
    threads: Threads,
    steps: Option<Probe>,
    prompts: Option<Probe>,
}

impl<'a> Slices<'a> {
    pub(super) fn new(model: &'a Model, threads: Threads) -> Slices<'a> {
        Slices { model, threads, steps: None, prompts: None }
    }

    fn load(&self, layers: &Layers) -> Result<Probe> {
        let file = slice(&self.model.file, layers.n as usize)?;
        let weights = Residence { pack: self.model.weights.pack, ..Residence::default() };
        let setup = Setup { threads: self.threads, weights, ..Setup::default() };
        Ok(Probe::load(file, &setup)?)
    }

    fn fill(&mut self, setting: &Setting) -> Result<()> {
        let types = setting.types.each_ref().map(|name| DType::from_name(name));
        let [Some(k), Some(v)] = types else { anyhow::bail!("types that are none") };
        let setup = Setup {
            threads: self.threads,
            cache: CacheTypes { k, v },
            n_ctx: Some(setting.n_ctx),
            n_seqs: setting.n_parallel,
            ..Setup::default()
        };
        if self.steps.is_none() {
            self.steps = Some(self.load(&setting.fit.of_steps)?);
            self.prompts = Some(self.load(&setting.fit.of_prompts)?);
        }
        for (probe, n_seqs) in [(&mut self.steps, setting.n_parallel), (&mut self.prompts, 1)] {
            probe.as_mut().context("a slice")?.fill(&Setup { n_seqs, ..setup.clone() })?;
        }
        // Once for nothing: memory is touched, threads are awake.
        self.time(setting).map(|_| ())
    }

    /// Every pass. Those of a kind come one after the other, as they do when a model runs, and the
    /// first is not counted: what is in the caches is then of that kind.
    fn time(&mut self, setting: &Setting) -> Result<FitRound> {
        let (Some(steps), Some(prompts)) = (&mut self.steps, &mut self.prompts) else {
            anyhow::bail!("no slice was made");
        };
        let mut step = |depth: usize, logits: bool| -> Result<u64> {
            steps.step(depth, logits)?;
            let (mut sum, mut n, (time, bounds)) = (Duration::ZERO, 0, STEPS);
            while n < *bounds.start() || (n < *bounds.end() && sum < time) {
                sum += steps.step(depth, logits)?;
                n += 1;
            }
            Ok((sum / n).as_nanos() as u64)
        };
        let (step_ns, logits_ns) = (step(0, false)?, step(0, true)?);
        let deep_ns = step(setting.n_ctx - 1, false)?;
        let chunk = setting.fit.n_chunk as usize;
        let mut prompt = |depth| prompts.prompt(chunk, depth).map(|time| time.as_nanos() as u64);
        Ok(FitRound {
            step_ns,
            logits_ns,
            deep_ns,
            prompt_ns: prompt(0)?,
            prompt_deep_ns: prompt(setting.n_ctx - chunk)?,
        })
    }
}

fn told<T>(result: Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{error:#}"))
}

impl Fitting for Slices<'_> {
    fn roof(&mut self) -> Result<Option<Roof>, String> {
        let places = self.threads.place.of_threads(self.threads.in_all());
        let places = places.map_err(|error| error.to_string())?;
        told(roof::measure(&self.threads, &places)).map(Some)
    }

    fn begin(&mut self, setting: &Setting) -> Result<(), String> {
        told(self.fill(setting))
    }

    fn round(&mut self, setting: &Setting) -> Result<FitRound, String> {
        told(self.time(setting))
    }

    fn prove(&mut self, setting: &Setting) -> Result<Proof, String> {
        told(process::run(self.model, setting, self.threads))
    }
}
