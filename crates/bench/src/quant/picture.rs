//! The study in one picture of six panels.

use super::figures::{DECODE, METRICS, PEAK_RSS, PREFILL};
use super::page::{advice, name, title};
use crate::distance::figures::{KLD, PPL, SAME_TOP};
use pacemark_record::stats::Interval;
use pacemark_record::{Series, Trial};
use pacemark_report::picture::{Bar, Marks, Panel, Picture, Role};

/// Memory, prefill, decode; perplexity, divergence, same top.
pub fn panels(trials: &[Trial]) -> Picture {
    const MIB: f64 = (1u64 << 20) as f64;
    let panels: [(&str, &str, &Series, f64); 6] = [
        ("Memory", "peak RSS, MiB", &PEAK_RSS, 1.0 / MIB),
        ("Prefill", "prompt tokens a second", &PREFILL, 1.0),
        ("Decode", "tokens a second", &DECODE, 1.0),
        ("Perplexity", "perplexity, lower is better", &PPL, 1.0),
        ("Distance", "mean KLD, nats, lower is better", &KLD, 1.0),
        ("Same top token", "% of tokens", &SAME_TOP, 100.0),
    ];
    let advice = advice(trials);
    let recommended = advice.name.as_deref();
    let panels = panels.map(|(title, y_axis, series, scale)| Panel {
        title: title.to_owned(),
        y_axis: y_axis.to_owned(),
        x_axis: String::new(),
        marks: Marks::Bars(
            trials.iter().map(|trial| bar(trial, series, scale, recommended)).collect(),
        ),
    });
    let subject = trials.first().map_or(String::new(), |trial| format!(": {}", title(trial)));
    let first = trials.first().map_or("-", name);
    let mut legend = vec![
        (Role::Baseline, format!("{first}, with which the others are compared")),
        (Role::Other, "another type".to_owned()),
    ];
    // Its one colour is that of the recommended type.
    legend.retain(|(role, _)| *role != Role::Baseline || recommended != Some(first));
    legend.extend(recommended.map(|name| (Role::Streaming, format!("recommended: {name}"))));
    Picture {
        title: format!("Types of weights compared{subject}"),
        notes: vec![
            "whiskers: 95 % intervals, where there are enough measurements; of perplexity that of \
             its ratio to the original's"
                .to_owned(),
        ],
        legend,
        panels: panels.into(),
        columns: 3,
    }
}

fn bar(trial: &Trial, series: &Series, scale: f64, recommended: Option<&str>) -> Bar {
    let metric = METRICS.iter().find(|metric| metric.series.name == series.name);
    let figure = metric.map(|metric| metric.of(trial)).unwrap_or_default();
    // Of a perplexity alone it would be that of the text, the same for all types.
    let interval = if series.name == PPL.name { beside_original(trial) } else { figure.interval };
    let interval = interval.filter(|i| i.low < i.high);
    let role = match trial.turn {
        _ if recommended == Some(name(trial)) => Role::Streaming,
        0 => Role::Baseline,
        _ => Role::Other,
    };
    Bar {
        label: name(trial).to_owned(),
        value: figure.value.map(|value| value * scale),
        interval: interval.map(|i| (i.low * scale, i.high * scale)),
        role,
    }
}

/// Where the perplexity lies, that of the original being what it is.
fn beside_original(trial: &Trial) -> Option<Interval> {
    let distances = trial.distances()?;
    let (ratio, ppl) = (distances.ppl_ratio_interval()?, distances.reference.ppl()?);
    Some(Interval { low: ratio.low * ppl, high: ratio.high * ppl })
}

#[cfg(test)]
mod tests {
    use super::super::testing::trials;
    use super::*;
    use pacemark_report::picture::svg;

    #[test]
    fn two_rows_of_three_panels_and_the_recommended_type_stands_out() {
        let picture = panels(&trials());
        assert_eq!((picture.panels.len(), picture.columns), (6, 3));
        let Marks::Bars(bars) = &picture.panels[2].marks else { panic!() };
        let roles: Vec<Role> = bars.iter().map(|bar| bar.role).collect();
        assert_eq!(roles, [Role::Baseline, Role::Other, Role::Streaming, Role::Other]);
        assert!((bars[2].value.unwrap() - 30.0).abs() < 0.1, "{:?}", bars[2].value);
        assert!(svg(&picture).contains("recommended: Q4_K_M"));
    }
}
