//! Experiments that a file asks for by their names, with the flags of their commands.

use super::super::file::Asked;
use super::super::models::Model;
use super::{SAVE, Step, identifier, name_model, words};
use crate::commands::Cli;
use crate::exit::UsageError;
use clap::CommandFactory;
use pacemark_bench::EXPERIMENTS;

/// An experiment, and the command that measures it.
pub(super) struct CommandOf {
    pub(super) experiment: &'static str,
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
pub(super) const COMMANDS: &[CommandOf] = &[
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
    command("genai", &["genai-bench"], "-m"),
    command("doctor", &["doctor"], ""),
    command("tune", &["tune"], "-m"),
    command("versus", &["versus"], "-m"),
];

/// What was asked for by name: a step for each model and each combination of what is swept.
pub(super) fn experiment(
    asked: &Asked,
    number: usize,
    models: &[Model],
) -> Result<Vec<Step>, UsageError> {
    let mut steps = Vec::new();
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
    Ok(steps)
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
const TAKEN: [&str; 15] = [
    "save",
    "write",
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
