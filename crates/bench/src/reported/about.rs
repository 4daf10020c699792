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

/// The machine and the build of each run; what holds for all of them once, else with the runs it is of.
pub(super) fn environment(runs: &[Run], names: &[String]) -> Vec<(String, String)> {
    let all: Vec<Vec<(&str, String)>> = runs.iter().map(|run| of(&run.env)).collect();
    let mut told = Vec::new();
    for (i, (name, _)) in all.first().into_iter().flatten().enumerate() {
        let mut values: Vec<(&str, Vec<&str>)> = Vec::new();
        for (one, run) in all.iter().zip(names) {
            let value = one[i].1.as_str();
            match values.iter_mut().find(|(known, _)| *known == value) {
                Some((_, of)) => of.push(run),
                None => values.push((value, vec![run])),
            }
        }
        let value = match &values[..] {
            [(value, _)] => (*value).to_owned(),
            _ => {
                let one = |(value, of): &(&str, Vec<&str>)| format!("{value} ({})", of.join(", "));
                values.iter().map(one).collect::<Vec<_>>().join("; ")
            }
        };
        if values.iter().any(|(value, _)| *value != "-") {
            told.push(((*name).to_owned(), value));
        }
    }
    told
}

/// What tells machines apart whose limits are not the same.
pub(super) fn machine(env: &Env) -> String {
    let cpu = env.cpu_model.as_deref().unwrap_or("unknown processor");
    format!("{cpu} ({})", env.logical_cpus)
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
    fn what_differs_between_runs_is_told_of_each() {
        let run = |cpu: &str| {
            let env = Env { cpu_model: Some(cpu.into()), logical_cpus: 2, ..Env::default() };
            Run { env, ..Run::default() }
        };
        let names = ["a", "b", "c"].map(str::to_owned);
        let told = environment(&[run("X"), run("Y"), run("X")], &names);
        let of = |wanted: &str| &told.iter().find(|(name, _)| name == wanted).unwrap().1;
        assert_eq!(
            (of("Processor").as_str(), of("Logical processors").as_str()),
            ("X (a, c); Y (b)", "2")
        );
    }

    #[test]
    fn commands_are_what_a_shell_takes() {
        let words = ["/x/pacemark", "bench", "-m", "a b.gguf", "--note", "it's", ""];
        let command = words.map(str::to_owned).to_vec();
        let run = Run { command, ..Run::default() };
        let lines = commands(&[run.clone(), run, Run::default()]);
        assert_eq!(lines, ["pacemark bench -m 'a b.gguf' --note 'it'\\''s' ''"]);
    }
}
