//! How long a suite will take: from the bytes and operations of a token and what the machine did in a
//! moment's probe. A guess, and said to be one.

use super::plan::Work;
use super::state::State;
use anyhow::Result;
use pacemark_backends::native::preview;
use pacemark_bench::describe;
use pacemark_kernels::Team;
use pacemark_modelfile::ModelFile;
use pacemark_record::Model;
use pacemark_report::{Cell, Column, Document, Kind, Rank, Table};
use pacemark_setup::Setup;
use std::collections::HashMap;
use std::time::Duration;

/// What of the machine's limits a model is taken to reach: of bandwidth, of arithmetic.
const REACHED: (f64, f64) = (0.75, 0.4);

/// Time of each probe.
const PROBE: Duration = Duration::from_millis(100);

/// Every step, and when it will be over.
pub(super) fn plan(state: &State) -> Result<Document> {
    let machine = Machine::probe()?;
    let mut rates: HashMap<&str, Option<(f64, f64)>> = HashMap::new();
    for model in &state.models {
        rates.insert(&model.name, machine.rates(&model.argument));
    }
    let columns = vec![
        Column::for_programs("step", Kind::Text),
        Column::new("model", Kind::Text, "model", -22).ranked(Rank::Key),
        Column::new("part", Kind::Text, "part", -11).ranked(Rank::Key),
        Column::new("of", Kind::Text, "of", -28).ranked(Rank::Key),
        Column::new("expected_s", Kind::Int, "expected s", 10).ranked(Rank::Main),
        Column::for_programs("command", Kind::Text),
        Column::for_programs("not_measured", Kind::Text),
    ];
    let mut table = Table { name: "plan".into(), columns, ..Table::default() };
    let (mut total, mut unknown, mut notes) = (0.0, 0, Vec::new());
    for step in &state.steps {
        let seconds = step.work.zip(rates.get(step.model.as_str()).copied().flatten());
        let seconds = seconds.map(|(work, rates)| expected(work, rates));
        let seconds = seconds.filter(|_| step.skipped.is_none());
        match (seconds, &step.skipped) {
            (Some(seconds), _) => total += seconds,
            (None, None) => unknown += 1,
            (None, Some(_)) => {}
        }
        let texts = [&step.id, &step.model, &step.part, &step.what];
        let seconds = seconds.map_or(Cell::Absent, |s| Cell::Int(s.round() as i64));
        let why = step.skipped.clone().map_or(Cell::Absent, Cell::Text);
        if let Some(why) = &step.skipped {
            notes.push(format!("not measured: {} {} {}: {why}", step.model, step.part, step.what));
        }
        let line = step.line_in(std::path::Path::new("FOLDER"));
        let words: Vec<_> = line.iter().map(|word| word.to_string_lossy()).collect();
        let command = Cell::Text(format!("pacemark {}", words.join(" ")));
        let texts = texts.into_iter().cloned().map(Cell::Text);
        table.rows.push(texts.chain([seconds, command, why]).collect::<Vec<_>>().into());
    }
    let besides = match unknown {
        0 => String::new(),
        1 => " and a step whose time is not guessed".to_owned(),
        n => format!(" and {n} steps whose time is not guessed"),
    };
    table.legend = Some(format!(
        "{} {}, about {}{besides}, by what this machine did just now; nothing was measured. -o json has \
         their command lines",
        state.steps.len(),
        if state.steps.len() == 1 { "step" } else { "steps" },
        words(total)
    ));
    notes.extend(state.models.iter().filter_map(|model| model.note.clone()));
    Ok(Document { tables: vec![table], notes, ..Document::default() })
}

fn expected(work: Work, (prefill, decode): (f64, f64)) -> f64 {
    work.n_prompt / prefill + work.n_gen / decode + work.seconds
}

fn words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} minutes", s / 60.0),
        s => format!("{:.1} hours", s / 3600.0),
    }
}

/// What the machine does now.
struct Machine {
    read_bytes_per_s: f64,
    int8_per_s: f64,
}

impl Machine {
    fn probe() -> Result<Machine> {
        let kernels = pacemark_kernels::kernels()?;
        let team = Team::new(pacemark_limits::processors())?;
        let roof = pacemark_kernels::Roof::new(kernels, 256 << 20)?;
        Ok(Machine {
            read_bytes_per_s: roof.read_bytes_per_s(&team, PROBE),
            int8_per_s: roof.int8_operations_per_s(&team, PROBE),
        })
    }

    /// Prompt and generated tokens a second; `None` where the header does not say.
    fn rates(&self, argument: &str) -> Option<(f64, f64)> {
        let path = match crate::hub::here(argument).ok()? {
            crate::hub::Here::Path(path) => path,
            crate::hub::Here::Shape(shape) => shape.into(),
            crate::hub::Here::Absent => return None,
        };
        let file = ModelFile::open(&path).ok()?;
        let model: Model = describe(&preview(&file, &Setup::default()).ok()?);
        let operations = model.layer_operations;
        let operations = (operations.int8 + operations.bf16 + operations.f32) as f64;
        let is_known = operations > 0.0 && model.bytes_per_token > 0;
        is_known.then(|| {
            let decode = REACHED.0 * self.read_bytes_per_s / model.bytes_per_token as f64;
            (REACHED.1 * self.int8_per_s / operations, decode)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_words() {
        assert_eq!(
            [12.4, 600.0, 9000.0].map(words),
            ["12 s", "10 minutes", "2.5 hours"].map(str::to_owned)
        );
        let work = Work { n_prompt: 1000.0, n_gen: 100.0, seconds: 2.0 };
        assert_eq!(expected(work, (500.0, 50.0)), 6.0);
    }
}
