//! One row after the other: so many streams, a rate, a ramp, a trace, or a sweep's next level.

use super::child::Child;
use super::progress::Progress;
use super::prompts::{self, Counter, Wanted};
use super::trials::{self, Row};
use super::{Args, server};
use crate::exit::Exit;
use crate::{interrupt, machine};
use anyhow::{Context, Result, bail};
use pacemark_load::prompt::{Session, Source};
use pacemark_load::{
    Arrivals, Bounds, Knee, METRICS, Measured, Point, Rate, Settings, Shape, Sweep, Watch, run as run_load, warnings,
};
use pacemark_record::env::CpuTime;
use pacemark_record::{LimitVerdict, Run, SCHEMA, SteadyVerdict, Trial, Warmup, stats};
use pacemark_report::{Closing, Form, Layout, render};
use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Streams, where nothing else is said.
const STREAMS: usize = 4;

/// Requests of a row, where nothing else is said: at least so many, and so many for each stream.
const REQUESTS: u64 = 64;
const REQUESTS_A_STREAM: u64 = 16;

/// A nonce is a number that JSON readers keep exactly.
const NONCE_BITS: u64 = (1 << 48) - 1;

/// What one row sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// So many at once.
    Streams(usize),
    /// Requests a second.
    Rate(f64),
    /// A rate that changes.
    Ramp(super::options::Ramp),
    /// As recorded.
    Trace,
}

impl Level {
    fn name(self) -> String {
        match self {
            Level::Streams(n) => format!("{n} streams"),
            Level::Rate(rate) => format!("{rate}/s"),
            Level::Ramp(ramp) => format!("ramp {ramp}"),
            Level::Trace => "trace".to_owned(),
        }
    }
}

/// Those of the flags, in order.
fn levels(args: &Args) -> Vec<Level> {
    if args.trace.is_some() {
        return vec![Level::Trace];
    }
    if let Some(ramp) = args.ramp {
        return vec![Level::Ramp(ramp)];
    }
    if !args.rate.is_empty() {
        return args.rate.iter().map(|rate| Level::Rate(*rate)).collect();
    }
    match (&args.concurrency[..], args.sweep) {
        ([], true) => vec![Level::Streams(1)],
        ([], false) => vec![Level::Streams(STREAMS)],
        (given, _) => given.iter().map(|n| Level::Streams(*n)).collect(),
    }
}

/// A server for all rows: room for as many streams as the largest has.
fn serve_arguments(args: &Args, model: &str) -> Vec<String> {
    let most = args.concurrency.iter().copied().max().unwrap_or(STREAMS).max(16).to_string();
    let mut words: Vec<String> = ["-m", model, "--max-num-seqs", &most].map(str::to_owned).to_vec();
    words.extend(args.serve_arg.iter().cloned());
    words
}

/// Everything that the rows of one command share.
struct Loads<'a> {
    args: &'a Args,
    settings: Settings,
    counter: Counter,
    nonce: u64,
    progress: Progress,
}

/// Runs every row, shows it, and says what is to be thought of all.
pub fn run(args: &Args) -> Result<Exit> {
    // Ends with this function, however it ends.
    let child = args.serve.as_deref().map(|model| Child::serve(&serve_arguments(args, model))).transpose()?;
    let target = args.url.clone().or(child.as_ref().map(|child| child.target.clone())).context("clap asked for one")?;
    let settings = server::settings(args, target)?;
    let counter = prompts::counter(args, &settings)?;
    // Another for each run: what the server remembers of the last one must not help.
    let nonce =
        args.nonce.unwrap_or_else(|| (pacemark_load::clock::now_ns() ^ machine::now_unix_s() << 20) & NONCE_BITS);
    let mut loads = Loads { args, settings, counter, nonce, progress: Progress::new() };
    let stop = interrupt::flag();
    let mut env = machine::env();
    let layout = Layout { varied: &[], metrics: METRICS, form: Form::Load };
    let renderer = render::find(&args.output).context("clap checked the format")?;
    let mut renderer_of_rows = (renderer.new)();
    write(&loads.progress, &renderer_of_rows.begin(&layout))?;
    let (mut trials, mut sweep, mut notes): (Vec<Trial>, Sweep, Vec<String>) = Default::default();
    let mut next = levels(args);
    next.reverse();
    while let Some(level) = next.pop() {
        let trial = loads.measure(level, trials.len() as u64)?;
        let row = pacemark_report::Row { env: &env, trial: &trial, comparisons: &[] };
        write(&loads.progress, &renderer_of_rows.row(&layout, &row))?;
        notes.extend(warnings(&trial).into_iter().map(|note| format!("{}: {note}", level.name())));
        sweep.push(point(level, &trial));
        trials.push(trial);
        if stop.load(Relaxed) {
            break;
        }
        if args.sweep {
            next.extend(sweep.next_level(args.sweep_to).map(|at| match level {
                Level::Streams(_) => Level::Streams(at as usize),
                _ => Level::Rate(at),
            }));
        }
    }
    if args.sweep {
        notes.push(knee(&sweep));
    }
    let (exit, judged) = judge(args, &trials);
    notes.extend(judged);
    env.steal_share = trials.iter().filter_map(|trial| trial.steal_share).reduce(f64::max);
    let closing = Closing { env: &env, comparisons: &[], notes: &notes };
    write(&loads.progress, &renderer_of_rows.end(&layout, &closing))?;
    if !renderer.tells {
        notes.iter().for_each(|note| eprintln!("warning: {note}"));
    }
    if let Some(path) = &args.save {
        let run = Run { schema: SCHEMA, command: std::env::args().collect(), env, trials };
        let shown = path.display();
        let file = std::fs::File::create(path).with_context(|| format!("cannot write {shown}"))?;
        let mut file = std::io::BufWriter::new(file);
        serde_json::to_writer(&mut file, &trials::without_secrets(run))
            .with_context(|| format!("cannot write {shown}"))?;
        file.flush().with_context(|| format!("cannot write {shown}"))?;
    }
    Ok(exit)
}

fn write(progress: &Progress, text: &str) -> Result<()> {
    progress.suspend(|| {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    })?;
    Ok(())
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
}

impl Loads<'_> {
    fn measure(&mut self, level: Level, row: u64) -> Result<Trial> {
        self.progress.begin(&level.name());
        let Wanted { mut source, arrivals, exact } = prompts::wanted(self.args, &self.counter, self.nonce, row)?;
        let warmup = self.warm_up(level, source.as_mut())?;
        let bounds = self.bounds(level, arrivals.as_deref());
        let began = machine::now_unix_s();
        let before = CpuTime::now();
        let shape = self.shape(level, arrivals);
        let measured = self.load(shape, bounds, source.as_mut())?;
        if measured.requests.is_empty() && interrupt::flag().load(Relaxed) {
            bail!("interrupted before a request had ended");
        }
        if measured.requests.is_empty() {
            bail!("no request was sent: the rate is too low for --duration, or prompts could not be made");
        }
        let steal_share = before.zip(CpuTime::now()).and_then(|(before, now)| before.steal_share_until(now));
        let row = Row { args: self.args, settings: &self.settings, level, bounds, nonce: self.nonce, exact };
        Ok(Trial { started_unix_s: began, warmup, steal_share, ..trials::trial(&row, &self.counter.name, measured) })
    }

    /// Real requests that are not counted.
    fn warm_up(&mut self, level: Level, source: &mut dyn Source) -> Result<Warmup> {
        let (streams, usual) = match level {
            Level::Streams(n) => (n, n as u64),
            Level::Rate(_) | Level::Ramp(_) => (1, 1),
            Level::Trace => (1, 0),
        };
        let requests = self.args.warmup.unwrap_or(usual);
        if requests == 0 {
            return Ok(Warmup { settled: true, ..Warmup::default() });
        }
        let bounds = Bounds { requests: Some(requests), duration: None };
        let shape = Shape::Closed { concurrency: streams.min(requests as usize) };
        let measured = self.load(shape, bounds, &mut First { of: source, left: requests })?;
        let answered = || measured.requests.iter().filter(|request| request.is_ok());
        let elapsed_ns: Vec<u64> = answered().filter_map(|request| request.e2e_ns()).collect();
        let tokens = answered().filter_map(|request| request.output_usage).max().unwrap_or(0);
        // Requests side by side are not runs in turn: what drift there is shows in the load itself.
        Ok(Warmup { n_tokens: tokens, elapsed_ns, settled: true })
    }

    fn load(&mut self, shape: Shape, bounds: Bounds, source: &mut dyn Source) -> Result<Measured> {
        let (encoder, stop) = (self.counter.encoder.clone(), interrupt::flag());
        let watch: &mut dyn Watch = &mut self.progress;
        Ok(run_load(&self.settings, shape, bounds, source, encoder, watch, stop)?)
    }

    fn bounds(&self, level: Level, arrivals: Option<&[u64]>) -> Bounds {
        let duration = self.args.duration.map(|duration| duration.0);
        let usual = match level {
            Level::Streams(n) => Some(REQUESTS.max(REQUESTS_A_STREAM * n as u64)),
            Level::Rate(_) => Some(REQUESTS),
            Level::Ramp(_) => None,
            Level::Trace => arrivals.map(|arrivals| arrivals.len() as u64),
        };
        let requests = self.args.requests.or(usual.filter(|_| duration.is_none()));
        Bounds { requests, duration }
    }

    fn shape(&self, level: Level, arrivals: Option<Vec<u64>>) -> Shape {
        let at = |rate| Box::new(Arrivals::new(self.args.arrival, rate, self.args.seed));
        let max_in_flight = self.args.max_in_flight;
        match level {
            Level::Streams(concurrency) => Shape::Closed { concurrency },
            Level::Rate(rate) => Shape::Open { arrivals: at(Rate::Fixed(rate)), max_in_flight },
            Level::Ramp(ramp) => {
                let seconds = self.args.duration.map_or(1.0, |duration| duration.0.as_secs_f64());
                Shape::Open { arrivals: at(Rate::Ramp { from: ramp.from, to: ramp.to, seconds }), max_in_flight }
            }
            Level::Trace => Shape::Open { arrivals: Box::new(arrivals.unwrap_or_default().into_iter()), max_in_flight },
        }
    }
}

/// What a sweep sees of a row: goodput where there are limits, else tokens a second.
fn point(level: Level, trial: &Trial) -> Point {
    let steady = trial.steady();
    let tokens = steady.as_ref().map(|steady| steady.tokens_per_second).or(trial.output_rate_total());
    let good = trial.n_good().and_then(|good| trial.request_rate(good));
    let seconds: Vec<f64> = trial.answered().filter_map(|request| Some(request.e2e_ns()? as f64 / 1e9)).collect();
    Point {
        level: match level {
            Level::Streams(n) => n as f64,
            Level::Rate(rate) => rate,
            Level::Ramp(_) | Level::Trace => 0.0,
        },
        rate: good.or(tokens).unwrap_or(0.0),
        seconds: stats::median(&seconds).unwrap_or(0.0),
        overloaded: matches!(steady.map(|steady| steady.verdict), Some(SteadyVerdict::Growing(_))),
    }
}

fn knee(sweep: &Sweep) -> String {
    match sweep.knee() {
        None => "the sweep ended before there were three levels: no knee".to_owned(),
        Some(knee) => format!(
            "knee at {} ({:.1}/s); most at {} ({:.1}/s){}; {}",
            knee.level,
            knee.rate,
            knee.best_level,
            knee.best_rate,
            if knee.saturated { ", saturated" } else { ", not saturated" },
            Knee::METHOD
        ),
    }
}

/// The exit code, and what was missed.
fn judge(args: &Args, trials: &[Trial]) -> (Exit, Vec<String>) {
    if trials.iter().all(|trial| trial.answered().next().is_none()) {
        return (Exit::Failed, vec!["no request was answered".to_owned()]);
    }
    let mut missed = Vec::new();
    for trial in trials {
        for result in trial.slo().map(|slo| slo.judge(trial)).unwrap_or_default() {
            let found = match result.found_ns {
                Some(ns) if ns.is_finite() => format!("{:.1} ms", ns / 1e6),
                Some(_) => "failures".to_owned(),
                None => "unknown".to_owned(),
            };
            let (limit, share) = (&result.limit, result.share_met * 100.0);
            let line = format!("{limit}: {}, found {found}, {share:.1} % of requests within", result.verdict.name());
            if result.verdict != LimitVerdict::Met {
                missed.push(line);
            }
        }
        missed.extend(args.target.iter().filter_map(|target| target.missed(trial)));
    }
    (if missed.is_empty() { Exit::Fine } else { Exit::Missed }, missed)
}
