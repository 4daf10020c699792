//! `pacemark suite`: one file describes a benchmark, one command runs it: latency, memory, throughput,
//! and any other experiment, of several models.
//!
//! `file` reads what was asked for, `settings` knows where each value came from, `models` what each
//! name stands for; `plan` makes steps of it, which `runner` runs in processes of their own and
//! `state` keeps; `figures` and `report` say what came of them.

mod figures;
mod file;
pub(crate) mod job;
mod models;
mod plan;
mod prompts;
mod report;
mod runner;
mod settings;
mod state;
mod targets;
mod time;

use crate::exit::{self, Exit, UsageError};
use crate::{input, interrupt, machine, output};
use anyhow::{Context, Result};
use file::{INIT, PROMPT_SETS, Suite};
use models::{Model, ModelEntry};
use pacemark_bench::targets::{Judged, Target, read_tree};
use pacemark_record::TargetVerdict;
use pacemark_report::layout::compact_time;
use pacemark_yaml::{Node, Value, YamlError};
use runner::Ending;
use settings::{Origin, Settings};
use state::State;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:
  pacemark suite --init > suite.yaml                          a file with every value and what it means
  pacemark suite suite.yaml --dry-run                         what it would do, and how long that takes
  pacemark suite suite.yaml                                   all of it; results in data/benchmarks/…
  pacemark suite suite.yaml --resume                          go on where it ended
  pacemark suite --model gpt2 --output ./results --format csv without a file
  pacemark suite suite.yaml --set latency.test_runs=3 --set throughput.concurrent_requests='[1, 8]'
  PACEMARK_SUITE_LATENCY__TEST_RUNS=3 pacemark suite suite.yaml

Each row is measured in a process of its own; its record is in FOLDER/steps (`pacemark show`), how far the \
suite is in FOLDER/suite.json. Ctrl-C, a crash or the end of the machine cost the row in progress.

Exit codes: 0 all was measured, 1 something failed or it was interrupted, 2 wrong usage, 3 a target was missed or \
could not be shown to be met.";

/// Run a suite of benchmarks that a YAML file describes
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The suite: YAML [default: what --init writes]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print a commented file with every default, and exit
    #[arg(long, exclusive = true)]
    init: bool,
    /// Show the plan with its expected time, and measure nothing
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// Measure these models in place of the file's: NAME, or NAME=FILE, a name of your own
    #[arg(short, long, value_name = "MODEL")]
    model: Vec<String>,
    /// Where the folder of the results is made, in place of report.output_dir
    #[arg(long, value_name = "DIR")]
    output_dir: Option<String>,
    /// Reports in the folder, in place of report.format: json, csv
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    format: Vec<String>,
    /// A value in place of the file's, by its keys; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Go on with the suite in that folder, or in the last one under the output folder
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    resume: Option<Option<PathBuf>>,
    /// How to print what came of it; or, as other benchmark tools have it, the folder of the results
    #[arg(short, long, value_name = "FORMAT|DIR", default_value = "md")]
    output: String,
}

/// Runs `pacemark suite`.
pub(super) fn run(args: &Args) -> Result<Exit> {
    if args.init {
        std::io::stdout().write_all(INIT.as_bytes())?;
        return Ok(Exit::Fine);
    }
    let (suite, settings, wanted) = read(args)?;
    let models = models_of(&suite)?;
    let steps = plan::steps(&suite, &models)?;
    let file = args.file.as_ref().map_or(String::new(), |file| file.display().to_string());
    let state = State::new(file, machine::env(), settings.all(), models, steps);
    if state.steps.is_empty() {
        return Err(UsageError("there is nothing to measure: every list is empty".into()).into());
    }
    if args.dry_run {
        return show_plan(args, &state);
    }
    if cfg!(debug_assertions) {
        eprintln!("warning: debug build, figures are not those of a release build");
    }
    let stop = interrupt::flag();
    let (mut state, folder) = begin(args, &suite, state)?;
    let _alone = lock(&folder)?;
    let ending = runner::run(&mut state, &folder)?;
    let measured = state.done.iter().any(|done| done.error.is_none());
    let written = if measured { report::write(&suite, &state, &folder)? } else { Vec::new() };
    let mut document = report::document(&state, &folder);
    let outcome = targets::judged(&state, &wanted, &folder);
    if !wanted.is_empty() {
        report::add_targets(&mut document, &outcome);
        let path = folder.join("targets.xml");
        let text = pacemark_bench::targets::junit(&outcome, false);
        pacemark_files::write(&path, text.as_bytes())
            .with_context(|| path.display().to_string())?;
    }
    print(args, &document)?;
    for file in written {
        eprintln!("report: {}", file.display());
    }
    let failed = state.done.iter().filter(|done| done.error.is_some()).count();
    if ending == Ending::Interrupted || stop.load(std::sync::atomic::Ordering::Relaxed) {
        let (n, of) = (state.done.len(), state.steps.len());
        eprintln!("interrupted: {n} of {of} steps are done; --resume {} goes on", folder.display());
        return Ok(Exit::Failed);
    }
    if failed > 0 {
        eprintln!("error: {failed} of {} steps failed", state.steps.len());
        return Ok(Exit::Failed);
    }
    let is_met = |judged: &Judged| judged.verdict == TargetVerdict::Met;
    if !wanted.is_empty() && outcome.judged.is_empty() {
        eprintln!("error: no target is of a model that was measured");
        return Ok(Exit::Missed);
    }
    let all_met = outcome.judged.iter().all(is_met);
    Ok(if all_met { Exit::Fine } else { Exit::Missed })
}

/// What file, environment and flags say together.
fn read(args: &Args) -> Result<(Suite, Settings, Vec<Target>)> {
    match &args.file {
        Some(path) => read_text(args, &path.display().to_string(), &input::read_file(path)?),
        None => read_text(args, "the defaults", "{}"),
    }
}

/// The same of a file's text.
fn read_text(args: &Args, name: &str, text: &str) -> Result<(Suite, Settings, Vec<Target>)> {
    let (tree, settings, parts) = tree_of(args, name, text)?;
    let suite =
        file::read(name, &tree, &settings, &parts).map_err(|error| mistaken(&settings, error))?;
    let targets = match suite.has_targets {
        true => read_tree(name, &tree).map_err(|error| mistaken(&settings, error))?,
        false => Vec::new(),
    };
    Ok((suite, settings, targets))
}

/// A file's text as a tree, with what the environment and flags say put into it, where each of that came
/// from, and the parts that the file itself names.
fn tree_of(args: &Args, name: &str, text: &str) -> Result<(Node, Settings, Vec<&'static str>)> {
    let usage = |why: String| UsageError(why);
    let mut tree = pacemark_yaml::parse(name, text).map_err(|e| input::mistaken(&e))?;
    if tree.value == Value::Null {
        tree = Node { value: Value::Map(Vec::new()), ..tree };
    }
    let parts = file::parts(&tree);
    let mut settings = Settings::default();
    settings.put_environment(&mut tree, std::env::vars()).map_err(usage)?;
    for set in &args.set {
        let (key, value) =
            set.split_once('=').ok_or_else(|| usage(format!("--set {set}: expected KEY=VALUE")))?;
        let put = settings.put(&mut tree, key, value, Origin::Flag);
        put.map_err(|why| usage(format!("--set {set}: {why}")))?;
    }
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut flag = |key: &str, value: String| settings.put(&mut tree, key, &value, Origin::Flag);
    if let Some(folder) = args.folder()? {
        flag("report.output_dir", quoted(folder)).map_err(usage)?;
    }
    if !args.format.is_empty() {
        flag("report.format", serde_json::to_string(&args.format)?).map_err(usage)?;
    }
    if !args.model.is_empty() {
        let entries = args.model.iter().map(|text| ModelEntry::parse(text));
        let mut map = serde_json::Map::new();
        for entry in entries {
            if map.insert(entry.name.clone(), entry.source.into()).is_some() {
                let name = pacemark_files::quoted(&entry.name);
                return Err(usage(format!("--model: {name} is there twice")).into());
            }
        }
        flag("models", serde_json::to_string(&map)?).map_err(usage)?;
    }
    if let Some(key) = settings.astray(&parts, &file::PARTS) {
        let why = format!("{key}: the file measures {} only", parts.join(", "));
        return Err(usage(why).into());
    }
    Ok((tree, settings, parts))
}

/// Says what is wrong, and of the file only what it says itself.
fn mistaken(settings: &Settings, error: YamlError) -> anyhow::Error {
    let blamed = settings.blamed(error);
    let told = blamed.iter().map(|error| Err::<(), _>(input::mistaken(error)));
    exit::together(told).err().unwrap_or_else(|| anyhow::anyhow!("there is a mistake"))
}

impl Args {
    /// Without any flag.
    fn plain() -> Args {
        Args {
            file: None,
            init: false,
            dry_run: false,
            model: Vec::new(),
            output_dir: None,
            format: Vec::new(),
            set: Vec::new(),
            resume: None,
            output: "md".to_owned(),
        }
    }

    /// The output folder, where that was given; -o is one where it is no format and looks like a path.
    fn folder(&self) -> Result<Option<&str>, UsageError> {
        if output::renderer(&self.output).is_some() {
            return Ok(self.output_dir.as_deref());
        }
        let output = &self.output;
        let is_path = output.contains(['/', '.']) || Path::new(output).is_dir();
        if self.output_dir.is_some() || !is_path {
            let output = pacemark_files::quoted(output);
            return Err(UsageError(format!("-o {output}: expected a format (a folder is ./NAME)")));
        }
        Ok(Some(output))
    }

    /// The format on standard output.
    fn renderer(&self) -> &str {
        if output::renderer(&self.output).is_some() { &self.output } else { "md" }
    }
}

/// Everything that is loaded.
fn models_of(suite: &Suite) -> Result<Vec<Model>> {
    let default = [ModelEntry::named(crate::hub::DEFAULT_MODEL)];
    let entries = if suite.models.is_empty() { &default[..] } else { &suite.models[..] };
    let models = exit::together(entries.iter().map(ModelEntry::models))?.concat();
    for (i, model) in models.iter().enumerate() {
        if models[..i].iter().any(|other| other.name == model.name) {
            let name = pacemark_files::quoted(&model.name);
            return Err(UsageError(format!("model {name} is there twice")).into());
        }
    }
    Ok(models)
}

/// The suite's folder: a new one, or that of a suite that goes on.
fn begin(args: &Args, suite: &Suite, state: State) -> Result<(State, PathBuf)> {
    let base = Path::new(&suite.report.output_dir);
    if let Some(resume) = &args.resume {
        let folder = match resume {
            Some(folder) => folder.clone(),
            None => last(base).ok_or_else(|| {
                UsageError(format!("--resume: there is no suite in {}", base.display()))
            })?,
        };
        let mut began = State::load(&folder)?;
        began.check_same(&state)?;
        began.try_again(&folder);
        return Ok((began, folder));
    }
    // Models are pulled before anything is measured.
    for model in &state.models {
        crate::hub::resolve(&model.argument)?;
    }
    let folder = new_folder(base, state.env.started_unix_s)?;
    let cannot = || format!("cannot write to {}", folder.display());
    std::fs::create_dir_all(folder.join("steps")).with_context(cannot)?;
    std::fs::create_dir_all(folder.join("prompts")).with_context(cannot)?;
    for set in PROMPT_SETS {
        let lines = prompts::of(suite, set);
        let line = |text: &String| format!("{}\n", serde_json::json!({ "prompt": text }));
        let text: String = lines.iter().map(line).collect();
        let path = folder.join("prompts").join(format!("{set}.jsonl"));
        pacemark_files::write(&path, text.as_bytes())
            .with_context(|| path.display().to_string())?;
    }
    state.save(&folder)?;
    eprintln!("results: {}", folder.display());
    Ok((state, folder))
}

/// Holds the suite for this process until it ends, however that is.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    file.try_lock().map_err(|_| {
        UsageError(format!("{}: another process is running this suite", folder.display()))
    })?;
    Ok(file)
}

/// A folder that nobody has, named after the time.
fn new_folder(base: &Path, unix_s: u64) -> Result<PathBuf> {
    let cannot = || format!("cannot make a folder in {}", base.display());
    std::fs::create_dir_all(base).with_context(cannot)?;
    let name = format!("suite-{}", compact_time(unix_s));
    for n in 1..10_000 {
        let folder = base.join(if n == 1 { name.clone() } else { format!("{name}-{n}") });
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(cannot),
        }
    }
    anyhow::bail!("{}: too many folders of one second", base.display())
}

/// The folder of the suite that was worked on last.
fn last(base: &Path) -> Option<PathBuf> {
    let changed = |path: &PathBuf| path.join(state::FILE).metadata().ok()?.modified().ok();
    let entries = std::fs::read_dir(base).ok()?.flatten().map(|entry| entry.path());
    entries.filter(|path| changed(path).is_some()).max_by_key(changed)
}

fn show_plan(args: &Args, state: &State) -> Result<Exit> {
    print(args, &time::plan(state)?)?;
    Ok(Exit::Fine)
}

fn print(args: &Args, document: &pacemark_report::Document) -> Result<()> {
    output::renderer(args.renderer()).map_or(Ok(()), |renderer| output::write(document, renderer))
}
