//! `pacemark bench`: how fast a model is on this machine, with llama-bench's flags and formats.
//!
//! Here the flags are read and turned to a list of tests; [`runner`] loads the models and runs them
//! through `bench`, `report` formats what comes out. The flags of llama-bench that have no meaning
//! on a CPU are in [`compat`].

mod argv;
mod backends;
mod compat;
mod lists;
mod progress;
mod roof;
mod runner;
mod synthetic;

use crate::exit::{Exit, UsageError};
use crate::until::UntilArgs;
use crate::{experiments, hub, input, machine, output};
use anyhow::{Context, Result};
pub(crate) use argv::long_options;
use compat::CompatFlags;
use lists::{Numbers, Pair};
use pacemark_backends::native::Numa;
use pacemark_backends::{BACKENDS, LoadOptions};
use pacemark_bench::experiment::find;
use pacemark_bench::{
    Axis, Batched, Case, EXPERIMENTS, Experiment, Grid, Repetitions, Shapes, Test, Throughput,
};
use serde_json::Value;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// More threads than any machine has; llama.cpp's bound.
const MAX_THREADS: usize = 512;

/// llama.cpp's bound of sequences in a context (`LLAMA_MAX_SEQ`).
const MAX_PARALLEL: usize = 256;

const EXAMPLES: &str = "\
Examples:
  pacemark bench                                 the default model: 512 prompt tokens, 128 generated
  pacemark bench -m model.gguf -p 128-2048*2     prompts of 128, 256, 512, 1024 and 2048 tokens
  pacemark bench -m a.gguf,b.gguf -t 1-4 -r 10   two models, one to four threads, ten repetitions
  pacemark bench -p 0 -n 32 -d 0,1024,4096       generation after 0, 1024 and 4096 tokens of context
  pacemark bench -p 0 -n 0 -pg 1000,200          a prompt and its answer, timed as one
  pacemark bench -o json > result.json           llama-bench's fields, then Pacemark's own
  pacemark bench -npp 32 -ntg 50 -npl 1,2,4,8    several sequences at once, llama-batched-bench's table
  pacemark bench --backend native,llama-cpp      both in turn (A B B A), and who is faster for certain

Lists are separated by commas or made by giving a flag again (a file whose name has commas is one model); ranges are first-last,
first-last+step and first-last*factor. Every combination is measured. Commands written for
llama-bench work as they are, its short options (-ngl, -fa, ...) too, where they do not ask for
what only a GPU can do.";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES, after_long_help = experiments::help_of_backends(EXAMPLES))]
pub(super) struct Args {
    /// Models: files, Hugging Face directories, catalog names or hf:ORG/REPO/FILE
    #[arg(short, long, value_name = "MODEL", default_value = hub::DEFAULT_MODEL)]
    model: Vec<String>,
    #[command(flatten)]
    weights: input::WeightType,
    /// Repository of a model on the Hugging Face hub, with --hf-file (-hf, -hfr)
    #[arg(long, value_name = "ORG/REPO", value_delimiter = ',', conflicts_with = "model")]
    hf_repo: Vec<String>,
    /// Its file (-hff)
    #[arg(long, value_name = "FILE", value_delimiter = ',', requires = "hf_repo")]
    hf_file: Vec<String>,
    /// Backends to measure, in turn where there are several: native, llama-cpp
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = BACKENDS[0].name)]
    backend: Vec<String>,
    /// Prompt lengths to measure; 0 for none
    #[arg(
        short = 'p',
        long,
        value_name = "N",
        default_value = "512",
        allow_negative_numbers = true
    )]
    n_prompt: Vec<Numbers>,
    /// Generated lengths to measure; 0 for none
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value = "128",
        allow_negative_numbers = true
    )]
    n_gen: Vec<Numbers>,
    /// Prompt followed by generation, timed as one (-pg)
    #[arg(long, value_name = "PP,TG")]
    pg: Vec<Pair>,
    /// Sequences computed together: llama-batched-bench's table in place of llama-bench's (-npl)
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with_all = ["n_prompt", "n_gen", "pg", "n_depth"])]
    npl: Vec<Numbers>,
    /// Prompt lengths of each sequence of --npl [default: 128] (-npp)
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "npl")]
    npp: Vec<Numbers>,
    /// Generated lengths of each sequence of --npl [default: 128] (-ntg)
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "npl")]
    ntg: Vec<Numbers>,
    /// Tokens that are in the KV cache before the timed ones
    #[arg(short = 'd', long, value_name = "N", default_value = "0", allow_negative_numbers = true)]
    n_depth: Vec<Numbers>,
    /// Bounds --ubatch-size from above, as in llama.cpp
    #[arg(
        short = 'b',
        long,
        value_name = "N",
        default_value = "2048",
        allow_negative_numbers = true
    )]
    batch_size: Vec<Numbers>,
    /// Prompt tokens computed at once (-ub)
    #[arg(long, value_name = "N", default_value = "512", allow_negative_numbers = true)]
    ubatch_size: Vec<Numbers>,
    /// Threads that compute one token [default: all processors]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    threads: Vec<Numbers>,
    /// Threads that compute prompts and batches [default: as many as -t] (-tb)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads_batch: Vec<Numbers>,
    /// Lock the weights in memory: never swapped out, refused where the process may not
    #[arg(long)]
    mlock: bool,
    /// Place threads by memory nodes: distribute, isolate or numactl
    #[arg(long, value_name = "HOW", value_parser = input::numa)]
    numa: Option<Numa>,
    /// What to measure [default: throughput; with --npl, batched]
    #[arg(long, value_name = "NAME", value_parser = experiments::of_backends())]
    experiment: Option<String>,
    /// Repetitions of each test; with --until at least so many
    #[arg(short, long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    #[command(flatten)]
    until: UntilArgs,
    /// Seconds to wait before each test
    #[arg(long, value_name = "S", default_value = "0")]
    delay: u64,
    /// Count from the first run on
    #[arg(long)]
    no_warmup: bool,
    /// Do not measure what the machine allows beside the tests: no % roof
    #[arg(long)]
    no_roof: bool,
    /// Format on standard output
    #[arg(short, long, value_name = "FORMAT", default_value = "md", value_parser = output::formats(&[]))]
    output: String,
    /// Format on standard error (-oe)
    #[arg(long, value_name = "FORMAT", default_value = "none", value_parser = output::formats(&["none"]))]
    output_err: String,
    /// Write the record, with every repetition's time, as JSON; `pacemark show` reads it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Say on standard error what is being done, a line for each step
    #[arg(long)]
    progress: bool,
    /// Tell about each model and warm-up on standard error
    #[arg(short, long)]
    verbose: bool,
    /// Show what can compute, and exit
    #[arg(long)]
    list_devices: bool,
    #[command(flatten)]
    compat: CompatFlags,
}

/// All that is to be measured.
struct Plan {
    experiment: &'static dyn Experiment,
    tests: Vec<Test>,
    /// Parameters with several values or another than llama-bench's default.
    varied: Vec<&'static str>,
}

/// Runs `pacemark bench`.
pub(super) fn run(args: Args) -> Result<Exit> {
    if args.list_devices {
        let cpu = pacemark_record::env::cpu_model().unwrap_or_else(|| "unknown processor".into());
        writeln!(std::io::stdout(), "Available devices:\n  CPU: {cpu}")?;
        return Ok(Exit::Fine);
    }
    backends::check(&args.backend)?;
    let plan = args.plan()?;
    if plan.tests.is_empty() {
        return Err(
            UsageError("nothing to measure: -p, -n and -pg ask for no tokens".into()).into()
        );
    }
    runner::run(&args, &plan)
}

impl Plan {
    /// The test as it is recorded: batches with the room that they have in the KV cache.
    fn recorded(&self, test: &Test, n_kv_max: usize) -> Test {
        let mut test = test.clone();
        if test.n_parallel.is_some() {
            test.params.insert("n_kv_max".to_owned(), n_kv_max.into());
        }
        test
    }
}

impl Args {
    /// How often each test is run.
    fn repetitions(&self) -> Repetitions {
        self.until.repetitions(self.repetitions.get())
    }

    /// What measures the tests: the one that was named, else what the flags are of.
    fn experiment(&self) -> Result<&'static dyn Experiment> {
        let are_batches = !self.npl.is_empty();
        let name = match self.experiment.as_deref() {
            None if are_batches => Batched.name(),
            None => Throughput.name(),
            Some(name) if are_batches == (name == Batched.name()) => name,
            Some(name) => {
                let why = "batches (-npl) are measured by batched, all else by the others";
                return Err(UsageError(format!("--experiment {name}: {why}")).into());
            }
        };
        find(EXPERIMENTS, name).context("clap checked the name")
    }

    fn plan(&self) -> Result<Plan> {
        let all_threads = LoadOptions::default().n_threads;
        let mut n_threads = numbers(&self.threads);
        if n_threads.is_empty() {
            n_threads = vec![all_threads];
        }
        let own = [
            ("n_batch", "-b", numbers(&self.batch_size), 2048),
            ("n_ubatch", "-ub", numbers(&self.ubatch_size), 512),
            ("n_threads", "-t", n_threads, all_threads),
        ];
        if let Some((_, flag, ..)) = own.iter().find(|(_, _, values, _)| values.contains(&0)) {
            return Err(UsageError(format!("{flag} 0: at least 1 is needed")).into());
        }
        let n_threads_batch = numbers(&self.threads_batch);
        for (flag, values) in [("-t", &own[2].2), ("-tb", &n_threads_batch)] {
            if let Some(n) = values.iter().find(|n| !(1..=MAX_THREADS).contains(*n)) {
                return Err(UsageError(format!("{flag} {n}: from 1 to {MAX_THREADS}")).into());
            }
        }
        machine::note_threads("-t", own[2].2.iter().chain(&n_threads_batch).copied());
        let mut axes = vec![Axis {
            name: "model",
            values: self.models()?.into_iter().map(Value::from).collect(),
        }];
        let mut varied = Vec::new();
        if axes[0].values.len() > 1 {
            varied.push("model");
        }
        for (name, _, values, default) in own {
            if values != [default] {
                varied.push(name);
            }
            axes.push(Axis { name, values: values.into_iter().map(Value::from).collect() });
        }
        if !n_threads_batch.is_empty() {
            varied.push("n_threads_batch");
            let values = n_threads_batch.into_iter().map(Value::from).collect();
            axes.push(Axis { name: "n_threads_batch", values });
        }
        let batched = !self.npl.is_empty();
        if !batched {
            let depths = numbers(&self.n_depth).into_iter().map(Value::from).collect();
            axes.push(Axis { name: "n_depth", values: depths });
        }
        if self.backend.len() > 1 {
            varied.push("backend");
        }
        for (mut axis, is_varied) in self.compat.axes(&self.backend)? {
            let locked = self.mlock && axis.name == "load_mode";
            if locked {
                axis.values.iter_mut().for_each(|mode| *mode = with_mlock(mode).into());
            }
            if is_varied || locked {
                varied.push(axis.name);
            }
            axes.push(axis);
        }
        if let Some(numa) = self.numa {
            if varied.contains(&"cpu_mask") {
                return Err(UsageError(
                    "--numa: not together with -C, which names the processors itself".into(),
                )
                .into());
            }
            varied.push("numa");
            axes.push(Axis { name: "numa", values: vec![numa.name().into()] });
        }
        axes.sort_by_key(|axis| compat::ORDER.iter().position(|name| *name == axis.name));
        if batched {
            axes.extend(self.batches()?);
        }
        let shapes = Shapes {
            n_prompt: numbers(&self.n_prompt),
            n_gen: numbers(&self.n_gen),
            n_pg: self.pg.iter().map(|pair| (pair.0, pair.1)).collect(),
        };
        let n_tests = axes.iter().map(|axis| axis.values.len()).fold(1, usize::saturating_mul);
        if n_tests > lists::MAX_VALUES {
            let most = lists::MAX_VALUES;
            return Err(UsageError(format!(
                "the lists make {n_tests} combinations, at most {most} can be run"
            ))
            .into());
        }
        let experiment = self.experiment()?;
        let cases = experiment.cases(&Grid { axes, shapes }).into_iter();
        let tests =
            cases.filter_map(|case| if let Case::Test(test) = case { Some(test) } else { None });
        let tests: Vec<Test> = tests.collect();
        backends::check_kv_types(&self.backend, &tests)?;
        backends::check_native_only(&self.backend, &tests)?;
        Ok(Plan { experiment, tests, varied })
    }

    /// The axes of batches, in llama-batched-bench's order.
    fn batches(&self) -> Result<[Axis; 3]> {
        let or_default =
            |lists: &[Numbers]| if lists.is_empty() { vec![128] } else { numbers(lists) };
        let axes = [
            ("n_prompt", "-npp", or_default(&self.npp), 1),
            ("n_gen", "-ntg", or_default(&self.ntg), 0),
            ("n_parallel", "-npl", numbers(&self.npl), 1),
        ];
        for (_, flag, values, least) in &axes {
            if let Some(n) = values.iter().find(|n| *n < least) {
                return Err(UsageError(format!("{flag} {n}: at least {least} is needed")).into());
            }
        }
        if let Some(n) = axes[2].2.iter().find(|&&n| n > MAX_PARALLEL) {
            return Err(UsageError(format!("-npl {n}: at most {MAX_PARALLEL}")).into());
        }
        Ok(axes.map(|(name, _, values, _)| Axis {
            name,
            values: values.into_iter().map(Value::from).collect(),
        }))
    }

    /// What is typed after `-m`, or made of `-hf` and `-hff`.
    fn models(&self) -> Result<Vec<String>> {
        if self.hf_repo.is_empty() {
            return Ok(self.model.iter().flat_map(|list| hub::split_list(list)).collect());
        }
        let (repos, files) = (self.hf_repo.len(), self.hf_file.len());
        if repos != files {
            return Err(UsageError(format!(
                "{repos} times -hf but {files} times -hff: Pacemark does not choose a file of a repository, so give each"
            ))
            .into());
        }
        Ok(self
            .hf_repo
            .iter()
            .zip(&self.hf_file)
            .map(|(repo, file)| format!("hf:{repo}/{file}"))
            .collect())
    }
}

/// llama-bench's name of a way to load, with the weights locked.
fn with_mlock(mode: &Value) -> &'static str {
    if matches!(mode.as_str(), Some("none" | "mlock")) { "mlock" } else { "mmap+mlock" }
}

fn numbers(lists: &[Numbers]) -> Vec<usize> {
    lists.iter().flat_map(|list| list.0.iter().copied()).collect()
}

#[cfg(test)]
mod tests;
