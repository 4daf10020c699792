//! What is being done, on stderr: one line that is overwritten, on a terminal only; with
//! `--progress` a line for each step, in llama-bench's words.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pacemark_bench::{Observer, Phase, Test};
use pacemark_record::{Sample, Warmup};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// Watches a benchmark.
pub(super) struct Progress {
    bar: ProgressBar,
    lines: bool,
    verbose: bool,
    /// Number of the test, from 1.
    test: usize,
    of: usize,
    repetitions: usize,
    name: String,
    n_tokens: u64,
    /// Whose turn it is, where there are several.
    backend: String,
    /// Rates so far, by backend.
    rates: HashMap<String, Vec<f64>>,
    /// Warnings that were printed: a model is read for each test, and warns once.
    warned: RefCell<HashSet<String>>,
}

impl Progress {
    /// For `of` tests.
    pub(super) fn new(of: usize, repetitions: usize, lines: bool, verbose: bool) -> Progress {
        // indicatif draws nothing when stderr is not a terminal; lines of our own would break its
        // line.
        let target = if lines || verbose {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let (name, backend, rates) = (String::new(), String::new(), HashMap::new());
        let warned = RefCell::default();
        Progress {
            bar,
            lines,
            verbose,
            test: 0,
            of,
            repetitions,
            name,
            n_tokens: 0,
            backend,
            rates,
            warned,
        }
    }

    /// Shows `what` until something else is shown.
    pub(super) fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// Tells what was passed over while a model was read.
    pub(super) fn warn(&self, warnings: &[String]) {
        for warning in warnings {
            if self.warned.borrow_mut().insert(warning.clone()) {
                self.suspend(|| eprintln!("warning: {warning}"));
            }
        }
    }

    /// Asked to tell about each model.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Prints with the line out of the way.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    fn line(&self, what: &str) {
        if self.lines {
            eprintln!("pacemark bench: benchmark {}/{}: {what}", self.test, self.of);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress {
    fn trial_started(&mut self, test: &Test) {
        self.test += 1;
        self.name = test.name();
        let n_tokens = (test.n_prompt + test.n_gen) * test.n_parallel.unwrap_or(1);
        self.n_tokens = n_tokens as u64;
        self.rates.clear();
        self.line(&format!("{}: starting", self.name));
    }

    fn turn(&mut self, backend: &str) {
        backend.clone_into(&mut self.backend);
    }

    fn phase(&mut self, phase: Phase) {
        let who =
            if self.backend.is_empty() { String::new() } else { format!("{}: ", self.backend) };
        let what = match phase {
            Phase::Depth => "depth run".to_owned(),
            Phase::Warmup(run) => format!("warmup run {run}"),
            Phase::Repetition(run) => format!("run {run}/{}", self.repetitions),
        };
        let what = who + &what;
        self.line(&what);
        let so_far = match self.rates.get(&self.backend) {
            None => String::new(),
            Some(rates) => {
                format!(", {:.1} t/s so far", rates.iter().sum::<f64>() / rates.len() as f64)
            }
        };
        self.say(&format!("[{}/{}] {}: {what}{so_far}", self.test, self.of, self.name));
    }

    fn warmed_up(&mut self, warmup: &Warmup) {
        if self.verbose {
            let times: Vec<_> =
                warmup.elapsed_ns.iter().map(|ns| format!("{:.1}", *ns as f64 / 1e6)).collect();
            let verdict = if warmup.settled { "settled" } else { "not settled" };
            eprintln!(
                "{}: warm-up of {} tokens: {} ms, {verdict}",
                self.name,
                warmup.n_tokens,
                times.join(", ")
            );
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let rates = self.rates.entry(self.backend.clone()).or_default();
        rates.push(1e9 * self.n_tokens as f64 / sample.elapsed_ns.max(1) as f64);
    }
}
