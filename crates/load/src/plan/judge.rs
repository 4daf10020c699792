//! What all rows come to: which limits and goals were missed.

use super::Level;
use crate::METRICS;
use pacemark_record::{Limit, LimitVerdict, Trial, column, stats};
use std::str::FromStr;

/// A figure that must be reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    name: String,
    at_least: bool,
    value: f64,
}

impl FromStr for Goal {
    type Err = String;

    /// `NAME>=VALUE` or `NAME<=VALUE`, where a column of [`METRICS`] has that name.
    fn from_str(text: &str) -> Result<Goal, String> {
        let expected =
            || "expected NAME>=VALUE or NAME<=VALUE, e.g. output_ts_steady>=100".to_owned();
        let (at_least, parts) = match text.split_once(">=") {
            Some(parts) => (true, parts),
            None => (false, text.split_once("<=").ok_or_else(expected)?),
        };
        let (name, value) = (parts.0.trim(), parts.1.trim());
        let name = name.to_owned();
        column(METRICS, &name).ok_or_else(|| format!("there is no figure {name}"))?;
        let value =
            value.parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(expected)?;
        Ok(Goal { name, at_least, value })
    }
}

impl Goal {
    /// What was found, where the goal was not reached: an absent figure reaches nothing.
    pub fn missed(&self, trial: &Trial) -> Option<String> {
        let (metric, part) = column(METRICS, &self.name)?;
        let sign = if self.at_least { ">=" } else { "<=" };
        let Some(found) = metric.of(trial).part(part) else {
            let Goal { name, value, .. } = self;
            return Some(format!("{name} {sign} {value}: there is no such figure of this load"));
        };
        let reached = if self.at_least { found >= self.value } else { found <= self.value };
        (!reached).then(|| format!("{} {sign} {}: found {found:.3}", self.name, self.value))
    }
}

/// A sentence for each limit of a trial and for each of `goals` that was missed, or is not shown to
/// be met.
pub fn missed(trials: &[Trial], goals: &[Goal]) -> Vec<String> {
    let mut missed = Vec::new();
    for trial in trials {
        let level = Level::name_of(trial);
        for result in trial.slo().map(|slo| slo.judge(trial)).unwrap_or_default() {
            let found = match result.found_ns {
                Some(ns) if ns.is_finite() => format!("found {:.1} ms, ", ns / 1e6),
                // Failed, not streamed, or due and never sent.
                Some(_) => "found requests without it, ".to_owned(),
                None => needed(&result.limit),
            };
            let (limit, share) = (&result.limit, result.share_met * 100.0);
            if result.verdict != LimitVerdict::Met {
                let verdict = result.verdict.name();
                missed.push(format!(
                    "{level}: {limit}: {verdict}, {found}{share:.1} % of requests within"
                ));
            }
        }
        let goals = goals.iter().filter_map(|goal| goal.missed(trial));
        missed.extend(goals.map(|goal| format!("{level}: {goal}")));
    }
    missed
}

/// How many requests would do.
fn needed(limit: &Limit) -> String {
    let needed = limit.percentile.and_then(|p| stats::least_samples(p, stats::CONFIDENCE));
    needed.map_or(String::new(), |n| format!("it takes {n}, "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_name_figures() {
        let goal: Goal = "requests>=2".parse().unwrap();
        assert_eq!(goal.missed(&Trial::default()).as_deref(), Some("requests >= 2: found 0.000"));
        let goal: Goal = "ttft_ms_p50 <= 10".parse().unwrap();
        assert!(goal.missed(&Trial::default()).unwrap().contains("no such figure"));
        assert!("failed<=0".parse::<Goal>().unwrap().missed(&Trial::default()).is_none());
        assert!("speed>=1".parse::<Goal>().is_err() && "requests=1".parse::<Goal>().is_err());
    }
}
