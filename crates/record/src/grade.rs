//! Grades: how answers feel to the one who waits for them, by their speed and their time to first
//! token.

use crate::{Trial, stats};
use pacemark_files::excerpt;
use std::fmt;
use std::str::FromStr;

/// Names, best first.
const NAMES: [&str; 5] = ["excellent", "good", "usable", "slow", "very slow"];

/// Where each grade but the last ends: tokens a second at least, and milliseconds to the first
/// token at most. The best one is only for what is strictly better.
#[derive(Clone, Debug, PartialEq)]
pub struct Grades {
    steps: [(f64, f64); 4],
}

impl Default for Grades {
    fn default() -> Grades {
        Grades { steps: [(30.0, 200.0), (20.0, 400.0), (10.0, 800.0), (5.0, 1500.0)] }
    }
}

/// What a trial came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grade {
    /// In words.
    pub name: &'static str,
    /// Tokens a second of an answer after its first token: the median.
    pub tokens_per_second: f64,
    /// Time to first token, from the schedule: the median.
    pub ttft_ms: f64,
}

impl Grades {
    /// The worse of the grades of the two figures.
    pub fn of(&self, tokens_per_second: f64, ttft_ms: f64) -> &'static str {
        let reached = |(i, (speed, wait)): (usize, &(f64, f64))| {
            if i == 0 {
                tokens_per_second > *speed && ttft_ms < *wait
            } else {
                tokens_per_second >= *speed && ttft_ms <= *wait
            }
        };
        let step = self.steps.iter().enumerate().position(reached);
        NAMES[step.unwrap_or(NAMES.len() - 1)]
    }
}

impl Trial {
    /// The grade of a load's answers, by the thresholds it was given; `None` where their medians
    /// are not known, and where requests failed: whoever got no answer does not call that excellent.
    pub fn grade(&self) -> Option<Grade> {
        let grades = match self.params.get("grades").and_then(|text| text.as_str()) {
            Some(text) => text.parse().ok()?,
            None => Grades::default(),
        };
        if !self.failures().is_empty() {
            return None;
        }
        let source = self.token_source();
        let median = |of: &dyn Fn(&crate::Request) -> Option<f64>| {
            let mut values: Vec<f64> = self.answered().filter_map(of).collect();
            values.sort_by(f64::total_cmp);
            stats::supported_quantile(&values, 0.5, stats::CONFIDENCE)
        };
        let tokens_per_second =
            median(&|request| Some(1e9 / request.tpot_ns(source).filter(|ns| *ns > 0.0)?))?;
        let ttft_ms = median(&|request| Some(request.ttft_scheduled_ns()? as f64 / 1e6))?;
        Some(Grade { name: grades.of(tokens_per_second, ttft_ms), tokens_per_second, ttft_ms })
    }
}

impl fmt::Display for Grades {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> =
            self.steps.iter().map(|(speed, wait)| format!("{speed}/{wait}")).collect();
        f.write_str(&steps.join(","))
    }
}

impl FromStr for Grades {
    type Err = String;

    fn from_str(text: &str) -> Result<Grades, String> {
        let expected = || {
            let example = Grades::default();
            format!(
                "'{}': expected four steps of tokens a second / ms, best first, such as {example}",
                excerpt(text)
            )
        };
        let step = |text: &str| -> Option<(f64, f64)> {
            let (speed, wait) = text.split_once('/')?;
            let number =
                |text: &str| text.trim().parse::<f64>().ok().filter(|x| *x > 0.0 && x.is_finite());
            number(speed).zip(number(wait))
        };
        let steps: Option<Vec<(f64, f64)>> = text.split(',').map(step).collect();
        let steps: [(f64, f64); 4] =
            steps.and_then(|steps| steps.try_into().ok()).ok_or_else(expected)?;
        let ordered = steps.windows(2).all(|pair| pair[0].0 >= pair[1].0 && pair[0].1 <= pair[1].1);
        if ordered { Ok(Grades { steps }) } else { Err(expected()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;

    #[test]
    fn the_worse_of_the_two_decides() {
        let grades = Grades::default();
        for (speed, wait, name) in [
            (30.1, 199.9, "excellent"),
            (30.0, 100.0, "good"),
            (100.0, 200.0, "good"),
            (100.0, 400.1, "usable"),
            (10.0, 100.0, "usable"),
            (9.9, 100.0, "slow"),
            (5.0, 1500.0, "slow"),
            (4.9, 1.0, "very slow"),
            (100.0, 1501.0, "very slow"),
        ] {
            assert_eq!(grades.of(speed, wait), name, "{speed} t/s, {wait} ms");
        }
    }

    #[test]
    fn thresholds_are_read_as_they_are_written() {
        let text = "60/100,30/200,15/500,5/1000";
        let grades: Grades = text.parse().unwrap();
        assert_eq!((grades.to_string().as_str(), grades.of(40.0, 150.0)), (text, "good"));
        assert_eq!(Grades::default().to_string().parse(), Ok(Grades::default()));
        for wrong in [
            "",
            "1/2",
            "30/200,20/400,10/800,5",
            "NaN/1,1/2,1/3,1/4",
            "1/2,2/3,3/4,4/5",
            "30/-1,20/4,10/8,5/15",
        ] {
            assert!(wrong.parse::<Grades>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_trial_is_graded_by_medians_from_the_schedule() {
        // Due at 0, sent after 100 ms, first token 150 ms later: 250 ms of waiting. Then a token
        // each 25 ms: 40 t/s.
        let request = Request {
            sent_ns: 100_000_000,
            chunks_ns: (0..5).map(|i| 250_000_000 + i * 25_000_000).collect(),
            output_usage: Some(5),
            ..Request::default()
        };
        let mut trial = Trial { measured: vec![request; 6].into(), ..Trial::default() };
        assert_eq!(
            trial.grade(),
            Some(Grade { name: "good", tokens_per_second: 40.0, ttft_ms: 250.0 })
        );
        trial.params.insert("grades".into(), "30/300,20/400,10/800,5/1500".into());
        assert_eq!(trial.grade().map(|grade| grade.name), Some("excellent"));
        trial.load_mut().unwrap().requests.truncate(5);
        assert_eq!(trial.grade(), None, "five requests bound no median");
    }
}
