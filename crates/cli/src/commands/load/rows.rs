//! One row after the other: warmed up, measured, shown, and all of them kept where that was asked
//! for.

use super::child::Child;
use super::levels::{self, Level};
use super::progress::Progress;
use super::prompts::{self, Counter, Wanted};
use super::trials::{self, Row};
use super::{Args, judge, server};
use crate::exit::Exit;
use crate::output::{Input, Output, Record};
use crate::{interrupt, machine};
use anyhow::{Context, Result, anyhow, bail};
use pacemark_bench::load::Server;
use pacemark_bench::{BenchError, Case, Experiment, How, Load, Repetitions, Silent, Subject};
use pacemark_load::prompt::{Session, Source, Verified};
use pacemark_load::{Bounds, Measured, Settings, Shape, Sweep, run as run_load};
use pacemark_record::env::CpuTime;
use pacemark_record::{Trial, Warmup};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// A nonce is a number that JSON readers keep exactly.
const NONCE_BITS: u64 = (1 << 48) - 1;

/// A server for all rows: room for as many streams as the largest has.
fn serve_arguments(args: &Args, model: &str) -> Vec<String> {
    let most =
        args.concurrency.iter().copied().max().unwrap_or(levels::STREAMS).max(16).to_string();
    let mut words: Vec<String> = ["-m", model, "--max-num-seqs", &most].map(str::to_owned).to_vec();
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

/// Everything that the rows of one command share.
struct Loads<'a> {
    args: &'a Args,
    settings: Settings,
    counter: Counter,
    nonce: u64,
    progress: Progress,
    /// Of the row that comes next.
    level: Level,
}

/// Runs every row, shows it, and says what is to be thought of all.
pub(super) fn run(args: &Args) -> Result<Exit> {
    // Ends with this function, however it ends.
    let child = args
        .serve
        .as_deref()
        .map(|model| Child::serve(&serve_arguments(args, model)))
        .transpose()?;
    let target = args
        .url
        .clone()
        .or(child.as_ref().map(|child| child.target.clone()))
        .context("clap asked for one")?;
    let settings = server::settings(args, target)?;
    let counter = prompts::counter(args, &settings)?;
    // Until here Ctrl-C ends the process at once: there is nothing to show, and a server that does
    // not answer to wait for.
    interrupt::flag();
    let record = record(args)?;
    // Another for each run: what the server remembers of the last one must not help.
    let nonce = args.nonce.unwrap_or_else(|| {
        (pacemark_load::clock::now_ns() ^ machine::now_unix_s() << 20) & NONCE_BITS
    });
    let mut next = levels::levels(args);
    next.reverse();
    let Some(level) = next.last().copied() else { bail!("there is no level to measure") };
    let progress = Progress::new();
    let mut loads = Loads { args, settings, counter, nonce, progress, level };
    let mut output = Output::new(&Load, machine::env(), &args.output, record);
    let mut sweep = Sweep::default();
    let mut error = None;
    while let Some(level) = next.pop() {
        loads.level = level;
        match one_row(&mut loads, output.trials().len() as u64) {
            Ok(trials) => {
                for trial in &trials {
                    sweep.push(levels::point(level, trial));
                }
                loads.progress.suspend(|| output.rows(trials))?;
            }
            // Before any request of the row had ended: the rows before it are what there is.
            Err(BenchError::Interrupted) => break,
            Err(why) => {
                error = Some(why);
                break;
            }
        }
        if interrupt::flag().load(Relaxed) {
            break;
        }
        if args.sweep {
            next.extend(sweep.next_level(args.sweep_to).map(|at| level.at(at)));
        }
    }
    if output.trials().is_empty() {
        return Err(
            error.map_or_else(|| anyhow!("interrupted before a request had ended"), Into::into)
        );
    }
    let mut notes = Vec::new();
    if args.sweep {
        notes.push(levels::knee(args, &sweep));
    }
    let (exit, judged) = judge::judge(args, output.trials());
    notes.extend(judged);
    let steal = output.trials().iter().filter_map(|trial| trial.steal_share);
    output.env_mut().steal_share = steal.reduce(f64::max);
    loads.progress.suspend(|| output.end(notes))?;
    match error {
        Some(why) => Err(why.into()),
        None => Ok(exit),
    }
}

/// The trial of one row.
fn one_row(loads: &mut Loads<'_>, row: u64) -> Result<Vec<Trial>, BenchError> {
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: true,
        seed: 0,
        observer: &mut Silent,
        stop: interrupt::flag(),
    };
    let measured = Load.measure(&Case::Row(row), &mut Subject::Server(loads), &mut how);
    measured.map_err(|cut| cut.error)
}

impl Server for Loads<'_> {
    fn load(&mut self, row: u64) -> Result<Option<Trial>, String> {
        self.measure(self.level, row).map_err(|error| format!("{error:#}"))
    }
}

/// At most so many sessions of another source.
struct First<'a> {
    of: &'a mut dyn Source,
    left: u64,
}

impl Source for First<'_> {
    fn next(&mut self) -> Option<Session> {
        self.left = self.left.checked_sub(1)?;
        self.of.next()
    }

    fn lengths(&self) -> Verified {
        self.of.lengths()
    }
}

impl Loads<'_> {
    /// One row; none where Ctrl-C came before a request had ended.
    fn measure(&mut self, level: Level, row: u64) -> Result<Option<Trial>> {
        let name = level.name();
        self.progress.begin(&name, Bounds::default());
        let Wanted { mut source, arrivals, skipped, given_lengths } =
            prompts::wanted(self.args, &self.counter, self.nonce, row)?;
        let (warmup, mut notes) = self.warm_up(level, source.as_mut())?;
        let bounds = level.bounds(self.args, arrivals.as_deref());
        let began = machine::now_unix_s();
        let before = CpuTime::now();
        let shape = level.shape(self.args, arrivals);
        self.progress.begin(&name, bounds);
        let measured = self.send(shape, bounds, source.as_mut())?;
        if measured.requests.is_empty() {
            if interrupt::flag().load(Relaxed) {
                return Ok(None);
            }
            bail!(
                "no request was sent: the rate is too low for --duration, or prompts could not be made"
            );
        }
        let steal_share =
            before.zip(CpuTime::now()).and_then(|(before, now)| before.steal_share_until(now));
        if !given_lengths {
            notes.push(
                "nothing says how long answers are to be: they are as long as the server makes them (--output-tokens N)"
                    .to_owned(),
            );
        }
        if skipped > 0 {
            notes.push(format!(
                "{skipped} entries of the file hold nothing that a user says; they were skipped"
            ));
        }
        let lengths = source.lengths();
        if lengths.wrong > 0 {
            let Verified { checked, wrong, .. } = lengths;
            notes.push(format!(
                "{wrong} of {checked} prompts that were encoded again are not as long as they were made to be"
            ));
        }
        let args = self.args;
        let row = Row {
            args,
            settings: &self.settings,
            level,
            bounds,
            nonce: self.nonce,
            lengths,
            skipped,
            given_lengths,
        };
        let trial = trials::trial(&row, &self.counter.name, measured);
        Ok(Some(Trial { started_unix_s: began, warmup, steal_share, notes, ..trial }))
    }

    /// Real requests that are not counted, and what is to be said of them.
    fn warm_up(&mut self, level: Level, source: &mut dyn Source) -> Result<(Warmup, Vec<String>)> {
        let (requests, streams) = level.warmup(self.args);
        if requests == 0 {
            return Ok((Warmup { settled: true, ..Warmup::default() }, Vec::new()));
        }
        let bounds = Bounds { requests: Some(requests), duration: None };
        self.progress.begin(&format!("{}, warm-up", level.name()), bounds);
        let shape = Shape::Closed { concurrency: streams };
        let measured = self.send(shape, bounds, &mut First { of: source, left: requests })?;
        let answered = || measured.requests.iter().filter(|request| request.is_ok());
        let elapsed_ns: Vec<u64> = answered().filter_map(|request| request.e2e_ns()).collect();
        let tokens = answered().filter_map(|request| request.output_usage).max().unwrap_or(0);
        let failures = measured.requests.iter().filter_map(|request| request.failure.as_ref());
        let example = failures
            .clone()
            .next()
            .map(|first| format!("{}, e.g. {}", first.kind.name(), first.message));
        let note = example.map(|example| {
            format!("{} of {requests} warm-up requests failed: {example}", failures.count())
        });
        // Requests side by side are not runs in turn: what drift there is shows in the load itself.
        Ok((Warmup { n_tokens: tokens, elapsed_ns, settled: true }, note.into_iter().collect()))
    }

    fn send(&mut self, shape: Shape, bounds: Bounds, source: &mut dyn Source) -> Result<Measured> {
        let (encoder, stop) = (self.counter.encoder.clone(), interrupt::flag());
        Ok(run_load(&self.settings, shape, bounds, source, encoder, &mut self.progress, stop)?)
    }
}
