//! One worker of a load: a process of its own, which is told over standard input what to send and
//! ends as soon as nobody is there any more to tell it.

use super::super::{Args, plan};
use super::message::{Order, Preparation, Word, next};
use crate::commands::{self, Cli, Command};
use crate::{interrupt, machine};
use anyhow::{Context, Result, bail};
use clap::Parser;
use pacemark_bench::{
    BenchError, Case, Experiment, How, Load, Repetitions, Silent, Subject, Warmups,
};
use pacemark_load::clock::now_ns;
use pacemark_load::plan::{Level, LoadPlan, Share};
use pacemark_load::{Live, Target, Watch};
use pacemark_record::Trial;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How often it tells how it goes.
const TELL: Duration = Duration::from_millis(500);

/// How often who waits for the beginning looks whether it is wanted any longer.
const LOOK: Duration = Duration::from_millis(2);

/// When the row begins, on this clock; 0 for not yet.
static GO_NS: AtomicU64 = AtomicU64::new(0);

/// Says a word; a coordinator that is gone ends the process elsewhere.
fn say(word: &Word) {
    let Ok(mut line) = serde_json::to_vec(word) else { return };
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(&line).and_then(|()| out.flush());
}

/// Runs the hidden command `load-worker`.
pub(crate) fn run() -> Result<()> {
    say(&Word::Hello(Box::new(machine::env())));
    let first = next(&mut std::io::stdin().lock(), false)?;
    let Some(Order::Prepare(preparation)) = first else {
        bail!("standard input: expected what to prepare")
    };
    let (rows, orders) = channel();
    let stop = interrupt::flag();
    std::thread::spawn(move || listen(&rows, stop));
    if let Err(error) = work(*preparation, &orders, stop) {
        say(&Word::Failed(format!("{error:#}")));
        // Who listens has read it when it closes our input.
        std::thread::sleep(Duration::from_secs(5));
    }
    Ok(())
}

/// Hears orders until nobody gives any, which is the end of the process.
fn listen(rows: &Sender<(Option<f64>, u64)>, stop: &AtomicBool) {
    let mut from = std::io::stdin().lock();
    while let Ok(Some(order)) = next(&mut from, false) {
        match order {
            Order::Ask(id) => say(&Word::Clock { id, at_ns: now_ns() }),
            Order::Row { at, row } => {
                GO_NS.store(0, Relaxed);
                let _ = rows.send((at, row)); // the process ends with who takes it
            }
            Order::Go { at_ns } => GO_NS.store(at_ns.max(1), Relaxed),
            Order::Stop => stop.store(true, Relaxed),
            Order::Prepare(_) => {}
        }
    }
    std::process::exit(1);
}

/// What the coordinator was asked for, as this worker's share of it.
fn planned(preparation: Preparation) -> Result<(Box<Args>, LoadPlan)> {
    let Preparation { arguments, url, api_key, nonce, index, of } = preparation;
    let arguments = commands::long_options(arguments.into_iter().map(Into::into));
    let cli = Cli::try_parse_from(arguments).context("another version of the coordinator")?;
    let Command::Load(mut args) = cli.command else { bail!("expected the arguments of a load") };
    args.resolve();
    args.api_key = api_key;
    args.nonce = Some(nonce);
    let of_coordinator = url.map(|url| Target::parse(&url)).transpose()?;
    let targets = args.targets().cloned().chain(of_coordinator).collect();
    let plan = plan::plan(&args, targets, Share { index, of })?;
    Ok((args, plan))
}

fn work(
    preparation: Preparation,
    orders: &Receiver<(Option<f64>, u64)>,
    stop: &AtomicBool,
) -> Result<()> {
    let (args, plan) = planned(preparation)?;
    say(&Word::Prepared);
    let first = plan::levels(&args)[0];
    while let Ok((at, row)) = orders.recv() {
        let level = match (first, at) {
            (Level::Streams(_) | Level::Rate(_), Some(at)) => first.at(at),
            (Level::Rate(_), None) => Level::Rate(f64::INFINITY),
            _ => first,
        };
        match measured(&plan, level, row, stop) {
            Ok(trial) => say(&Word::Row(trial.map(Box::new))),
            Err(BenchError::Interrupted) => say(&Word::Row(None)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn measured(
    plan: &LoadPlan,
    level: Level,
    row: u64,
    stop: &AtomicBool,
) -> Result<Option<Trial>, BenchError> {
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::UntilSettled,
        seed: 0,
        observer: &mut Silent,
        stop,
    };
    let mut told = Told(Instant::now());
    let mut subject = Subject::Load(plan, &mut told);
    let trials = Load.measure(&Case::Level(level, row), &mut subject, &mut how);
    trials.map(|mut trials| trials.pop()).map_err(|cut| cut.error)
}

/// Tells the coordinator how it goes.
struct Told(Instant);

impl Watch for Told {
    fn start(&mut self, stop: &AtomicBool) {
        say(&Word::Ready);
        loop {
            let go_ns = GO_NS.load(Relaxed);
            let left = Duration::from_nanos(go_ns.saturating_sub(now_ns()));
            if stop.load(Relaxed) || (go_ns > 0 && left.is_zero()) {
                return;
            }
            std::thread::sleep(if go_ns > 0 { left.min(LOOK) } else { LOOK });
        }
    }

    fn tick(&mut self, live: &Live) {
        if self.0.elapsed() < TELL {
            return;
        }
        self.0 = Instant::now();
        let Live { elapsed, in_flight, done, failed, frames, .. } = *live;
        let elapsed_ms = elapsed.as_millis() as u64;
        say(&Word::Live { elapsed_ms, in_flight, done, failed, frames });
    }
}
