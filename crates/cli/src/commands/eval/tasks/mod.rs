//! `pacemark eval accuracy`, `needle`, `passkey` and `ruler`: tasks under one setting of the KV cache
//! or several, which are compared item by item.

mod accuracy;
mod encoding;
mod retrieval;
mod settings;
mod watch;

use crate::exit::{Exit, UsageError};
use crate::history::HistoryArgs;
use crate::output::{self, Input, Output, Record};
use crate::{hub, input, interrupt, machine, setup};
pub(super) use accuracy::{AccuracyArgs, accuracy};
use anyhow::{Result, anyhow};
use pacemark_backend::Backend;
use pacemark_backends::native::NativeBackend;
use pacemark_bench::tasks::{Battery, Task};
use pacemark_bench::{BenchError, Case, Experiment, How, Params, Repetitions, Subject, Warmups};
use pacemark_engine::{Policy, model_config};
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::summary::Summary;
use pacemark_record::Trial;
use pacemark_setup::{CacheTypes, Setup};
pub(super) use retrieval::{NeedleArgs, PasskeyArgs, RulerArgs, needle, passkey, ruler};
use settings::SettingArgs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use watch::Watch;

/// What all tasks take.
#[derive(clap::Args, Debug)]
pub(super) struct TaskArgs {
    /// File, Hugging Face directory, catalog name or hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    weights: setup::WeightType,
    #[command(flatten)]
    settings: SettingArgs,
    /// Threads that compute [default: all processors]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "md", value_parser = output::formats(&[]))]
    output: String,
    /// Write the record, with what was made of every item, as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    history: HistoryArgs,
}

/// What is measured, in tokens.
struct Plan<'a> {
    experiment: &'a dyn Experiment,
    tasks: Vec<Task>,
    /// Recorded beside the settings.
    params: Params,
    /// A file that the items come from.
    items: Option<&'a Path>,
}

/// What was measured, why that ended early, and whether it could be shown.
struct Ended {
    trials: Vec<Trial>,
    error: Option<BenchError>,
    told: Result<()>,
}

impl TaskArgs {
    /// The model's file, whose tokenizer and policies are known, and no weights loaded.
    fn open(&self) -> Result<(PathBuf, ModelFile)> {
        let path = hub::resolve(&self.model)?;
        let file = ModelFile::open(&path)?;
        super::refuse_synthetic(&path, &file)?;
        let config = model_config(&file)?;
        for (_, cache) in self.settings.passes()? {
            setup::check_native(Setup { cache, ..Setup::default() })?;
        }
        for setting in self.settings.all()? {
            let policy = Policy::parse(&setting.kv).map_err(|e| UsageError(e.to_string()))?;
            let on = policy.map(|policy| policy.on(&config)).transpose();
            on.map_err(|error| UsageError(error.to_string()))?;
        }
        Ok((path, file))
    }

    /// Measures all settings, those of one type of cache in turn, and shows and keeps what there is.
    fn measure(&self, path: &Path, file: &ModelFile, plan: &Plan<'_>) -> Result<Ended> {
        let questions = || plan.tasks.iter().flat_map(|task| &task.questions);
        let longest = questions().max_by_key(|question| question.ask.n_tokens());
        let longest = longest.ok_or_else(|| anyhow!("there is nothing to measure"))?;
        let n_ctx = longest.ask.n_tokens();
        if let Some(most) = Summary::of(file)?.context_length.filter(|most| n_ctx as u64 > *most) {
            return Err(UsageError(format!(
                "{}: it takes {n_ctx} tokens, {} has a context of {most}",
                longest.id,
                path.display()
            ))
            .into());
        }
        let setup = Setup {
            threads: setup::threads(self.threads.map(usize::from), None),
            weights: self.weights.residence(),
            n_ctx: Some(n_ctx),
            ..Setup::default()
        };
        let inputs: Vec<Input<'_>> =
            plan.items.iter().map(|file| Input::File(file)).chain([Input::Model(path)]).collect();
        let record = Record::create(self.save.as_deref(), &inputs)?;
        let mut output = Output::new(
            plan.experiment,
            machine::env(),
            &self.output,
            record,
            self.history.archive(),
        );
        let mut ended = Ended { trials: Vec::new(), error: None, told: Ok(()) };
        let mut failed = Ok(());
        for (first, cache) in self.settings.passes()? {
            failed = self.pass(
                path,
                plan,
                Setup { cache, ..setup.clone() },
                first,
                &mut output,
                &mut ended,
            );
            if failed.is_err() || ended.error.is_some() {
                break;
            }
        }
        if ended.trials.is_empty() {
            failed?;
            return Ok(ended);
        }
        ended.trials = in_order(ended.trials);
        let shown = output.rows(ended.trials.clone());
        ended.told = failed.and(shown).and_then(|()| output.end(Vec::new()));
        Ok(ended)
    }

    /// The settings of one type of cache, on a load of their own.
    fn pass(
        &self,
        path: &Path,
        plan: &Plan<'_>,
        setup: Setup,
        first: usize,
        output: &mut Output<'_>,
        ended: &mut Ended,
    ) -> Result<()> {
        let setup = setup::check_native(setup)?;
        let backend = NativeBackend::load(path, &setup, &mut |_, _| {})?;
        if ended.trials.is_empty() {
            input::warn(&backend.info());
        }
        let of_type = |cache: CacheTypes| move |s: &_| settings::cache_of(s) == cache;
        let settings = self.settings.all()?.into_iter().filter(of_type(setup.cache)).collect();
        let (tasks, params) = (plan.tasks.clone(), plan.params.clone());
        let battery = Battery { tasks, settings, first, params };
        let mut watch = Watch::new(output, ended.trials.clone());
        let mut how = How {
            repetitions: Repetitions::exactly(1),
            warmup: Warmups::None,
            seed: 0,
            observer: &mut watch,
            stop: interrupt::flag(),
        };
        let backends: [&dyn Backend; 1] = [&backend];
        let mut subject = Subject::Backends(&backends);
        let case = Case::Battery(battery);
        match plan.experiment.measure(&case, &mut subject, &mut how) {
            Ok(trials) => ended.trials.extend(trials),
            Err(cut) => {
                ended.trials.extend(cut.partial);
                ended.error = Some(cut.error);
            }
        }
        Ok(())
    }
}

impl Ended {
    /// The exit code, once what was measured is told.
    fn exit(self) -> Result<Exit> {
        self.told?;
        match self.error {
            None => Ok(Exit::Fine),
            Some(BenchError::Interrupted) if !self.trials.is_empty() => {
                eprintln!("interrupted: the figures are of the items until then");
                Ok(Exit::Failed)
            }
            Some(error) => Err(error.into()),
        }
    }
}

/// Trials of several passes: those of one task beside each other, in the order of the settings.
fn in_order(mut trials: Vec<Trial>) -> Vec<Trial> {
    let task = |trial: &Trial| ["task", "length"].map(|name| trial.params.get(name).cloned());
    let mut tasks = Vec::new();
    for trial in &trials {
        if !tasks.contains(&task(trial)) {
            tasks.push(task(trial));
        }
    }
    trials.sort_by_key(|trial| (tasks.iter().position(|t| *t == task(trial)), trial.turn));
    trials
}
