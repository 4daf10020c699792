//! What was measured as a report: verdicts, pictures, advice, definitions, machine and commands around
//! the tables that the experiment shows anyway.
//!
//! Everything is made of a run's record and the figures of its experiment; an experiment that has
//! pictures of its own says so ([`Experiment::panels`]). How any of it looks is left to `report`.

mod about;
mod course;
mod distribution;
mod pictures;
mod reason;
mod roofline;
mod rows;
mod sweep;
mod verdicts;

use crate::Experiment;
use pacemark_record::Run;
use pacemark_report::picture::Panel;
use pacemark_report::{Cell, Column, Document, Fact, Kind, Rank, Reading, Table, Verdict};

pub(crate) use pictures::panels;
pub(crate) use rows::Rows;
pub(crate) use sweep::advice;
pub(crate) use verdicts::{of_rows, verdicts};

/// Runs of one experiment, which have names, as a report: the rows of all under one another.
pub fn report(
    experiment: &dyn Experiment,
    runs: &[Run],
    names: &[String],
    varied: &[&str],
) -> Document {
    let mut report = Document::default();
    let mut measured = Vec::new();
    let short = short_names(names);
    for (i, run) in runs.iter().enumerate() {
        let mut next = experiment.document(run, varied);
        measured.extend(next.title.take().map(|title| match runs.len() {
            1 => title,
            _ => format!("{}: {title}", short[i]),
        }));
        if runs.len() > 1 {
            next.tables.iter_mut().for_each(|table| of_run(table, &short[i]));
        }
        if i == 0 {
            report = next;
        } else {
            for (table, more) in report.tables.iter_mut().zip(next.tables) {
                table.rows.extend(more.rows);
            }
        }
        let notes = experiment.notes(run).into_iter();
        report.notes.extend(notes.map(|note| match runs.len() {
            1 => note,
            _ => format!("{}: {note}", short[i]),
        }));
    }
    let all = joined(runs, names);
    let title = about::title(experiment, &all);
    // What exactly was measured is in no other place; a title that has it need not say it again.
    let measured = measured.iter().filter(|what| !title.contains(what.as_str()));
    let measured: Vec<Fact> = measured.map(|what| Fact::told("measured", what.as_str())).collect();
    report.title = Some(title);
    let verdicts = experiment.verdicts(&all);
    once(&mut report.facts, experiment.judged(), &verdicts);
    report.notes.retain(|note| !verdicts.iter().any(|said| said.text.ends_with(note.as_str())));
    report.facts.splice(0..0, measured);
    // What a terminal is shown of a document as bars is a picture here.
    report.panels = report.charts.drain(..).map(Panel::from).collect();
    report.panels.extend(experiment.panels(&all));
    report.legend = experiment.legend(&all);
    report.legend.notes.retain(|note| !report.notes.contains(note));
    report.reading = Reading {
        verdicts,
        // What was swept is a run's own.
        advice: runs.iter().flat_map(|run| experiment.advice(run)).collect(),
        definitions: about::definitions(experiment),
        environment: about::environment(runs, names),
        commands: about::commands(runs),
    };
    report
}

/// Leaves the facts that are among `judged` to programs, where verdicts above them say all of it.
fn once(facts: &mut [Fact], judged: &[&str], verdicts: &[Verdict]) {
    let is_said = |part: &str| {
        verdicts.iter().any(|said| said.text.starts_with(part) || said.text.ends_with(part))
    };
    for fact in facts.iter_mut().filter(|fact| judged.contains(&fact.name)) {
        let told = fact.told.take();
        fact.told = told.filter(|(_, words)| !is_said(words) && !words.split("; ").all(is_said));
    }
}

/// Names of runs: of files the last part of their paths, where that tells them apart.
fn short_names(names: &[String]) -> Vec<String> {
    let last = |name: &String| name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let short: Vec<String> = names.iter().map(last).collect();
    let distinct: std::collections::HashSet<&String> = short.iter().collect();
    let is_distinct = distinct.len() == short.len() && !distinct.contains(&String::new());
    if is_distinct { short } else { names.to_vec() }
}

/// Says of each row of a table which run it is of.
fn of_run(table: &mut Table, name: &str) {
    if table.columns.iter().all(|column| !column.readers.has_people()) {
        return;
    }
    let width = -(name.chars().count().max(6) as isize);
    let column = Column::new(rows::RUN, Kind::Text, rows::RUN, width).ranked(Rank::Key);
    table.columns.insert(0, column);
    for row in &mut table.rows {
        row.cells.insert(0, Cell::from(name));
        if let Some(block) = &mut row.block {
            block.heading = format!("{name}: {}", block.heading);
            if let Some((of, _)) = &mut block.summary {
                *of = format!("{name}: {of}");
            }
        }
    }
}

/// All rows as those of one run.
fn joined(runs: &[Run], names: &[String]) -> Run {
    let mut all = runs.first().cloned().unwrap_or_default();
    all.trials.clear();
    let machines: Vec<String> = runs.iter().map(|run| about::machine(&run.env)).collect();
    let has_machines = machines.windows(2).any(|pair| pair[0] != pair[1]);
    for ((run, name), machine) in runs.iter().zip(names).zip(&machines) {
        let named = run.trials.iter().cloned().map(|mut trial| {
            if runs.len() > 1 {
                trial.params.insert(rows::RUN.to_owned(), name.as_str().into());
            }
            if has_machines {
                trial.params.insert(rows::MACHINE.to_owned(), machine.as_str().into());
            }
            trial
        });
        all.trials.extend(named);
        all.varied.extend(run.varied.iter().cloned());
    }
    let mut seen = std::collections::HashSet::new();
    all.varied.retain(|name| seen.insert(name.clone()));
    all
}

#[cfg(test)]
mod pages;
#[cfg(test)]
mod tests;
