//! The roofline: how fast tests computed beside what the machine allows for so many operations a byte
//! (Williams, Waterman and Patterson, "Roofline", CACM 52, 2009).

use super::pictures::left_out;
use super::rows::{MACHINE, Rows};
use pacemark_record::{Roof, Trial};
use pacemark_report::picture::{Line, LinePoint, Marks, Panel, Role, Spacing, Stroke};

/// Operations a second are told in thousands of millions.
const GIGA: f64 = 1e9;

/// Where tests of the native engine stand beside the roofs that were measured with them: a picture for
/// each machine, whose roof is no other's.
pub(super) fn panels(rows: &Rows<'_>) -> Vec<Panel> {
    let mut machines: Vec<Option<&str>> = Vec::new();
    for found in rows.trials.iter().map(machine) {
        if !machines.contains(&found) {
            machines.push(found);
        }
    }
    let of = |wanted: &Option<&str>| {
        let its = |(trial, _): &(&Trial, &String)| machine(trial) == *wanted;
        panel(*wanted, rows.trials.iter().zip(&rows.names).filter(its))
    };
    machines.iter().filter_map(of).collect()
}

/// The machine of a trial, where a report has several.
fn machine(trial: &Trial) -> Option<&str> {
    trial.params.get(MACHINE)?.as_str()
}

fn panel<'r>(
    name: Option<&str>,
    rows: impl Iterator<Item = (&'r Trial, &'r String)>,
) -> Option<Panel> {
    let mut lines: Vec<Line> = Vec::new();
    let (mut read, mut int8) = (0.0_f64, 0.0_f64);
    for (trial, name) in rows {
        let Some((x, y)) = place(trial) else { continue };
        for roof in &trial.roofs {
            read = read.max(roof.read_bytes_per_s);
            int8 = int8.max(roof.int8_per_s);
        }
        let role = Role::Nth(lines.len());
        let points = vec![LinePoint { x, y: y / GIGA, interval: None }];
        lines.push(Line { label: name.clone(), points, stroke: Stroke::Dots, role });
    }
    if lines.is_empty() || read <= 0.0 || int8 <= 0.0 {
        return None;
    }
    let more = left_out(&mut lines);
    let ridge = int8 / read;
    let xs = || lines.iter().map(|line| line.points[0].x);
    let from = xs().fold(ridge, f64::min) / 2.0;
    let to = xs().fold(ridge, f64::max) * 2.0;
    let roof = [(from, from * read), (ridge, int8), (to, int8)];
    let points = roof.map(|(x, y)| LinePoint { x, y: y / GIGA, interval: None }).to_vec();
    let label = "roof".to_owned();
    lines.push(Line { label, points, stroke: Stroke::Straight, role: Role::Baseline });
    let of = name.map_or(String::new(), |machine| format!(" of {machine}"));
    Some(Panel {
        title: format!("Roofline{of}: operations a second beside what the machine allows{more}"),
        y_axis: "1e9 operations / s".to_owned(),
        x_axis: "operations for each byte that is read".to_owned(),
        marks: Marks::Lines {
            lines,
            x: Spacing::Logarithmic,
            y: Spacing::Logarithmic,
            guides: Vec::new(),
        },
    })
}

/// Whether a test's reads take longer than its operations at the roofs that were measured with it.
pub(super) fn is_bound_by_memory(trial: &Trial) -> Option<bool> {
    let (intensity, _) = place(trial)?;
    let best = |of: fn(&Roof) -> f64| trial.roofs.iter().map(of).fold(0.0, f64::max);
    let (read, int8) = (best(|roof| roof.read_bytes_per_s), best(|roof| roof.int8_per_s));
    (read > 0.0 && int8 > 0.0).then(|| intensity < int8 / read)
}

/// Operations for each byte of weights that must be read, and operations a second.
fn place(trial: &Trial) -> Option<(f64, f64)> {
    let (n_prompt, n_gen) = (trial.count("n_prompt") as f64, trial.count("n_gen") as f64);
    let layers = trial.model.layer_operations.all() as f64;
    let output = trial.model.output_operations.all() as f64;
    let times: Vec<f64> = trial.samples().iter().map(|s| s.elapsed_ns as f64 / 1e9).collect();
    let time = pacemark_record::stats::mean(&times).filter(|time| *time > 0.0)?;
    let known = layers > 0.0 && trial.model.bytes_per_token > 0 && !trial.roofs.is_empty();
    if !known || trial.params.contains_key("n_parallel") {
        return None;
    }
    let passes = trial.prompt_passes() as f64 + n_gen;
    let prompt_output = if n_prompt > 0.0 { output } else { 0.0 };
    let operations = layers * (n_prompt + n_gen) + output * n_gen + prompt_output;
    let bytes = passes * trial.model.bytes_per_token as f64;
    (operations > 0.0 && bytes > 0.0).then(|| (operations / bytes, operations / time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throughput::Throughput;
    use pacemark_record::{Run, Sample};
    use serde_json::json;

    /// A prompt of 256 tokens in batches of that length, which took a second.
    fn trial(n_batch: u64, read_bytes_per_s: f64) -> Trial {
        let params = json!({ "n_prompt": 256, "n_gen": 0, "n_batch": n_batch, "n_ubatch": 256 });
        let mut trial = Trial {
            params: params.as_object().unwrap().clone(),
            measured: vec![Sample { elapsed_ns: 1_000_000_000, ..Sample::default() }].into(),
            ..Trial::default()
        };
        trial.model.bytes_per_token = 100;
        trial.model.layer_operations.int8 = 200;
        let roof = Roof { read_bytes_per_s, int8_per_s: 1e5, bf16_per_s: None, f32_per_s: 1e4 };
        trial.roofs = vec![roof];
        trial
    }

    #[test]
    fn short_batches_read_the_weights_more_often() {
        // 200 operations of each token over 100 bytes of each pass.
        assert_eq!(place(&trial(256, 1e3)).unwrap().0, 512.0);
        assert_eq!(place(&trial(16, 1e3)).unwrap().0, 32.0);
        assert_eq!(is_bound_by_memory(&trial(16, 1e3)), Some(true), "the ridge is at 100");
        assert_eq!(is_bound_by_memory(&trial(256, 1e3)), Some(false));
    }

    #[test]
    fn each_machine_has_its_own_roof() {
        let mut trials = vec![trial(256, 1e3), trial(256, 1e4)];
        let drawn = |trials: &[Trial]| {
            let run = Run { trials: trials.to_vec(), ..Run::default() };
            panels(&Rows::of(&Throughput, &run))
        };
        assert_eq!(drawn(&trials).len(), 1);
        for (trial, machine) in trials.iter_mut().zip(["one", "other"]) {
            trial.params.insert(MACHINE.to_owned(), machine.into());
        }
        let drawn = drawn(&trials);
        assert_eq!(drawn.len(), 2);
        for (panel, (machine, ridge)) in drawn.iter().zip([("one", 100.0), ("other", 10.0)]) {
            assert!(panel.title.starts_with(&format!("Roofline of {machine}:")), "{}", panel.title);
            let Marks::Lines { lines, .. } = &panel.marks else { panic!() };
            assert_eq!((lines.len(), lines[1].points[1].x), (2, ridge));
        }
    }
}
