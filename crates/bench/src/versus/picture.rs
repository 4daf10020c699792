//! The comparison in one picture of six panels.

use super::figures::{DECODE, PEAK_RSS, PPL, PREFILL, TOGETHER, TTFT, figure};
use super::page::title;
use super::{failure, name};
use pacemark_record::{Series, Trial};
use pacemark_report::picture::{Bar, Marks, Panel, Picture, Role};

/// Prefill, decode, batch; time to first token, memory, perplexity. Panels of which nothing was measured
/// are left out, and engines of which nothing was.
pub fn panels(trials: &[Trial]) -> Picture {
    const MIB: f64 = (1u64 << 20) as f64;
    let panels: [(&str, &str, &Series, f64); 6] = [
        ("Prefill", "prompt tokens a second", &PREFILL, 1.0),
        ("Decode", "tokens a second", &DECODE, 1.0),
        ("Batch", "tokens of all sequences a second", &TOGETHER, 1.0),
        ("Time to first token", "ms, lower is better", &TTFT, 1.0),
        ("Memory", "peak RSS, MiB", &PEAK_RSS, 1.0 / MIB),
        ("Perplexity", "perplexity, lower is better", &PPL, 1.0),
    ];
    let panels = panels.into_iter().filter_map(|(title, y_axis, series, scale)| {
        let bars: Vec<Bar> = trials.iter().filter_map(|trial| bar(trial, series, scale)).collect();
        bars.iter().any(|bar| bar.value.is_some()).then(|| Panel {
            title: title.to_owned(),
            y_axis: y_axis.to_owned(),
            x_axis: String::new(),
            marks: Marks::Bars(bars),
        })
    });
    let subject = trials.first().map_or(String::new(), title);
    let first = trials.first().map_or("-", name);
    Picture {
        title: format!("Engines compared: {subject}"),
        notes: vec!["whiskers: 95 % intervals, where there are enough rounds".to_owned()],
        legend: vec![
            (Role::Baseline, format!("{first}, with which the others are compared")),
            (Role::Other, "another engine".to_owned()),
        ],
        panels: panels.collect(),
        columns: 3,
    }
}

fn bar(trial: &Trial, series: &Series, scale: f64) -> Option<Bar> {
    if failure(trial).is_some() && super::n_runs(trial) == 0 {
        return None;
    }
    let figure = figure(series, trial);
    // That of a perplexity is the text's, the same for all.
    let interval = figure.interval.filter(|i| i.low < i.high && series.name != PPL.name);
    Some(Bar {
        label: name(trial).to_owned(),
        value: figure.value.map(|value| value * scale),
        interval: interval.map(|i| (i.low * scale, i.high * scale)),
        role: if trial.turn == 0 { Role::Baseline } else { Role::Other },
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::trials;
    use super::*;

    #[test]
    fn who_was_measured_is_in_every_panel() {
        let picture = panels(&trials());
        assert_eq!((picture.panels.len(), picture.columns), (6, 3));
        for panel in &picture.panels {
            let Marks::Bars(bars) = &panel.marks else { panic!() };
            let labels: Vec<&str> = bars.iter().map(|bar| bar.label.as_str()).collect();
            assert_eq!(labels, ["native", "openvino", "server"], "{}", panel.title);
        }
        let Marks::Bars(bars) = &picture.panels[5].marks else { panic!() };
        assert_eq!(bars[2].value, None, "a dash, not a zero");
        assert!(panels(&[]).panels.is_empty());
    }
}
