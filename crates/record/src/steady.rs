//! The part of a load in which it was at full strength, and whether the system was steady there.
//!
//! The window begins when the system has filled: with a fixed number of streams, when as many
//! requests as there are streams have their first token (or have ended); under an open load, after
//! the 90th percentile of the time that a request takes. It ends when the last request is sent:
//! after that, the load only runs out. What tokens came within is a rate; whether that rate is one
//! that would last is the verdict's to say.

use crate::stats::{self, CONFIDENCE, Interval};
use crate::{Request, Trial};

/// Slices of time that the window is cut into.
const SLICES: usize = 60;

/// Fewer tokens than this in the mean slice make its rate a count of luck.
const MIN_TOKENS_PER_SLICE: f64 = 2.0;

/// Work in flight that grows by more than this over the window is a queue that builds up.
const GROWTH: f64 = 0.25;

/// The window and what came within.
#[derive(Clone, Debug, PartialEq)]
pub struct Steady {
    /// Its beginning, nanoseconds since the trial began.
    pub from_ns: u64,
    /// Its end.
    pub to_ns: u64,
    /// Tokens a second within it.
    pub tokens_per_second: f64,
    /// Where the rate lies, by blocks of slices twice as long as a request.
    pub interval: Option<Interval>,
    /// Rate of its last third over that of its first, less 1: what drift remained, chance or not.
    /// Absent without tokens in the first.
    pub drift: Option<f64>,
    /// Whether it was steady.
    pub verdict: SteadyVerdict,
}

/// Whether a window's rate would last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SteadyVerdict {
    /// Nothing speaks against it.
    Steady,
    /// It is shorter than two requests, or holds too few tokens.
    TooShort,
    /// The rate changed by this ratio from its first to its last third.
    Drifting(f64),
    /// Requests in flight grew by this ratio: more arrive than are answered.
    Growing(f64),
}

impl SteadyVerdict {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            SteadyVerdict::Steady => "steady",
            SteadyVerdict::TooShort => "too_short",
            SteadyVerdict::Drifting(_) => "drifting",
            SteadyVerdict::Growing(_) => "growing",
        }
    }
}

impl Trial {
    /// The steady-state window; `None` where the load has no plateau (a ramp) or ended before it
    /// had begun.
    pub fn steady(&self) -> Option<Steady> {
        if self.params.contains_key("ramp") {
            return None;
        }
        let mut e2e: Vec<f64> = self.answered().filter_map(|r| Some(r.e2e_ns()? as f64)).collect();
        e2e.sort_by(f64::total_cmp);
        let to_ns = self.requests().iter().map(|r| r.sent_ns).max()?;
        let from_ns = match self.count("concurrency") {
            0 => {
                self.requests().iter().map(|r| r.sent_ns).min()?
                    + stats::quantile(&e2e, 0.9)? as u64
            }
            streams => filled(self.requests(), streams as usize)?,
        };
        if to_ns <= from_ns {
            return None;
        }
        let span = (to_ns - from_ns) as f64;
        let slices = self.tokens_by_slice(from_ns, to_ns);
        let tokens: f64 = slices.iter().sum();
        let per_second = 1e9 * SLICES as f64 / span;
        let rates: Vec<f64> = slices.iter().map(|tokens| tokens * per_second).collect();
        let typical = stats::quantile(&e2e, 0.5)?;
        // Tokens of one request come together, and the next begins where it ends.
        let block = ((2.0 * typical / span * SLICES as f64).ceil() as usize).max(4);
        let verdict = if span < 2.0 * typical || tokens < MIN_TOKENS_PER_SLICE * SLICES as f64 {
            SteadyVerdict::TooShort
        } else if let Some(growth) = self.growth(from_ns, to_ns) {
            SteadyVerdict::Growing(growth)
        } else {
            let coarse: Vec<f64> = rates.chunks(SLICES / 12).filter_map(stats::mean).collect();
            stats::changed_speed(&coarse, CONFIDENCE)
                .map_or(SteadyVerdict::Steady, SteadyVerdict::Drifting)
        };
        let interval = stats::block_interval(&rates, block, CONFIDENCE);
        let third = SLICES / 3;
        let ends = stats::mean(&rates[..third]).zip(stats::mean(&rates[SLICES - third..]));
        let drift = ends.filter(|(first, _)| *first > 0.0).map(|(first, last)| last / first - 1.0);
        Some(Steady {
            from_ns,
            to_ns,
            tokens_per_second: tokens * 1e9 / span,
            interval,
            drift,
            verdict,
        })
    }

    /// Tokens that came in each slice. Where a chunk is not a token, an answer's tokens are spread
    /// evenly over its chunks.
    fn tokens_by_slice(&self, from_ns: u64, to_ns: u64) -> Vec<f64> {
        let source = self.token_source();
        let span = (to_ns - from_ns) as f64;
        let mut slices = vec![0.0; SLICES];
        for request in self.answered() {
            let weight = request.n_output(source) as f64 / request.chunks_ns.len().max(1) as f64;
            for at in request.chunks_ns.iter().filter(|at| (from_ns..to_ns).contains(at)) {
                let slice = ((at - from_ns) as f64 / span * SLICES as f64) as usize;
                slices[slice.min(SLICES - 1)] += weight;
            }
        }
        slices
    }

    /// How much more is in flight at the window's end than at its beginning, where that is more
    /// than chance and of consequence. A fixed number of streams cannot grow.
    fn growth(&self, from_ns: u64, to_ns: u64) -> Option<f64> {
        if self.params.contains_key("concurrency") {
            return None;
        }
        let at = |i: u64| from_ns + (to_ns - from_ns) * i / 12;
        // From the schedule: what waits in the client waits.
        let in_flight = |at: u64| {
            self.requests().iter().filter(|r| r.scheduled_ns <= at && at < r.end_ns).count()
        };
        let counts: Vec<f64> = (0..12).map(|i| in_flight(at(i)) as f64).collect();
        stats::changed_speed(&counts, CONFIDENCE).filter(|growth| *growth > GROWTH)
    }
}

/// When as many requests as there are streams have their first token, or have ended.
fn filled(requests: &[Request], streams: usize) -> Option<u64> {
    let mut by_send: Vec<&Request> = requests.iter().collect();
    by_send.sort_by_key(|request| request.sent_ns);
    let first = by_send.get(..streams)?;
    first.iter().map(|request| request.chunks_ns.first().copied().unwrap_or(request.end_ns)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MS: u64 = 1_000_000;

    /// Sent at `at` ms: a token after 100 ms, then nine more every `gap` ms.
    fn request(at: u64, gap: u64) -> Request {
        let chunks_ns: Vec<u64> = (0..10).map(|i| (at + 100 + gap * i) * MS).collect();
        let end_ns = chunks_ns[9];
        Request {
            scheduled_ns: at * MS,
            sent_ns: at * MS,
            chunks_ns,
            end_ns,
            output_usage: Some(10),
            ..Request::default()
        }
    }

    fn trial(parameter: &str, value: u64, requests: Vec<Request>) -> Trial {
        let mut trial = Trial { measured: requests.into(), ..Trial::default() };
        trial.params.insert(parameter.to_owned(), json!(value));
        trial
    }

    #[test]
    fn four_streams_end_to_end() {
        // Each stream sends every 200 ms: ten tokens in 200 ms, four times: 200 t/s.
        let requests =
            (0..4).flat_map(|stream| (0..20).map(move |i| request(stream * 50 + i * 200, 10)));
        let found = trial("concurrency", 4, requests.collect()).steady().unwrap();
        assert_eq!(
            (found.from_ns, found.to_ns),
            (250 * MS, 3950 * MS),
            "fourth stream's first token; last send"
        );
        assert!((found.tokens_per_second - 200.0).abs() < 3.0, "{found:?}");
        assert_eq!(found.verdict, SteadyVerdict::Steady);
        assert!(found.drift.unwrap().abs() < 0.05, "{found:?}");
        let interval = found.interval.unwrap();
        assert!(interval.low > 180.0 && interval.high < 220.0, "{interval:?}");
    }

    #[test]
    fn at_a_rate_the_window_begins_after_a_requests_time_and_ends_with_the_last_send() {
        // Ten a second; of ten requests nine take 190 ms and one takes 280: the 90th percentile
        // lies between.
        let requests: Vec<Request> =
            (0..100).map(|i| request(1000 + i * 100, if i % 10 == 0 { 20 } else { 10 })).collect();
        let found = trial("rate", 10, requests).steady().unwrap();
        assert!((1190 * MS..=1280 * MS).contains(&found.from_ns), "{found:?}");
        assert_eq!((found.to_ns, found.verdict), (10_900 * MS, SteadyVerdict::Steady));
        // Of tokens that come before and after it, none is in its rate: ten requests a second, ten
        // tokens each.
        assert!((found.tokens_per_second - 100.0).abs() < 2.0, "{found:?}");
    }

    #[test]
    fn what_is_not_steady_is_said() {
        let few = (0..4).map(|stream| request(stream * 50, 10)).chain([request(300, 10)]).collect();
        assert_eq!(
            trial("concurrency", 4, few).steady().map(|s| s.verdict),
            Some(SteadyVerdict::TooShort)
        );
        let alone = (0..4).map(|stream| request(stream, 10)).collect();
        assert_eq!(trial("concurrency", 4, alone).steady(), None, "all sent before one answered");
        // Ever slower: a stream that takes 190 ms a request at first and 460 at the end.
        let mut at = 0;
        let slower = (0..30).map(|i| {
            let request = request(at, 10 + i);
            at = request.end_ns / MS;
            request
        });
        let found = trial("concurrency", 1, slower.collect()).steady().unwrap();
        assert!(
            matches!(found.verdict, SteadyVerdict::Drifting(change) if change < -0.2),
            "{found:?}"
        );
        assert!(found.drift.unwrap() < -0.2, "{found:?}");
        // Ten a second arrive, each takes longer than the one before.
        let open = (0..100).map(|i| request(i * 100, 10 + i * 5)).collect();
        let found = trial("rate", 10, open).steady().unwrap();
        assert!(
            matches!(found.verdict, SteadyVerdict::Growing(growth) if growth > 0.25),
            "{found:?}"
        );
        let ramp = trial("ramp", 1, (0..40).map(|i| request(i * 100, 10)).collect());
        assert_eq!(ramp.steady(), None);
    }
}
