//! A comparison as a picture: a panel for each figure, a bar for each test, beside one that is 1.

use super::{Contrast, Ratio};
use pacemark_record::Verdict;
use pacemark_report::picture::{Bar, Marks, Panel, Picture, Role};

/// Panels beside each other.
const COLUMNS: usize = 3;

/// Ratios with their intervals.
pub fn picture(contrast: &Contrast) -> Picture {
    let mut figures: Vec<&str> = Vec::new();
    for ratio in &contrast.ratios {
        if !figures.contains(&ratio.figure.name()) {
            figures.push(ratio.figure.name());
        }
    }
    let panel = |figure: &&str| {
        let of_figure = contrast.ratios.iter().filter(|ratio| ratio.figure.name() == *figure);
        let one =
            Bar { label: "base".into(), value: Some(1.0), interval: None, role: Role::Baseline };
        Panel {
            title: (*figure).to_owned(),
            y_axis: "ratio, new over base".to_owned(),
            x_axis: String::new(),
            marks: Marks::Bars(std::iter::once(one).chain(of_figure.map(bar)).collect()),
        }
    };
    let [base, new] = contrast.names.each_ref().map(|names| names.join(", "));
    let legend = [
        (Role::Baseline, "base, or not distinguishable from it"),
        (Role::Streaming, "better"),
        (Role::Recent, "worse"),
        (Role::Other, "without an interval"),
    ];
    Picture {
        title: format!("{new} compared with {base}"),
        notes: vec![
            "whiskers: 95 % intervals of the ratio, where there are enough measurements".to_owned(),
            contrast.pairing.told().to_owned(),
        ],
        legend: legend.map(|(role, words)| (role, words.to_owned())).into(),
        panels: figures.iter().map(panel).collect(),
        columns: COLUMNS,
    }
}

fn bar(ratio: &Ratio) -> Bar {
    let role = match ratio.versus.verdict(ratio.better) {
        Verdict::Faster => Role::Streaming,
        Verdict::Slower => Role::Recent,
        Verdict::NotDistinguishable => Role::Baseline,
        Verdict::TooFewPairs => Role::Other,
    };
    let interval = ratio.versus.interval.map(|interval| (interval.low, interval.high));
    let interval = interval.filter(|(low, high)| low < high);
    Bar { label: ratio.test.clone(), value: Some(ratio.versus.ratio), interval, role }
}
