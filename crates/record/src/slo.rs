//! Service level objectives: a limit for each request, and how many of them must keep it.

use crate::{Request, TokenSource, Trial, stats};
use pacemark_files::excerpt;
use std::fmt;
use std::str::FromStr;

/// Limits that a load is held to, e.g. `ttft:p95<500ms,tpot:p99<50ms`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slo {
    /// Each of them.
    pub limits: Vec<Limit>,
}

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// What is limited.
    pub figure: Limited,
    /// The share of requests that must keep it, e.g. 0.95; absent for all of them.
    pub percentile: Option<f64>,
    /// Less than this.
    pub limit_ns: f64,
}

/// What of a request can be limited. Times are from the schedule: waiting in the client is waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Time to first token, from the schedule.
    Ttft,
    /// Time per output token.
    Tpot,
    /// Last token, from the schedule.
    E2e,
}

impl Limited {
    const ALL: [(&'static str, Limited); 3] =
        [("ttft", Limited::Ttft), ("tpot", Limited::Tpot), ("e2e", Limited::E2e)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Limited::ALL.iter().find(|(_, figure)| *figure == self).map_or("", |(name, _)| name)
    }

    /// Its value for an answered request; a figure that the request cannot have (TPOT of one token)
    /// takes no time, one that nobody saw (an answer that was no stream) endless time.
    fn of(self, request: &Request, source: TokenSource) -> f64 {
        let value = match self {
            Limited::Ttft => request.ttft_scheduled_ns().map(|ns| ns as f64),
            Limited::Tpot => request.tpot_ns(source).or(Some(0.0)).filter(|_| !request.whole),
            Limited::E2e => request.e2e_scheduled_ns().map(|ns| ns as f64),
        };
        value.filter(|_| request.is_ok()).unwrap_or(ENDLESS)
    }
}

/// The time of a failure: a number, so that a quantile beside it stays one.
const ENDLESS: f64 = 1e300;

/// What a limit came to.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitResult {
    /// The limit.
    pub limit: Limit,
    /// Its percentile over all requests, failures counted as endless; absent where the sample does
    /// not bound it.
    pub found_ns: Option<f64>,
    /// Share of all requests that kept it.
    pub share_met: f64,
    /// What may be said.
    pub verdict: LimitVerdict,
}

/// Whether a limit was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitVerdict {
    /// It was.
    Met,
    /// It was not.
    Missed,
    /// Too few requests to say so of that percentile.
    TooFewRequests,
}

impl LimitVerdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            LimitVerdict::Met => "met",
            LimitVerdict::Missed => "missed",
            LimitVerdict::TooFewRequests => "too few requests",
        }
    }
}

impl Slo {
    /// The request keeps every limit.
    pub fn is_met_by(&self, request: &Request, source: TokenSource) -> bool {
        request.is_ok()
            && self.limits.iter().all(|limit| limit.figure.of(request, source) < limit.limit_ns)
    }

    /// Each limit against the requests of `trial`, and those that it could not send: they wait
    /// without end.
    pub fn judge(&self, trial: &Trial) -> Vec<LimitResult> {
        let source = trial.token_source();
        // More of them change no percentile above the first.
        let unsent = trial
            .load()
            .map_or(0, |load| load.unsent_requests)
            .min(100 * trial.requests().len() as u64) as usize;
        let judge = |limit: &Limit| {
            let sent = trial.requests().iter().map(|r| limit.figure.of(r, source));
            let mut values: Vec<f64> = sent.chain(std::iter::repeat_n(ENDLESS, unsent)).collect();
            values.sort_by(f64::total_cmp);
            let kept = values.iter().filter(|value| **value < limit.limit_ns).count();
            let found_ns = match limit.percentile {
                None => values.last().copied(),
                Some(p) => stats::supported_quantile(&values, p, stats::CONFIDENCE),
            };
            let found_ns = found_ns.map(|x| if x > ENDLESS / 1e9 { f64::INFINITY } else { x });
            let verdict = match found_ns {
                None => LimitVerdict::TooFewRequests,
                Some(x) if x < limit.limit_ns => LimitVerdict::Met,
                Some(_) => LimitVerdict::Missed,
            };
            let share_met = kept as f64 / values.len().max(1) as f64;
            LimitResult { limit: limit.clone(), found_ns, share_met, verdict }
        };
        self.limits.iter().map(judge).collect()
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits: Vec<String> = self.limits.iter().map(Limit::to_string).collect();
        f.write_str(&limits.join(","))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percentile =
            self.percentile.map_or(String::new(), |p| format!(":p{}", (p * 1e6).round() / 1e4));
        write!(f, "{}{percentile}<{}ms", self.figure.name(), self.limit_ns / 1e6)
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Slo, String> {
        let limits: Result<Vec<Limit>, String> = text.split(',').map(parse_limit).collect();
        Ok(Slo { limits: limits? })
    }
}

fn parse_limit(text: &str) -> Result<Limit, String> {
    let expected = || {
        format!(
            "'{}': expected FIGURE:pNN<TIME, e.g. ttft:p95<500ms, with ttft, tpot or e2e",
            excerpt(text)
        )
    };
    let (left, right) = text.trim().split_once('<').ok_or_else(expected)?;
    let (name, percentile) = match left.split_once(':') {
        None => (left, None),
        Some((name, p)) => {
            let p: f64 = p.strip_prefix('p').and_then(|p| p.parse().ok()).ok_or_else(expected)?;
            if !(p > 0.0 && p < 100.0) {
                return Err(format!("'{}': a percentile lies between p0 and p100", excerpt(text)));
            }
            (name, Some(p / 100.0))
        }
    };
    let figure = Limited::ALL
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, f)| *f)
        .ok_or_else(expected)?;
    let limit_ns = parse_time_ns(right).ok_or_else(expected)?;
    Ok(Limit { figure, percentile, limit_ns })
}

/// `500ms`, `1.5s` or `20us`, above zero.
fn parse_time_ns(text: &str) -> Option<f64> {
    let text = text.trim();
    let (number, unit) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1e6)
    } else if let Some(number) = text.strip_suffix("us") {
        (number, 1e3)
    } else {
        (text.strip_suffix('s')?, 1e9)
    };
    let number: f64 = number.trim().parse().ok()?;
    (number > 0.0 && number.is_finite()).then_some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, FailureKind};

    #[test]
    fn written_and_read() {
        let slo: Slo = "ttft:p95<500ms,tpot:p99.9<0.05s,e2e<20us".parse().unwrap();
        assert_eq!(slo.to_string(), "ttft:p95<500ms,tpot:p99.9<50ms,e2e<0.02ms");
        assert_eq!(slo.limits[2].percentile, None);
        for wrong in [
            "",
            "ttft",
            "ttft:95<1s",
            "ttft:p95<500",
            "ttft:p100<1s",
            "ttft:p95<-1s",
            "itl<1s",
            "ttft<nans",
        ] {
            assert!(wrong.parse::<Slo>().is_err(), "{wrong}");
        }
    }

    /// Sent a millisecond after its time, first token after `ttft_ms` more, then one a millisecond
    /// later.
    fn request(ttft_ms: u64) -> Request {
        let first = (1 + ttft_ms) * 1_000_000;
        Request {
            sent_ns: 1_000_000,
            chunks_ns: vec![first, first + 1_000_000],
            ..Request::default()
        }
    }

    #[test]
    fn a_failure_is_endless_and_a_percentile_needs_its_sample() {
        let slo: Slo = "ttft:p90<10ms".parse().unwrap();
        let requests: Vec<Request> = (0..40).map(|_| request(5)).collect();
        let mut trial = Trial { measured: requests.clone().into(), ..Trial::default() };
        let found = &slo.judge(&trial)[0];
        assert_eq!(
            (found.verdict, found.found_ns, found.share_met),
            (LimitVerdict::Met, Some(6e6), 1.0)
        );
        let failure = Failure { kind: FailureKind::Cut, message: String::new() };
        for request in &mut trial.load_mut().unwrap().requests[..5] {
            request.failure = Some(failure.clone());
        }
        let found = &slo.judge(&trial)[0];
        assert_eq!((found.verdict, found.share_met), (LimitVerdict::Missed, 0.875));
        assert_eq!(found.found_ns, Some(f64::INFINITY));
        trial.load_mut().unwrap().requests.truncate(20);
        assert_eq!(slo.judge(&trial)[0].verdict, LimitVerdict::TooFewRequests);
        assert!(!slo.is_met_by(&trial.requests()[0], TokenSource::Chunks));
        assert!(slo.is_met_by(&trial.requests()[19], TokenSource::Chunks));
        // What was due and not sent counts as a failure does.
        trial.measured = requests.into();
        trial.load_mut().unwrap().unsent_requests = 5;
        let found = &slo.judge(&trial)[0];
        assert_eq!((found.verdict, found.share_met), (LimitVerdict::Missed, 40.0 / 45.0));
        trial.load_mut().unwrap().unsent_requests = u64::MAX;
        assert_eq!(slo.judge(&trial)[0].verdict, LimitVerdict::Missed, "whatever a record says");
        // A whole answer has no time between tokens that could be kept.
        let whole = Request {
            whole: true,
            chunks_ns: vec![5],
            output_usage: Some(9),
            ..Request::default()
        };
        let tpot: Slo = "tpot<1s".parse().unwrap();
        assert!(!tpot.is_met_by(&whole, TokenSource::Usage));
        assert!(tpot.is_met_by(
            &Request { whole: false, output_usage: Some(1), ..whole },
            TokenSource::Usage
        ));
        // From the schedule: 9 ms after it was sent are 10 ms after it was due.
        assert!(!slo.is_met_by(&request(9), TokenSource::Chunks));
    }
}
