//! The steps of a suite: command lines of this program, each of which measures one row in a process of
//! its own. So a crash costs one row, memory is that row's, and a suite goes on where it ended.

use super::file::{Asked, Suite};
use super::models::Model;
use super::prompts;
use crate::commands::{Cli, long_options};
use crate::exit::UsageError;
use anyhow::Result;
use clap::{CommandFactory, Parser};
use pacemark_bench::EXPERIMENTS;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// One row to be measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    /// Its name among the steps, and that of its files.
    pub id: String,
    /// What kind of row it is.
    pub kind: Kind,
    /// Which part of the suite it is of, e.g. `latency`; of another experiment its name.
    pub part: String,
    /// What it measures within that, e.g. `128 + 64`.
    pub what: String,
    /// [`Model::name`]; empty of what has no model.
    pub model: String,
    /// The command line, without the program and without where its record goes.
    pub line: Vec<String>,
    /// The flag that says where that goes.
    pub save: String,
    /// The set of prompts that it sends.
    pub prompts: Option<String>,
    /// Tokens computed as prompts and one by one, and seconds besides: what its time is guessed by.
    pub work: Option<Work>,
    /// Why it is not measured.
    pub skipped: Option<String>,
}

/// What a row is, for reports and targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A pair of lengths.
    Lengths,
    /// A set of prompts, one at a time.
    Prompts,
    Memory,
    /// So many requests at a time.
    Concurrent(u64),
    /// So many sequences in a batch.
    Batch(u64),
    /// Another experiment.
    #[default]
    Experiment,
}

/// What a step computes: a guess of its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Work {
    pub n_prompt: f64,
    pub n_gen: f64,
    pub seconds: f64,
}

/// The flag of most commands for where a record goes.
const SAVE: &str = "--save";

/// An experiment, and the command that measures it.
struct CommandOf {
    experiment: &'static str,
    line: &'static [&'static str],
    /// What names the model; empty where there is none.
    model: &'static str,
    /// What the record goes to: `--save FILE`, or a folder.
    save: &'static str,
}

const fn command(
    experiment: &'static str,
    line: &'static [&'static str],
    model: &'static str,
) -> CommandOf {
    CommandOf { experiment, line, model, save: SAVE }
}

/// The command of every experiment.
const COMMANDS: &[CommandOf] = &[
    command("throughput", &["bench"], "-m"),
    command("batched", &["bench"], "-m"),
    command("cold", &["bench", "--cold"], "-m"),
    command("perplexity", &["eval", "perplexity"], "-m"),
    command("stream", &["eval", "perplexity"], "-m"),
    command("kld", &["eval", "kld"], "-m"),
    command("accuracy", &["eval", "accuracy"], "-m"),
    command("retrieval", &["eval", "needle"], "-m"),
    CommandOf { experiment: "kv", line: &["kv"], model: "-m", save: "--output-dir" },
    command("quant", &["quant-study"], "-m"),
    command("fit", &["fit"], "-m"),
    command("stages", &["stages"], "-m"),
    command("load", &["load"], "-m"),
    command("self-test", &["load", "--self-test"], ""),
    command("run", &["run"], "-m"),
    command("doctor", &["doctor"], ""),
];

/// All steps, model after model.
pub(super) fn steps(suite: &Suite, models: &[Model]) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for model in models {
        latency(suite, model, &mut steps);
        memory(suite, model, &mut steps);
        throughput(suite, model, &mut steps);
    }
    for (number, asked) in suite.experiments.iter().enumerate() {
        experiment(asked, number, models, &mut steps)?;
    }
    for (i, step) in steps.iter_mut().enumerate() {
        // Names of models may differ in what no file's name has.
        step.id = format!("{:03}-{}", i + 1, step.id);
        step.check()?;
    }
    Ok(steps)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Step {
    /// A row of a model.
    fn of(kind: Kind, what: String, model: &Model, mut line: Vec<String>) -> Step {
        let part = match kind {
            Kind::Lengths | Kind::Prompts => "latency",
            Kind::Memory => "memory",
            Kind::Concurrent(_) | Kind::Batch(_) | Kind::Experiment => "throughput",
        };
        name_model(&mut line, "-m", model);
        Step {
            id: identifier(&[part, &what, &model.name]),
            kind,
            part: part.to_owned(),
            what,
            model: model.name.clone(),
            line,
            save: SAVE.to_owned(),
            ..Step::default()
        }
    }

    /// Not measured where its sequences are longer than the model's context.
    fn within(mut self, tokens: &[u64], model: &Model) -> Step {
        // And the token that a prompt gives.
        let n_tokens = tokens.iter().fold(1, |sum: u64, n| sum.saturating_add(*n));
        self.skipped = model
            .n_ctx
            .filter(|n_ctx| n_tokens > *n_ctx)
            .map(|n_ctx| format!("{n_tokens} tokens are more than the model's context of {n_ctx}"));
        self
    }

    /// Where its record goes, in a suite's folder.
    pub(super) fn record(&self, folder: &Path) -> PathBuf {
        let steps = folder.join("steps");
        if self.save == SAVE {
            steps.join(format!("{}.json", self.id))
        } else {
            steps.join(&self.id)
        }
    }

    /// The words of its command line in a folder, by whose name the history finds it.
    pub(super) fn line_in(&self, folder: &Path) -> Vec<OsString> {
        let mut line: Vec<OsString> = self.line.iter().map(OsString::from).collect();
        if let Some(set) = &self.prompts {
            let file = folder.join("prompts").join(format!("{set}.jsonl"));
            line.extend(["--prompts".into(), file.into()]);
        }
        line.extend([OsString::from(&self.save), self.record(folder).into()]);
        let name = folder.file_name().unwrap_or("suite".as_ref());
        line.extend(["--tag".into(), name.to_owned()]);
        line
    }

    /// Refuses a command line that is none.
    fn check(&self) -> Result<()> {
        let program = std::iter::once(OsString::from("pacemark"));
        let line = long_options(program.chain(self.line_in(Path::new("."))));
        match Cli::try_parse_from(line) {
            Ok(_) => Ok(()),
            Err(error) => {
                let said = error.render().to_string();
                let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
                Err(UsageError(format!("{}: {first}", self.part)).into())
            }
        }
    }
}

/// A name that is also one of a file: letters, digits, dots and dashes.
fn identifier(parts: &[&str]) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let words = parts.iter().map(|part| part.chars().map(plain).collect::<String>());
    let name = words.collect::<Vec<_>>().join("-").to_lowercase();
    let dashes: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    dashes.join("-").chars().take(120).collect()
}

fn latency(suite: &Suite, model: &Model, steps: &mut Vec<Step>) {
    let Some(latency) = &suite.latency else { return };
    let (runs, warmups) = (latency.test_runs.to_string(), latency.warmup_runs.to_string());
    let backends = suite.backends.join(",");
    for input in &latency.input_lengths {
        for output in &latency.output_lengths {
            let pair = format!("{input},{output}");
            let line = words(&[
                "bench",
                "-p",
                "0",
                "-n",
                "0",
                "-pg",
                &pair,
                "-r",
                &runs,
                "--warmups",
                &warmups,
                "--backend",
                &backends,
            ]);
            let n = (latency.test_runs as f64 + latency.warmup_runs as f64)
                * suite.backends.len() as f64;
            let work =
                Work { n_prompt: n * *input as f64, n_gen: n * *output as f64, seconds: 2.0 };
            let step = Step::of(Kind::Lengths, format!("{input} + {output}"), model, line);
            steps.push(Step { work: Some(work), ..step }.within(&[*input, *output], model));
        }
    }
    for set in &latency.prompts {
        let texts = prompts::of(suite, set);
        let n_requests = latency.test_runs.saturating_mul(texts.len() as u64);
        let output = latency.output_lengths.first().copied().unwrap_or(64);
        let line = words(&[
            "load",
            "--concurrency",
            "1",
            "--requests",
            &n_requests.to_string(),
            "--warmup",
            &warmups,
            "--output-tokens",
            &output.to_string(),
        ]);
        let n = n_requests as f64 + latency.warmup_runs as f64;
        let longest = texts.iter().map(|text| text.len() as f64 / 3.0).fold(0.0, f64::max);
        let work = Work { n_prompt: n * longest, n_gen: n * output as f64, seconds: 3.0 };
        let step = Step::of(Kind::Prompts, format!("{set} prompts + {output}"), model, line);
        steps.push(Step { work: Some(work), prompts: Some(set.clone()), ..step });
    }
}

fn memory(suite: &Suite, model: &Model, steps: &mut Vec<Step>) {
    let Some(memory) = &suite.memory else { return };
    let (n_prompt, n_gen) = (128, 64);
    let line = words(&[
        "bench",
        "--cold",
        "--page-cache",
        "warm",
        "-p",
        "128",
        "-n",
        "64",
        "-r",
        &memory.test_runs.to_string(),
    ]);
    let n = memory.test_runs as f64;
    let work = Work { n_prompt: n * n_prompt as f64, n_gen: n * n_gen as f64, seconds: n };
    let step = Step::of(Kind::Memory, format!("{n_prompt} + {n_gen}"), model, line);
    steps.push(Step { work: Some(work), ..step }.within(&[n_prompt, n_gen], model));
}

fn throughput(suite: &Suite, model: &Model, steps: &mut Vec<Step>) {
    let Some(throughput) = &suite.throughput else { return };
    let (input, output) = (throughput.input_tokens, throughput.tokens_per_request);
    let seconds = throughput.duration.as_secs_f64();
    for n in &throughput.concurrent_requests {
        let line = words(&[
            "load",
            "--concurrency",
            &n.to_string(),
            "--duration",
            &format!("{seconds}s"),
            "--input-tokens",
            &input.to_string(),
            "--output-tokens",
            &output.to_string(),
        ]);
        let what = if *n == 1 { "single".to_owned() } else { format!("{n} concurrent") };
        let step = Step::of(Kind::Concurrent(*n), what, model, line);
        let each = *n as f64;
        let work = Work {
            n_prompt: each * input as f64,
            n_gen: each * output as f64,
            seconds: seconds + 3.0,
        };
        steps.push(Step { work: Some(work), ..step }.within(&[input, output], model));
    }
    for n in &throughput.batch_sizes {
        let line = words(&[
            "bench",
            "-npl",
            &n.to_string(),
            "-npp",
            &input.to_string(),
            "-ntg",
            &output.to_string(),
        ]);
        let runs = 7.0;
        let work = Work {
            n_prompt: runs * *n as f64 * input as f64,
            n_gen: runs * output as f64,
            seconds: 2.0,
        };
        let step = Step::of(Kind::Batch(*n), format!("batch of {n}"), model, line);
        steps.push(Step { work: Some(work), ..step }.within(&[input, output], model));
    }
}

/// What was asked for by name: a step for each model and each combination of what is swept.
fn experiment(
    asked: &Asked,
    number: usize,
    models: &[Model],
    steps: &mut Vec<Step>,
) -> Result<(), UsageError> {
    let known = || EXPERIMENTS.iter().map(|experiment| experiment.name());
    let Some(command) = COMMANDS.iter().find(|c| c.experiment == asked.experiment) else {
        let near = pacemark_files::by_likeness(&asked.experiment, known()).join(", ");
        let name = pacemark_files::quoted(&asked.experiment);
        let line = asked.line;
        return Err(UsageError(format!("line {line}: no experiment is called {name}: {near}")));
    };
    check_flags(asked, command)?;
    let given = |name: &str| asked.flags.iter().chain(&asked.sweep).any(|(flag, _)| flag == name);
    if command.experiment == "run" && !["prompt", "file"].into_iter().any(given) {
        let line = asked.line;
        return Err(UsageError(format!(
            "line {line}: run: expected a prompt or a file, found none"
        )));
    }
    let mut lines = vec![(String::new(), words(command.line))];
    for (flag, values) in &asked.flags {
        lines.iter_mut().for_each(|(_, line)| give(line, flag, values));
    }
    for (flag, values) in &asked.sweep {
        let with = |(what, line): &(String, Vec<String>), value: &String| {
            let mut line = line.clone();
            give(&mut line, flag, std::slice::from_ref(value));
            (format!("{what} {flag} {value}"), line)
        };
        let each = |line: &(String, Vec<String>)| -> Vec<_> {
            values.iter().map(|value| with(line, value)).collect()
        };
        lines = lines.iter().flat_map(each).collect();
    }
    let none = [Model::none()];
    let models = if command.model.is_empty() { &none[..] } else { models };
    for model in models {
        for (what, line) in &lines {
            let mut line = line.clone();
            if !command.model.is_empty() {
                name_model(&mut line, command.model, model);
            }
            let part = command.experiment;
            let number = number.to_string();
            let id = identifier(&[part, &number, what, &model.name]);
            let what = what.trim().to_owned();
            steps.push(Step {
                id,
                part: part.to_owned(),
                what,
                model: model.name.clone(),
                line,
                save: command.save.to_owned(),
                ..Step::default()
            });
        }
    }
    Ok(())
}

/// Names the model, and how its weights are to be held; a load tells its server that.
fn name_model(line: &mut Vec<String>, flag: &str, model: &Model) {
    let is_load = line.first().is_some_and(|command| command == "load");
    line.extend([flag.to_owned(), model.argument.clone()]);
    let weights = model.weights.iter();
    line.extend(weights.map(|word| match is_load {
        true => format!("--serve-arg={word}"),
        false => word.clone(),
    }));
}

/// A flag with its values, as its command takes them.
fn give(line: &mut Vec<String>, flag: &str, values: &[String]) {
    match values {
        [yes] if yes == "true" => line.push(format!("--{flag}")),
        [no] if no == "false" => {}
        values => line.push(format!("--{flag}={}", values.join(","))),
    }
}

/// Flags that are the suite's own business.
const TAKEN: [&str; 14] = [
    "save",
    "model",
    "output",
    "output-dir",
    "output-err",
    "png",
    "svg",
    "chart",
    "dir",
    "cold",
    "experiment",
    "self-test",
    "show",
    "tag",
];

/// Refuses flags that the command has not, with the nearest that it has.
fn check_flags(asked: &Asked, command: &CommandOf) -> Result<(), UsageError> {
    let mut cli = Cli::command();
    for name in command.line.iter().filter(|word| !word.starts_with('-')) {
        let Some(found) = cli.find_subcommand(name).cloned() else { break };
        cli = found;
    }
    let known: Vec<&str> = cli.get_arguments().filter_map(|argument| argument.get_long()).collect();
    for (flag, _) in asked.flags.iter().chain(&asked.sweep) {
        if TAKEN.contains(&flag.as_str()) {
            let why = "the suite says which models are measured, by what, and where results go";
            return Err(UsageError(format!("line {}: {flag}: {why}", asked.line)));
        }
        if !known.contains(&flag.as_str()) {
            let near = pacemark_files::nearest(flag, known.iter().copied());
            let near = near.map_or(String::new(), |name| format!(", did you mean {name}?"));
            let (line, of, flag) =
                (asked.line, command.line.join(" "), pacemark_files::excerpt(flag));
            return Err(UsageError(format!(
                "line {line}: `pacemark {of}` has no flag {flag}{near}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
