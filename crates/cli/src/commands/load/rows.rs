//! One row after the other: measured, shown, and all of them kept where that was asked for.

use super::child::Server;
use super::crew::Crew;
use super::progress::Progress;
use super::{Args, plan};
use crate::exit::Exit;
use crate::output::{Input, Output, Record};
use crate::{interrupt, machine};
use anyhow::{Result, anyhow};
use pacemark_bench::{
    BenchError, Case, Experiment, How, Load, Repetitions, Silent, Subject, Warmups,
};
use pacemark_load::plan::{Level, LoadPlan, STREAMS, Share, knee, missed, point};
use pacemark_load::{Sweep, Target};
use pacemark_record::Trial;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

/// A server for all rows: room for as many streams as the largest has.
fn serve_arguments(args: &Args, model: &str) -> Vec<String> {
    let most = args.concurrency.iter().copied().max().unwrap_or(STREAMS).max(16).to_string();
    let mut words: Vec<String> = ["-m", model, "--max-num-seqs", &most].map(str::to_owned).to_vec();
    words.extend(args.workers.words());
    words.extend(args.serve_arg.iter().cloned());
    words
}

/// The record of `--save`.
fn record(args: &Args) -> Result<Option<Record>> {
    let files = [&args.prompts, &args.dataset, &args.trace, &args.cacert]
        .into_iter()
        .flatten()
        .map(|path| Input::File(path));
    let models = [&args.serve, &args.tokenizer]
        .into_iter()
        .flatten()
        .map(|model| Input::Model(Path::new(model)));
    Record::create(args.save.as_deref(), &files.chain(models).collect::<Vec<_>>())
}

/// Runs every row, shows it, and says what is to be thought of all.
pub(super) fn run(args: &Args) -> Result<Exit> {
    // Ends with this function, however it ends.
    let child = args
        .serve
        .as_deref()
        .map(|model| Server::start(&serve_arguments(args, model)))
        .transpose()?;
    let mut senders = senders(args, child.as_ref().map(|child| child.target.clone()))?;
    // Until here Ctrl-C ends the process at once: there is nothing to show, and a server that does
    // not answer to wait for.
    interrupt::flag();
    let record = record(args)?;
    let mut progress = Progress::new();
    progress.start_at =
        args.start_at.map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(at));
    let mut output =
        Output::new(&Load, machine::env(), &args.output, record, args.history.archive());
    let names: Vec<String> = plan::levels(args).into_iter().map(Level::name).collect();
    output.expect("load", names.iter().map(String::as_str));
    let mut sweep = Sweep::default();
    let error = all_rows(args, &mut senders, &mut progress, &mut output, &mut sweep)?;
    if output.trials().is_empty() {
        return Err(error.unwrap_or_else(|| anyhow!("interrupted before a request had ended")));
    }
    let mut notes = Vec::new();
    if args.sweep {
        let first = plan::levels(args)[0];
        notes.push(knee(&sweep, first, args.slo.is_some()));
    }
    let (exit, judged) = judge(args, output.trials());
    notes.extend(judged);
    let steal = output.trials().iter().filter_map(|trial| trial.steal_share);
    output.env_mut().steal_share = steal.reduce(f64::max);
    progress.suspend(|| output.end(notes))?;
    match error {
        Some(why) => Err(why),
        None if interrupt::flag().load(Relaxed) => {
            eprintln!("interrupted in row {}", output.trials().len());
            Ok(Exit::Failed)
        }
        None => Ok(exit),
    }
}

/// What ended the rows before all were measured, if anything but an interrupt did.
fn all_rows(
    args: &Args,
    senders: &mut Senders,
    progress: &mut Progress,
    output: &mut Output<'_>,
    sweep: &mut Sweep,
) -> Result<Option<anyhow::Error>> {
    let mut next = plan::levels(args);
    next.reverse();
    while let Some(level) = next.pop() {
        let row = output.trials().len() as u64;
        // What was measured of a row is kept, though some of its senders were lost.
        let (trials, lost) = match senders.measure(level, row, progress) {
            Ok(measured) => measured,
            Err(why) => return Ok(Some(why)),
        };
        for trial in &trials {
            sweep.push(point(level, trial));
        }
        // Before any request of the row had ended: the rows before it are what there is.
        let none = trials.is_empty();
        progress.suspend(|| output.rows(trials))?;
        if lost.is_some() || none {
            return Ok(lost);
        }
        if interrupt::flag().load(Relaxed) {
            break;
        }
        if args.sweep {
            next.extend(sweep.next_level(args.sweep_to).map(|at| level.at(at)));
        }
    }
    Ok(None)
}

/// Who sends: this process, or workers.
enum Senders {
    Here(Box<LoadPlan>),
    Crew(Crew),
}

/// Who is asked for.
fn senders(args: &Args, of_child: Option<Target>) -> Result<Senders> {
    if args.crew().is_empty() {
        let targets = args.targets().cloned().chain(of_child).collect();
        return Ok(Senders::Here(Box::new(plan::plan(args, targets, Share::WHOLE)?)));
    }
    Crew::start(args, of_child.map(|target| target.url())).map(Senders::Crew)
}

impl Senders {
    /// A row, if a request of it ended; and what ended some of those who sent it.
    fn measure(
        &mut self,
        level: Level,
        row: u64,
        progress: &mut Progress,
    ) -> Result<(Vec<Trial>, Option<anyhow::Error>)> {
        match self {
            Senders::Here(plan) => match one_row(plan, level, row, progress) {
                Ok(trials) => Ok((trials, None)),
                Err(BenchError::Interrupted) => Ok((Vec::new(), None)),
                Err(why) => Err(why.into()),
            },
            Senders::Crew(crew) => {
                let (trial, lost) = crew.measure(level, row, progress)?;
                Ok((trial.into_iter().collect(), lost))
            }
        }
    }
}

fn one_row(
    plan: &LoadPlan,
    level: Level,
    row: u64,
    progress: &mut Progress,
) -> Result<Vec<Trial>, BenchError> {
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::UntilSettled,
        seed: 0,
        observer: &mut Silent,
        stop: interrupt::flag(),
    };
    let mut subject = Subject::Load(plan, progress);
    Load.measure(&Case::Level(level, row), &mut subject, &mut how).map_err(|cut| cut.error)
}

/// What all rows come to: the exit code, and a sentence for each thing that was missed.
pub(super) fn judge(args: &Args, trials: &[Trial]) -> (Exit, Vec<String>) {
    if trials.iter().all(|trial| trial.answered().next().is_none()) {
        return (Exit::Failed, vec!["no request was answered".to_owned()]);
    }
    let missed = missed(trials, &args.target);
    (Exit::held_to(&missed), missed)
}
