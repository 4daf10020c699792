//! A target of a search, e.g. `ttft_ms.p95<300`, and whether a setting's runs show that it is met.
//!
//! A percentile's own interval (metrics.md, rule 5) is there only once the sample bounds it, which for a
//! 95th takes 59 runs. The exact binomial test tells a miss long before: of values that lie above the
//! p-quantile there are binomial(n, 1 − p), so six runs of six above 300 ms miss `p95<300` for certain.

use super::Tune;
use crate::named::{self, Named};
use pacemark_files::quoted;
use pacemark_record::stats::{self, CONFIDENCE};
use pacemark_record::{Bound, Statistic, TargetVerdict, Trial};
use std::fmt;
use std::str::FromStr;

/// A bound for a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Aim {
    /// As it was written.
    text: String,
    figure: Named,
    bound: Bound,
}

/// What a target came to, and what that is seen by.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Whether it was kept.
    pub verdict: TargetVerdict,
    /// In words, without the target.
    pub told: String,
}

/// More runs than this are no advice.
const MOST_MORE: usize = 1000;

impl Aim {
    /// What the runs of a trial show, at the level of every verdict.
    pub fn standing(&self, trial: &Trial) -> Standing {
        let judged = self.figure.of(trial).map(|found| self.bound.judge(&found.measure));
        let verdict = match (judged, self.share_beyond(trial)) {
            (None, _) => TargetVerdict::NotMeasured,
            (Some(verdict @ (TargetVerdict::Met | TargetVerdict::Missed)), _) => verdict,
            (Some(_), Some(share)) => share.verdict(1.0 - CONFIDENCE),
            (Some(verdict), None) => verdict,
        };
        Standing { verdict, told: self.told(trial) }
    }

    /// Whether it is shown to be missed where it may be wrong with this probability only: of a mean by
    /// Student's interval, of a percentile by the exact test.
    pub(super) fn is_missed(&self, trial: &Trial, error: f64) -> bool {
        if let Some(share) = self.share_beyond(trial) {
            return share.verdict(error) == TargetVerdict::Missed;
        }
        let Some((Statistic::Mean, values)) = self.figure.sample(trial) else {
            let judged = self.figure.of(trial).map(|found| self.bound.judge(&found.measure));
            return judged == Some(TargetVerdict::Missed);
        };
        // One side of the interval decides.
        let Some(interval) = stats::student_interval(&values, 1.0 - 2.0 * error) else {
            return false;
        };
        self.bound.max.is_some_and(|max| interval.low > max)
            || self.bound.min.is_some_and(|min| interval.high < min)
    }

    /// How far from the bound, as a ratio of the two that is above 1 where it is missed: of values
    /// that a percentile is asked of, their median.
    pub(super) fn excess(&self, trial: &Trial) -> Option<f64> {
        let value = self.middle(trial)?;
        let over = self.bound.max.map(|max| value / max);
        over.or(self.bound.min.map(|min| min / value)).filter(|ratio| ratio.is_finite())
    }

    fn middle(&self, trial: &Trial) -> Option<f64> {
        match self.figure.sample(trial)? {
            (Statistic::Quantile(_), values) => stats::median(&values),
            (Statistic::Mean, values) => stats::mean(&values),
            _ => self.figure.of(trial)?.measure.figure.value,
        }
    }

    fn told(&self, trial: &Trial) -> String {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), short);
        match (self.share_beyond(trial), self.middle(trial)) {
            (Some(share), middle) => {
                let (k, n, of) = (share.beyond, share.of, if share.of == 1 { "" } else { "s" });
                format!("{k} of {n} value{of} beyond it, median {}", number(middle))
            }
            (None, middle) => number(middle),
        }
    }

    /// Of a percentile: how many values lie beyond the bound, and how many may.
    fn share_beyond(&self, trial: &Trial) -> Option<Beyond> {
        let (Statistic::Quantile(p), values) = self.figure.sample(trial)? else { return None };
        let (beyond, share) = match self.bound {
            Bound { max: Some(max), .. } => (values.iter().filter(|v| **v > max).count(), 1.0 - p),
            Bound { min: Some(min), .. } => (values.iter().filter(|v| **v < min).count(), p),
            Bound { min: None, max: None } => return None,
        };
        Some(Beyond { beyond, of: values.len(), share })
    }
}

/// Values beyond a bound.
struct Beyond {
    beyond: usize,
    of: usize,
    /// The share of values that may be, if the percentile is the bound itself.
    share: f64,
}

impl Beyond {
    fn verdict(&self, error: f64) -> TargetVerdict {
        let (few, many) = stats::tails(self.beyond, self.of, self.share);
        match self.of {
            0 => TargetVerdict::NotMeasured,
            _ if many < error => TargetVerdict::Missed,
            _ if few < error => TargetVerdict::Met,
            _ => TargetVerdict::Undecided(self.more(error)),
        }
    }

    /// About how many more runs decide it, if as many lie beyond the bound as until now.
    fn more(&self, error: f64) -> Option<u64> {
        let rate = self.beyond as f64 / self.of as f64;
        let decides = |more: &usize| {
            let n = self.of + more;
            let (few, many) = stats::tails((rate * n as f64).round() as usize, n, self.share);
            few < error || many < error
        };
        (1..=MOST_MORE).find(decides).map(|more| more as u64)
    }
}

/// Four digits that count.
pub(super) fn short(value: f64) -> String {
    let digits = 3 - value.abs().max(1e-9).log10().floor().clamp(-3.0, 3.0) as i32;
    format!("{value:.*}", digits.max(0) as usize)
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Figures of answers and not of speed.
const OF_ANSWERS: [&str; 2] = ["kld", "same_top"];

/// What to say of a name that is no figure's: figures that a run of tune has.
fn unknown(name: &str) -> String {
    let is_target = |figure: &&String| !OF_ANSWERS.iter().any(|own| figure.starts_with(own));
    let known = named::names_of(&[&Tune]);
    let known: Vec<&str> = known.iter().filter(is_target).map(String::as_str).collect();
    named::unknown(name, &known)
}

impl FromStr for Aim {
    type Err = String;

    fn from_str(text: &str) -> Result<Aim, String> {
        let expected = || {
            let example = "e.g. 'ttft_ms.p95<300' or 'decode_tps>30'";
            format!("{}: expected FIGURE<LIMIT or FIGURE>LIMIT, {example}", quoted(text))
        };
        let at = text.find(['<', '>']).ok_or_else(expected)?;
        let (name, rest) = text.split_at(at);
        let (is_max, limit) = (rest.starts_with('<'), rest[1..].trim_start_matches('=').trim());
        let limit = limit.parse::<f64>().ok().filter(|limit| limit.is_finite() && *limit > 0.0);
        let limit = limit.ok_or_else(expected)?;
        let figure = Named::parse(name).map_err(|_| unknown(name))?;
        if OF_ANSWERS.iter().any(|own| figure.name().starts_with(own)) {
            return Err(format!("{}: how far answers may be is --max-kld's to say", name.trim()));
        }
        if figure.metric(&Tune).is_none() {
            let has =
                "ttft_ms, tpot_ms, e2e_ms, decode_tps, prefill_tps, throughput_tps, peak_memory_gb";
            return Err(format!("{}: a run of tune has no such figure; it has {has}", name.trim()));
        }
        let (min, max) = if is_max { (None, Some(limit)) } else { (Some(limit), None) };
        Ok(Aim { text: text.split_whitespace().collect(), figure, bound: Bound { min, max } })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::trial;
    use super::*;
    use TargetVerdict::{Met, Missed, Undecided};

    fn verdict(aim: &str, times_ms: &[u64]) -> TargetVerdict {
        aim.parse::<Aim>().unwrap().standing(&trial("default", times_ms)).verdict
    }

    #[test]
    fn a_percentile_is_missed_by_a_few_runs_and_met_by_many() {
        assert_eq!(verdict("ttft_ms.p95<300", &[310; 2]), Missed, "0.05^2 is below 5 %");
        assert_eq!(verdict("ttft_ms.p95<300", &[290; 6]), Undecided(Some(53)));
        assert_eq!(verdict("ttft_ms.p95<300", &[290; 59]), Met);
        let mut one = vec![290; 59];
        one[7] = 310;
        assert!(matches!(verdict("ttft_ms.p95<300", &one), Undecided(Some(_))));
        assert_eq!(verdict("ttft_ms.p5 > 300", &[310; 59]), Met);
        assert_eq!(verdict("ttft_ms.p5>300", &[290; 2]), Missed);
    }

    #[test]
    fn a_mean_is_judged_by_its_interval() {
        let times = [290, 292, 288, 291, 289, 290];
        assert_eq!(verdict("ttft_ms<300", &times), Met);
        assert_eq!(verdict("ttft_ms <= 280", &times), Missed);
        assert!(matches!(verdict("ttft_ms<290", &times), Undecided(_)));
        assert_eq!(verdict("ttft_ms<300", &times[..3]), Undecided(Some(2)));
        let strict = |error| {
            "ttft_ms<288.5".parse::<Aim>().unwrap().is_missed(&trial("default", &times), error)
        };
        assert!(strict(0.05) && !strict(1e-6), "a stricter level needs more runs");
    }

    #[test]
    fn what_was_found_is_told() {
        let told = |aim: &str| {
            let aim: Aim = aim.parse().unwrap();
            let trial = trial("default", &[310, 410, 510]);
            (aim.standing(&trial).told, aim.excess(&trial).unwrap())
        };
        let (text, excess) = told("ttft_ms.p95<400");
        assert_eq!(text, "2 of 3 values beyond it, median 410.0");
        assert!((excess - 1.025).abs() < 1e-12, "{excess}");
        assert_eq!(told("ttft_ms<400").0, "410.0");
        assert_eq!([0.01234, 1.5, 12345.6].map(short), ["0.01234", "1.500", "12346"]);
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for (text, said) in [
            ("ttft_ms.p95", "expected FIGURE<LIMIT"),
            ("ttft_ms<fast", "expected FIGURE<LIMIT"),
            ("ttft_ms<-1", "expected FIGURE<LIMIT"),
            ("tfft_ms<300", "did you mean ttft_ms?"),
            // A figure of another experiment is nearer.
            ("ttft<3", "did you mean ttft_ms?"),
            ("klt<3", "unknown metric \"klt\""),
            ("ttft_s<3", "a run of tune has no such figure"),
            ("goodput>3", "a run of tune has no such figure"),
            ("kld<0.05", "--max-kld"),
        ] {
            let error = text.parse::<Aim>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        let aim: Aim = " ttft_ms.p95 < 300".parse().unwrap();
        assert_eq!(aim.to_string(), "ttft_ms.p95<300");
    }
}
