//! What is to be known of a run's figures: what they are, where they were taken, by which command.

use crate::Experiment;
use pacemark_record::{Env, Run};
use pacemark_report::size;

/// What was measured, of what.
pub(super) fn title(experiment: &dyn Experiment, run: &Run) -> String {
    let mut models: Vec<&str> = Vec::new();
    for trial in &run.trials {
        let name = &trial.model.model_type;
        if !name.is_empty() && !models.contains(&name.as_str()) {
            models.push(name);
        }
    }
    let help = experiment.help();
    match &models[..] {
        [] => help.to_owned(),
        [.., _] if models.len() > 3 => format!("{help}: {} models", models.len()),
        models => format!("{help}: {}", models.join(", ")),
    }
}

/// The figures that people see, and what they are.
pub(super) fn definitions(experiment: &dyn Experiment) -> Vec<(String, String)> {
    let mut definitions: Vec<(String, String)> = Vec::new();
    let mut add = |name: String, help: String| {
        if !name.is_empty() && definitions.iter().all(|(known, _)| *known != name) {
            definitions.push((name, help));
        }
    };
    let shown = experiment.metrics().iter().filter(|metric| metric.in_tables);
    for metric in experiment.headline().into_iter().chain(shown) {
        add(metric.title().trim().to_owned(), metric.help());
    }
    let has_interval = experiment.metrics().iter().any(|metric| metric.ends.is_some());
    if has_interval {
        add(
            "95 %".to_owned(),
            "where the figure lies, from the scatter of what was measured within this run"
                .to_owned(),
        );
    }
    definitions
}

/// The machine and the build of each run; what holds for all of them once.
pub(super) fn environment(runs: &[Run]) -> Vec<(String, String)> {
    let all: Vec<Vec<(&str, String)>> = runs.iter().map(|run| of(&run.env)).collect();
    let mut told = Vec::new();
    for (i, (name, _)) in all.first().into_iter().flatten().enumerate() {
        let mut values: Vec<&String> = all.iter().map(|one| &one[i].1).collect();
        let mut seen = std::collections::HashSet::new();
        values.retain(|value| seen.insert(value.as_str()));
        let values: Vec<&str> = values.into_iter().map(String::as_str).collect();
        if values.iter().any(|value| *value != "-") {
            told.push(((*name).to_owned(), values.join("; ")));
        }
    }
    told
}

fn of(env: &Env) -> Vec<(&'static str, String)> {
    let or_dash = |text: Option<String>| text.filter(|t| !t.is_empty()).unwrap_or("-".to_owned());
    let share = |share: f64| format!("{:.1} %", share * 100.0);
    let build = format!("Pacemark {} ({}, {})", env.version, env.commit, env.build_number);
    vec![
        ("Processor", or_dash(env.cpu_model.clone())),
        (
            "Logical processors",
            or_dash((env.logical_cpus > 0).then(|| env.logical_cpus.to_string())),
        ),
        ("Memory", or_dash(env.memory_bytes.map(size))),
        ("Governor", or_dash(env.governor.clone())),
        ("System", or_dash(env.kernel.clone())),
        ("Build", build),
        ("Begun", pacemark_report::layout::rfc3339(env.started_unix_s)),
        ("Load average before", or_dash(env.load_average_1m.map(|load| format!("{load:.2}")))),
        ("Processor time that others had", or_dash(env.steal_share.map(share))),
    ]
}

/// The command lines, as a shell takes them.
pub(super) fn commands(runs: &[Run]) -> Vec<String> {
    let line = |run: &Run| {
        let words = run.command.iter().enumerate().map(|(i, word)| match i {
            0 => "pacemark".to_owned(),
            _ => quoted(word),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<String> =
        runs.iter().filter(|run| !run.command.is_empty()).map(line).collect();
    lines.dedup();
    lines
}

/// A word that a shell takes as it is, or in quotes.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%~".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_a_shell_takes() {
        let words = ["/x/pacemark", "bench", "-m", "a b.gguf", "--note", "it's", ""];
        let command = words.map(str::to_owned).to_vec();
        let run = Run { command, ..Run::default() };
        let lines = commands(&[run.clone(), run, Run::default()]);
        assert_eq!(lines, ["pacemark bench -m 'a b.gguf' --note 'it'\\''s' ''"]);
    }
}
