//! The experiments as the command line knows them: their names as values of a flag, their figures in
//! the help.

use clap::builder::{PossibleValue, PossibleValuesParser};
use pacemark_bench::{EXPERIMENTS, Experiment, Grid, Shapes};

/// Those that a grid of tests can be made for, which `bench` runs.
pub(crate) fn of_backends() -> PossibleValuesParser {
    PossibleValuesParser::new(values(EXPERIMENTS))
}

/// All of them.
pub(crate) fn all() -> PossibleValuesParser {
    PossibleValuesParser::new(EXPERIMENTS.iter().map(|experiment| experiment.name()))
}

/// The values of a flag that names one of `experiments`, of those that have tests.
fn values(experiments: &[&dyn Experiment]) -> Vec<PossibleValue> {
    let value = |e: &&dyn Experiment| PossibleValue::new(e.name()).help(e.help());
    experiments.iter().filter(|experiment| has_tests(**experiment)).map(value).collect()
}

fn has_tests(experiment: &dyn Experiment) -> bool {
    let grid = Grid { shapes: Shapes { n_gen: vec![1], ..Shapes::default() }, ..Grid::default() };
    !experiment.cases(&grid).is_empty()
}

/// `examples`, and the figures of the experiments that `bench` runs.
pub(crate) fn help_of_backends(examples: &str) -> String {
    let all = EXPERIMENTS.iter().copied().filter(|experiment| has_tests(*experiment));
    all.fold(examples.to_owned(), |text, experiment| text + "\n\n" + &figures(experiment))
}

/// `examples`, and the figures of an experiment.
pub(crate) fn help_of(examples: &str, experiment: &dyn Experiment) -> String {
    format!("{examples}\n\n{}", figures(experiment))
}

/// The columns of an experiment's figures, those of one series on a line, and what they are.
fn figures(experiment: &dyn Experiment) -> String {
    let mut text = format!("Figures of {} in the formats for programs:", experiment.name());
    for of_one in experiment.metrics().chunk_by(|a, b| a.series.name == b.series.name) {
        let names = of_one.iter().flat_map(|metric| metric.columns()).map(|column| column.name);
        let names = names.collect::<Vec<_>>().join(", ");
        let help = if of_one.len() == 1 { of_one[0].help() } else { of_one[0].series.help.into() };
        text += &format!("\n  {names}\n      {help}");
    }
    text
}

#[cfg(test)]
mod tests {
    //! What an addition costs: one value each for an experiment, a figure and a format.

    use super::*;
    use crate::output;
    use pacemark_backend::{Backend, GenerateRequest, MockBackend};
    use pacemark_bench::{Case, CutShort, How, Silent, Subject, Warmups};
    use pacemark_record::{Better, Metric, Run, SCHEMA, Sample, Series, Statistic, Trial, Unit};
    use pacemark_report::{Document, Page, RENDERERS, Render, Renderer, Row, Table, render};
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    /// Counts the events of a request.
    struct Events;

    const EVENTS: Series = Series {
        name: "events",
        title: "events",
        unit: Unit::Count,
        better: Better::Lower,
        help: "events that a request makes",
        of: |trial| trial.samples().iter().map(|s| s.cached_tokens as f64).collect(),
    };

    impl Experiment for Events {
        fn name(&self) -> &'static str {
            "events"
        }
        fn help(&self) -> &'static str {
            "how many events a request makes"
        }
        fn cases(&self, grid: &Grid) -> Vec<Case> {
            grid.tests().into_iter().map(Case::Test).collect()
        }
        fn measure(
            &self,
            case: &Case,
            subject: &mut Subject<'_>,
            _: &mut How<'_>,
        ) -> Result<Vec<Trial>, CutShort> {
            let (Case::Test(test), Subject::Backends(backends)) = (case, subject) else { panic!() };
            let request = GenerateRequest {
                prompt: vec![1; test.n_prompt.max(1)],
                max_tokens: test.n_gen,
                ..GenerateRequest::default()
            };
            let n_events = backends[0].generate(request).count() as u64;
            let sample = Sample { cached_tokens: n_events, ..Sample::default() };
            let trial = Trial {
                experiment: self.name().to_owned(),
                params: test.params(),
                measured: vec![sample].into(),
                ..Trial::default()
            };
            Ok(vec![trial])
        }
        fn metrics(&self) -> &'static [Metric] {
            const METRICS: &[Metric] = &[Metric::new(&EVENTS, Statistic::Only).shown()];
            METRICS
        }
    }

    /// Names and texts, a line each.
    struct Lines;

    impl Render for Lines {
        fn begin(&mut self, _: &Document) -> String {
            String::new()
        }
        fn row(&mut self, table: &Table, row: &Row) -> String {
            let cells = table.columns.iter().zip(&row.cells);
            cells.map(|(column, cell)| format!("{}={}\n", column.name, cell.text())).collect()
        }
        fn end(&mut self, _: &Document) -> String {
            String::new()
        }
    }

    const LINES: Renderer = Renderer {
        name: "lines",
        help: "names and texts",
        streams: true,
        tells: false,
        new: |_| Box::new(Lines),
    };

    fn run() -> Run {
        let mock = MockBackend::new(Duration::from_millis(1), Duration::from_millis(1));
        let backends: [&dyn Backend; 1] = [&mock];
        let grid =
            Grid { shapes: Shapes { n_gen: vec![3], ..Shapes::default() }, ..Grid::default() };
        let mut how = How {
            repetitions: pacemark_bench::Repetitions::exactly(1),
            warmup: Warmups::None,
            seed: 0,
            observer: &mut Silent,
            stop: &AtomicBool::new(false),
        };
        let mut subject = Subject::Backends(&backends);
        let cases = Events.cases(&grid);
        let trials = cases.iter().flat_map(|c| Events.measure(c, &mut subject, &mut how).unwrap());
        Run { schema: SCHEMA, trials: trials.collect(), ..Run::default() }
    }

    #[test]
    fn they_are_in_the_help() {
        let value = clap::Arg::new("x")
            .long("x")
            .value_parser(PossibleValuesParser::new(values(&[EXPERIMENTS[0], &Events])));
        let format = clap::Arg::new("o").long("o").value_parser(output::formats_of(&[LINES], &[]));
        let mut command = clap::Command::new("bench")
            .args([value, format])
            .after_long_help(help_of("Examples", &Events));
        let help = command.render_long_help().to_string();
        for said in ["throughput", "how many events a request makes", "lines", "names and texts"] {
            assert!(help.contains(said), "{said}: {help}");
        }
        assert!(help.contains("events\n      events that a request makes"), "{help}");
        assert!(values(EXPERIMENTS).len() >= 2, "throughput and batched have tests");
    }

    #[test]
    fn they_are_in_every_format_and_in_the_record() {
        let run = run();
        let n_events = EVENTS.of;
        let expected = n_events(&run.trials[0])[0];
        let read = Run::from_json(&serde_json::to_string(&run).unwrap()).unwrap();
        assert_eq!((&read, read.trials[0].experiment.as_str()), (&run, "events"));
        let document = Events.document(&read, &[]);
        for renderer in RENDERERS.iter().chain([&LINES]) {
            let text = render(&document, renderer, &Page::default());
            let has = text.contains("events") && text.contains(&format!("{expected}"));
            assert!(has && expected > 3.0, "{}: {text}", renderer.name);
        }
    }
}
