//! From the flags to the list of tests: the axes, what cannot be, and which parameters get a column.

use super::{Args, backends, lists};
use crate::exit::UsageError;
use crate::{hub, machine, server, setup};
use anyhow::{Context, Result};
use lists::Numbers;
use pacemark_backends::BackendEntry;
use pacemark_bench::experiment::find;
use pacemark_bench::parameter::{
    CPU_MASK, KV, LOAD_MODE, MODEL, N_BATCH, N_CPU_MOE, N_DEPTH, N_GEN, N_PARALLEL, N_PROMPT,
    N_THREADS, N_THREADS_BATCH, N_UBATCH, NUMA,
};
use pacemark_bench::{
    Axis, Batched, Case, EXPERIMENTS, Experiment, Grid, Parameter, Shapes, Test, Throughput,
};
use pacemark_engine::Policy;
use pacemark_setup::{Place, Residence, Setup};

/// More threads than any machine has; llama.cpp's bound.
const MAX_THREADS: usize = 512;

/// llama.cpp's bound of sequences in a context (`LLAMA_MAX_SEQ`).
const MAX_PARALLEL: usize = 256;

/// All that is to be measured.
pub(super) struct Plan {
    /// What measures it.
    pub experiment: &'static dyn Experiment,
    /// Where, in turn.
    pub backends: Vec<&'static BackendEntry>,
    /// What, in this order.
    pub tests: Vec<Test>,
    /// Parameters with several values or another than llama-bench's default.
    pub varied: Vec<&'static str>,
    /// What the record is to say beside.
    pub notes: Vec<String>,
}

/// The axes so far.
#[derive(Default)]
struct Axes {
    axes: Vec<Axis>,
    varied: Vec<&'static str>,
}

impl Axes {
    fn add<T: 'static>(
        &mut self,
        parameter: Parameter,
        values: Vec<T>,
        is_varied: bool,
        set: fn(&mut Test, &T),
    ) {
        self.push(parameter, Axis::new(parameter, values, set), is_varied);
    }

    fn push(&mut self, parameter: Parameter, axis: Axis, is_varied: bool) {
        if is_varied {
            self.varied.push(parameter.name);
        }
        self.axes.push(axis);
    }
}

/// The plan that the flags make.
pub(super) fn plan(args: &Args) -> Result<Plan> {
    let backends = backends::named(&args.backend)?;
    let experiment = experiment(args)?;
    let mut axes = Axes::default();
    let models = models(args)?;
    let several = models.len() > 1;
    axes.add(MODEL, models, several, |test, model| test.model.clone_from(model));
    add_sizes(args, &mut axes)?;
    let are_batches = !args.npl.is_empty();
    if !are_batches {
        axes.add(N_DEPTH, numbers(&args.n_depth), false, |test, n| test.n_depth = *n);
    }
    add_policies(args, &backends, &mut axes)?;
    if backends.len() > 1 {
        axes.varied.push("backend");
    }
    add_settings(args, &backends, &mut axes)?;
    if are_batches {
        add_batches(args, &mut axes)?;
    }
    let Axes { axes, varied } = axes;
    let n_tests = axes.iter().map(Axis::n_values).fold(1, usize::saturating_mul);
    if n_tests > lists::MAX_VALUES {
        let most = lists::MAX_VALUES;
        return Err(UsageError(format!(
            "the lists make {n_tests} combinations, at most {most} can be run"
        ))
        .into());
    }
    let (n_prompt, n_gen) = (numbers(&args.n_prompt), numbers(&args.n_gen));
    let shapes = if args.cold.cold {
        // A process that is started has a prompt and answers it.
        let each = n_prompt.iter().flat_map(|p| n_gen.iter().map(|n| (*p, *n)));
        Shapes { n_pg: each.collect(), ..Shapes::default() }
    } else {
        let n_pg = args.pg.iter().map(|pair| (pair.0, pair.1)).collect();
        Shapes { n_prompt, n_gen, n_pg }
    };
    let weights = Residence { mlock: args.mlock, ..args.weights.residence() };
    let mut base = Test {
        setup: Setup { weights, precision: args.dtype.get(), ..Setup::default() },
        ..Test::default()
    };
    base.setup.server = args.server.server(&backends)?;
    args.workers.set(&mut base.setup.offload)?;
    args.planned.set(&mut base)?;
    let cases = experiment.cases(&Grid { base, axes, shapes }).into_iter();
    let tests: Vec<Test> = cases
        .filter_map(|case| if let Case::Test(test) = case { Some(test) } else { None })
        .collect();
    let keeps_experts = |test: &Test| {
        let n = test.inert.iter().find(|(name, _)| *name == N_CPU_MOE.name);
        n.is_some_and(|(_, n)| *n != 0) && !test.setup.offload.is_here()
    };
    if tests.iter().any(keeps_experts) {
        let why = "experts cannot be kept here while layers go to devices or workers";
        return Err(UsageError(format!("-ncmoe: {why}")).into());
    }
    for backend in &backends {
        let of_backend = |test: &Test| setup::check(backend, server::told(backend, &test.setup));
        tests.iter().try_for_each(|test| of_backend(test).map(|_| ()))?;
    }
    Ok(Plan { experiment, backends, tests, varied, notes: Vec::new() })
}

/// What measures the tests: the one that was named, else what the flags are of.
fn experiment(args: &Args) -> Result<&'static dyn Experiment> {
    let are_batches = !args.npl.is_empty();
    let name = match args.experiment.as_deref() {
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

/// Sizes of batches, and threads.
fn add_sizes(args: &Args, axes: &mut Axes) -> Result<()> {
    let default = Setup::default();
    let (n_batch, n_ubatch) = (numbers(&args.batch_size), numbers(&args.ubatch_size));
    let mut n_threads = numbers(&args.threads);
    if n_threads.is_empty() {
        n_threads.push(default.threads.n);
    }
    let n_threads_batch = numbers(&args.threads_batch);
    for (flag, values) in [("-b", &n_batch), ("-ub", &n_ubatch), ("-t", &n_threads)] {
        if values.contains(&0) {
            return Err(UsageError(format!("{flag} 0: at least 1 is needed")).into());
        }
    }
    for (flag, values) in [("-t", &n_threads), ("-tb", &n_threads_batch)] {
        if let Some(n) = values.iter().find(|n| !(1..=MAX_THREADS).contains(*n)) {
            return Err(UsageError(format!("{flag} {n}: from 1 to {MAX_THREADS}")).into());
        }
    }
    machine::note_threads("-t", n_threads.iter().chain(&n_threads_batch).copied());
    let varied = |values: &[usize], default: usize| values != [default];
    let is_varied = varied(&n_batch, default.n_batch);
    axes.add(N_BATCH, n_batch, is_varied, |test, n| test.setup.n_batch = *n);
    let is_varied = varied(&n_ubatch, default.n_ubatch);
    axes.add(N_UBATCH, n_ubatch, is_varied, |test, n| test.setup.n_ubatch = *n);
    let is_varied = varied(&n_threads, default.threads.n);
    axes.add(N_THREADS, n_threads, is_varied, |test, n| test.setup.threads.n = *n);
    if !n_threads_batch.is_empty() {
        let set = |test: &mut Test, n: &usize| test.setup.threads.n_batch = Some(*n);
        axes.add(N_THREADS_BATCH, n_threads_batch, true, set);
    }
    Ok(())
}

/// The flags of llama-bench's table, `--mlock` and `--numa`.
fn add_settings(args: &Args, backends: &[&BackendEntry], axes: &mut Axes) -> Result<()> {
    for choices in args.compat.choices(backends)? {
        let choices = if args.planned.is_wanted() { choices.or_none_and_all() } else { choices };
        let parameter = choices.parameter;
        let is_varied = choices.is_varied || args.mlock && parameter.name == LOAD_MODE.name;
        axes.push(parameter, choices.axis(), is_varied);
    }
    let Some(numa) = args.numa else { return Ok(()) };
    if axes.varied.contains(&CPU_MASK.name) {
        return Err(UsageError(
            "--numa: not together with -C, which names the processors itself".into(),
        )
        .into());
    }
    axes.add(NUMA, vec![numa], true, |test, numa| {
        test.setup.threads.place = Place::Nodes(*numa);
    });
    Ok(())
}

/// What of the keys and values is kept.
fn add_policies(args: &Args, backends: &[&BackendEntry], axes: &mut Axes) -> Result<()> {
    let specs: Vec<String> = args.kv.iter().flat_map(|list| Policy::list(list)).collect();
    if specs.is_empty() {
        return Ok(());
    }
    let depth = numbers(&args.n_depth).into_iter().find(|depth| *depth > 0);
    for spec in &specs {
        let Some(policy) = Policy::parse(spec).map_err(|error| UsageError(error.to_string()))?
        else {
            continue;
        };
        if let Some(backend) = backends.iter().find(|backend| !backend.kv_policies) {
            let name = backend.name;
            return Err(UsageError(format!("--kv {spec}: the {name} backend keeps all")).into());
        }
        if let Some(depth) = depth.filter(|_| policy.works_on_prompts()) {
            return Err(UsageError(format!(
                "--kv {spec}: what it keeps depends on where the prompt ends, so -d {depth} is no \
                 beginning of one; -pg {depth},N times a prompt of {depth} with what follows"
            ))
            .into());
        }
    }
    axes.add(KV, specs, true, |test, spec| test.kv = Some(spec.clone()));
    Ok(())
}

/// The axes of batches, in llama-batched-bench's order.
fn add_batches(args: &Args, axes: &mut Axes) -> Result<()> {
    let or_default = |lists: &[Numbers]| if lists.is_empty() { vec![128] } else { numbers(lists) };
    let (n_prompt, n_gen) = (or_default(&args.npp), or_default(&args.ntg));
    let n_parallel = numbers(&args.npl);
    for (flag, values, least) in
        [("-npp", &n_prompt, 1), ("-ntg", &n_gen, 0), ("-npl", &n_parallel, 1)]
    {
        if let Some(n) = values.iter().find(|n| **n < least) {
            return Err(UsageError(format!("{flag} {n}: at least {least} is needed")).into());
        }
    }
    if let Some(n) = n_parallel.iter().find(|&&n| n > MAX_PARALLEL) {
        return Err(UsageError(format!("-npl {n}: at most {MAX_PARALLEL}")).into());
    }
    axes.add(N_PROMPT, n_prompt, false, |test, n| test.n_prompt = *n);
    axes.add(N_GEN, n_gen, false, |test, n| test.n_gen = *n);
    axes.add(N_PARALLEL, n_parallel, false, |test, n| test.n_parallel = Some(*n));
    Ok(())
}

/// What is typed after `-m`, or made of `-hf` and `-hff`.
fn models(args: &Args) -> Result<Vec<String>> {
    if args.hf_repo.is_empty() {
        return Ok(args.model.iter().flat_map(|list| hub::split_list(list)).collect());
    }
    let (repos, files) = (args.hf_repo.len(), args.hf_file.len());
    if repos != files {
        return Err(UsageError(format!(
            "{repos} times -hf but {files} times -hff: Pacemark does not choose a file of a repository, so give each"
        ))
        .into());
    }
    let both = args.hf_repo.iter().zip(&args.hf_file);
    Ok(both.map(|(repo, file)| format!("hf:{repo}/{file}")).collect())
}

fn numbers(lists: &[Numbers]) -> Vec<usize> {
    lists.iter().flat_map(|list| list.0.iter().copied()).collect()
}
