//! `pacemark eval needle`, `passkey` and `ruler`: whether what a long context holds is found again.

use super::{Ended, Plan, TaskArgs, encoding};
use crate::exit::{Exit, UsageError, distinct};
use crate::output::{Input, PictureArgs};
use crate::texts::book;
use anyhow::Result;
use clap::Args;
use pacemark_bench::tasks::retrieval::{Grid, Kind, Place};
use pacemark_bench::tasks::ruler::{Ruler, Sizes};
use pacemark_bench::tasks::{Task, heat};
use pacemark_bench::{Params, Retrieval};
use pacemark_modelfile::ModelFile;
use pacemark_modelfile::summary::Summary;
use std::num::NonZeroUsize;

/// Tokens of a prompt, whatever a model says of its context.
const MOST_TOKENS: u64 = 1 << 24;

/// Prompts of one command.
const MOST_PROMPTS: usize = 100_000;

/// What all three take.
#[derive(Args, Debug)]
struct LongArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// Tokens of the prompts, the question included [default: 512,1024,2048, of RULER's tasks
    /// 1024,2048,4096]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    lengths: Vec<NonZeroUsize>,
    /// Prompts of each length, and depth where there is one
    #[arg(long, value_name = "N", default_value = "4")]
    trials: NonZeroUsize,
    /// Start of all that is drawn: the same seed, the same prompts
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Whether policies that work when a prompt ends (snapkv, knorm, …) have the question in it, or
    /// before it: inside or outside, as in kvpress
    #[arg(long, value_name = "WHERE", value_parser = place, default_value = Place::Inside.name())]
    question: Place,
    /// Tokens to generate at most [default: 16; RULER's tasks have their own]
    #[arg(long, value_name = "N")]
    max_tokens: Option<NonZeroUsize>,
}

/// What needle and passkey take.
#[derive(Args, Debug)]
struct DeepArgs {
    #[command(flatten)]
    long: LongArgs,
    /// Where in the context the sentence stands, in percent
    #[arg(long, value_name = "P,P", value_delimiter = ',', value_parser = depth, default_value = "0,25,50,75,100")]
    depths: Vec<f64>,
    #[command(flatten)]
    pictures: PictureArgs,
}

#[derive(Args, Debug)]
pub(in crate::commands::eval) struct NeedleArgs {
    #[command(flatten)]
    deep: DeepArgs,
}

#[derive(Args, Debug)]
pub(in crate::commands::eval) struct PasskeyArgs {
    #[command(flatten)]
    deep: DeepArgs,
}

#[derive(Args, Debug)]
pub(in crate::commands::eval) struct RulerArgs {
    #[command(flatten)]
    long: LongArgs,
    /// Tasks: niah_single_1, niah_multikey_1, vt, cwe, fwe [default: all]
    #[arg(long = "task", value_name = "NAME,NAME", value_delimiter = ',', value_parser = named)]
    tasks: Vec<Ruler>,
}

fn place(name: &str) -> Result<Place, String> {
    let found = Place::ALL.into_iter().find(|place| place.name() == name);
    found.ok_or_else(|| "not inside or outside".to_owned())
}

fn named(name: &str) -> Result<Ruler, String> {
    let names = Ruler::ALL.map(Ruler::name).join(", ");
    Ruler::ALL
        .into_iter()
        .find(|task| task.name() == name)
        .ok_or_else(|| format!("not one of {names}"))
}

fn depth(text: &str) -> Result<f64, String> {
    // A hundredth is less than a token of the longest prompt.
    let hundredths = |depth: f64| (depth * 100.0).round() / 100.0;
    let depth = text.parse().ok().filter(|depth| (0.0..=100.0).contains(depth));
    depth.map(hundredths).ok_or_else(|| "expected 0 to 100".to_owned())
}

impl LongArgs {
    fn check(&self) -> Result<(), UsageError> {
        self.task.settings.all()?;
        distinct("--lengths", &self.lengths)
    }

    fn lengths(&self, default: [usize; 3]) -> Vec<usize> {
        match self.lengths.is_empty() {
            true => default.to_vec(),
            false => self.lengths.iter().map(|length| length.get()).collect(),
        }
    }

    /// Refuses what the model cannot attend to, and more prompts than anybody waits for, before one
    /// is made.
    fn check_room(&self, file: &ModelFile, n_each: usize) -> Result<()> {
        let most = Summary::of(file)?.context_length.unwrap_or(MOST_TOKENS).min(MOST_TOKENS);
        let lengths = self.lengths.iter().map(|n| ("--lengths", *n));
        for (flag, n) in lengths.chain(self.max_tokens.map(|n| ("--max-tokens", n))) {
            if n.get() as u64 > most {
                let model = &self.task.model;
                let why = format!("{flag} {n}: {model} has a context of {most} tokens");
                return Err(UsageError(why).into());
            }
        }
        let n_lengths = self.lengths.len().max(1);
        let n = n_lengths.saturating_mul(n_each).saturating_mul(self.trials.get());
        if n > MOST_PROMPTS {
            let trials = self.trials;
            let why = format!("--trials {trials}: {n} prompts in all, at most {MOST_PROMPTS}");
            return Err(UsageError(why).into());
        }
        Ok(())
    }

    /// Makes the tasks with a model's tokenizer, and measures them.
    fn run(
        &self,
        n_each: usize,
        make: impl FnOnce(&pacemark_bench::tasks::Encoder<'_>) -> Result<Vec<Task>>,
    ) -> Result<Ended> {
        let (model, file) = self.task.open()?;
        self.check_room(&file, n_each)?;
        let tasks = encoding::with(&file, make)?;
        let mut params = Params::new();
        params.insert("question".into(), self.question.name().into());
        params.insert("seed".into(), self.seed.into());
        let plan = Plan { experiment: &Retrieval, tasks, params, items: None };
        self.task.measure(&model, &file, &plan)
    }
}

impl DeepArgs {
    fn run(&self, kind: Kind) -> Result<Exit> {
        self.long.check()?;
        distinct("--depths", &self.depths)?;
        let task = &self.long.task;
        let save = task.save.as_deref().map(Input::Output);
        let inputs: Vec<Input<'_>> =
            save.into_iter().chain([Input::File(task.model.as_ref())]).collect();
        let pictures = self.pictures.create(&inputs)?;
        let grid = Grid {
            lengths: self.long.lengths([512, 1024, 2048]),
            depths: self.depths.clone(),
            n_trials: self.long.trials.get(),
            seed: self.long.seed.into(),
            place: self.long.question,
            max_tokens: self.long.max_tokens.map_or(kind.max_tokens(), NonZeroUsize::get),
        };
        let ended = self
            .long
            .run(self.depths.len(), |encoder| Ok(kind.tasks(&grid, &book().text, encoder)?))?;
        if !ended.trials.is_empty() {
            pictures.draw(&heat(&ended.trials, title(kind, self.long.question)))?;
        }
        ended.exit()
    }
}

fn title(kind: Kind, place: Place) -> &'static str {
    match (kind, place) {
        (Kind::Needle, Place::Inside) => "Needle found, the question in the prompt",
        (Kind::Needle, Place::Outside) => "Needle found, the question behind the prompt",
        (Kind::Passkey, Place::Inside) => "Passkey found, the question in the prompt",
        (Kind::Passkey, Place::Outside) => "Passkey found, the question behind the prompt",
    }
}

/// Runs `eval needle`.
pub(in crate::commands::eval) fn needle(args: &NeedleArgs) -> Result<Exit> {
    args.deep.run(Kind::Needle)
}

/// Runs `eval passkey`.
pub(in crate::commands::eval) fn passkey(args: &PasskeyArgs) -> Result<Exit> {
    args.deep.run(Kind::Passkey)
}

/// Runs `eval ruler`.
pub(in crate::commands::eval) fn ruler(args: &RulerArgs) -> Result<Exit> {
    args.long.check()?;
    let names: Vec<&str> = args.tasks.iter().map(|task| task.name()).collect();
    distinct("--task", &names)?;
    let tasks = if args.tasks.is_empty() { Ruler::ALL.to_vec() } else { args.tasks.clone() };
    let sizes = Sizes {
        lengths: args.long.lengths([1024, 2048, 4096]),
        n_trials: args.long.trials.get(),
        seed: args.long.seed.into(),
        place: args.long.question,
        max_tokens: args.long.max_tokens.map(NonZeroUsize::get),
    };
    let book = book();
    let ended = args.long.run(tasks.len(), |encoder| {
        let made = tasks.iter().map(|task| task.tasks(&sizes, &book.text, encoder));
        Ok(made.collect::<Result<Vec<_>, _>>()?.concat())
    })?;
    ended.exit()
}
