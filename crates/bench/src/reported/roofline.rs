//! The roofline: how fast tests computed beside what the machine allows for so many operations a byte
//! (Williams, Waterman and Patterson, "Roofline", CACM 52, 2009).

use super::pictures::left_out;
use super::rows::Rows;
use pacemark_record::{Roof, Trial};
use pacemark_report::picture::{Line, LinePoint, Marks, Panel, Role, Spacing, Stroke};

/// Operations a second are told in thousands of millions.
const GIGA: f64 = 1e9;

/// Where tests of the native engine stand beside the roofs that were measured with them.
pub(super) fn panel(rows: &Rows<'_>) -> Option<Panel> {
    let mut lines: Vec<Line> = Vec::new();
    let (mut read, mut int8) = (0.0_f64, 0.0_f64);
    for (trial, name) in rows.trials.iter().zip(&rows.names) {
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
    Some(Panel {
        title: format!("Roofline: operations a second beside what the machine allows{more}"),
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
    let n_ubatch = trial.count("n_ubatch").max(1) as f64;
    let passes = (n_prompt / n_ubatch).ceil() + n_gen;
    let prompt_output = if n_prompt > 0.0 { output } else { 0.0 };
    let operations = layers * (n_prompt + n_gen) + output * n_gen + prompt_output;
    let bytes = passes * trial.model.bytes_per_token as f64;
    (operations > 0.0 && bytes > 0.0).then(|| (operations / bytes, operations / time))
}
