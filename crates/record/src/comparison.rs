//! What a comparison of two trials says (metrics.md, rule 7).

use crate::stats::{CONFIDENCE, Interval, PAIRED_RATIO, paired_ratio};
use crate::{Better, Series, Trial};
use serde::Serialize;
use serde_json::{Map, Value};

/// One figure of one test, first against second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// [`Series::name`].
    pub metric: &'static str,
    /// [`Series::title`].
    #[serde(skip)]
    pub title: &'static str,
    /// Who is above the line of the ratio.
    pub first: String,
    /// Who is below.
    pub second: String,
    /// Geometric mean of first / second.
    pub ratio: f64,
    /// Lower end of its interval; `None` for fewer than five pairs.
    pub ci95_low: Option<f64>,
    /// Upper end.
    pub ci95_high: Option<f64>,
    /// Pairs of repetitions.
    pub pairs: usize,
    /// What the interval allows to say of the first.
    pub verdict: Verdict,
    /// How ratio and interval are made.
    pub method: &'static str,
    /// Model of the first.
    #[serde(skip)]
    pub model_type: String,
    /// Parameters of the first.
    #[serde(skip)]
    pub params: Map<String, Value>,
}

/// What may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval is on the better side of 1.
    Faster,
    /// The whole interval is on the worse side of 1.
    Slower,
    /// The interval holds 1.
    NotDistinguishable,
    /// There is no interval.
    TooFewPairs,
}

impl Verdict {
    /// What the interval of a ratio, first over second, allows to say of the first.
    pub fn of(interval: Option<Interval>, better: Better) -> Verdict {
        // In the direction of better: above 1 is faster.
        let sides = interval.map(|i| match better {
            Better::Lower => (1.0 / i.high, 1.0 / i.low),
            Better::Higher | Better::Neither => (i.low, i.high),
        });
        match sides {
            None => Verdict::TooFewPairs,
            Some((low, _)) if low > 1.0 => Verdict::Faster,
            Some((_, high)) if high < 1.0 => Verdict::Slower,
            Some(_) => Verdict::NotDistinguishable,
        }
    }
}

/// Compares two trials that were measured in turn, by `series`, pair by pair. `None` where either has no
/// such values.
pub fn compare(first: &Trial, second: &Trial, series: &Series) -> Option<Comparison> {
    let found = paired_ratio(&(series.of)(first), &(series.of)(second), CONFIDENCE)?;
    let verdict = Verdict::of(found.interval, series.better);
    let (mut a, mut b) = (first.model.backend.clone(), second.model.backend.clone());
    if a == b {
        a += " (1)";
        b += " (2)";
    }
    Some(Comparison {
        metric: series.name,
        title: series.title,
        first: a,
        second: b,
        ratio: found.ratio,
        ci95_low: found.interval.map(|i| i.low),
        ci95_high: found.interval.map(|i| i.high),
        pairs: found.pairs,
        verdict,
        method: PAIRED_RATIO,
        model_type: first.model.model_type.clone(),
        params: first.params.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sample, Unit};

    fn trial(backend: &str, elapsed_ns: &[u64]) -> Trial {
        let mut trial = Trial::default();
        trial.model.backend = backend.to_owned();
        let sample = |&elapsed_ns| Sample { elapsed_ns, ..Sample::default() };
        trial.measured = elapsed_ns.iter().map(sample).collect::<Vec<_>>().into();
        trial
    }

    #[test]
    fn the_verdict_follows_the_interval_and_the_direction() {
        let time = Series {
            name: "time_ms",
            title: "time",
            unit: Unit::Milliseconds,
            better: Better::Lower,
            help: "",
            of: |t| t.samples().iter().map(|s| s.elapsed_ns as f64).collect(),
        };
        let rate = Series { name: "rate", title: "rate", better: Better::Higher, ..time };
        let (fast, slow) = (
            trial("a", &[100, 101, 99, 100, 102, 98]),
            trial("b", &[200, 203, 198, 199, 204, 197]),
        );
        for (first, second, figure, expected) in [
            (&fast, &slow, &time, Verdict::Faster),
            (&slow, &fast, &time, Verdict::Slower),
            (&fast, &slow, &rate, Verdict::Slower),
            (&fast, &trial("b", &[101, 99, 100, 102, 98, 100]), &time, Verdict::NotDistinguishable),
            (&fast, &trial("b", &[200, 203, 198, 199]), &time, Verdict::TooFewPairs),
        ] {
            let found = compare(first, second, figure).unwrap();
            assert_eq!(found.verdict, expected, "{found:?}");
        }
        let found = compare(&fast, &slow, &time).unwrap();
        assert!(
            (found.ratio - 0.5).abs() < 0.005
                && (found.first.as_str(), found.second.as_str()) == ("a", "b")
        );
        let found = compare(&fast, &fast, &time).unwrap();
        assert_eq!(
            (found.first.as_str(), found.second.as_str(), found.ratio),
            ("a (1)", "a (2)", 1.0)
        );
        assert_eq!(compare(&fast, &trial("b", &[]), &time), None);
    }
}
