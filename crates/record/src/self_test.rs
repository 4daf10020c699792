//! How far a load's client is off: what it measured of requests beside what the server that
//! answered them says, which writes into each chunk the time at which it wrote it, on the clock
//! that both share. What the figures would be with those times in place of the client's stamps is
//! the truth, of the same requests; the difference is the client's error.

use crate::{Requests, Trial, stats};

/// Row of the table of experiments that a self-test's trials carry.
pub const SELF_TEST_EXPERIMENT: &str = "self-test";

/// An error of a percentile, in milliseconds, that is too high for a figure to be believed.
const MAX_ERROR_MS: f64 = 1.0;

/// A percentile by the client's stamps and by the server's times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// As the client measured it.
    pub measured: f64,
    /// As it was.
    pub truth: f64,
}

impl Told {
    /// How much more the client measured.
    pub fn error(self) -> f64 {
        self.measured - self.truth
    }
}

/// Two percentiles; absent where the sample is too small.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles<T> {
    /// The median.
    pub p50: Option<T>,
    /// The 99th.
    pub p99: Option<T>,
}

/// The figures of one number of streams.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelfTestFigures {
    /// Streams at once.
    pub streams: u64,
    /// Time between two tokens of a stream in milliseconds, as the server was asked for.
    pub itl_ms: f64,
    /// Requests, and those of them that failed.
    pub requests: usize,
    /// Requests without an answer.
    pub failed: usize,
    /// Time to first token.
    pub ttft: Percentiles<Told>,
    /// Time between two tokens.
    pub itl: Percentiles<Told>,
    /// Stamps after the times at which the server wrote, in milliseconds.
    pub late: Percentiles<f64>,
    /// Share of chunks that have the stamp of the one before.
    pub together: f64,
    /// Processor time of the client over time.
    pub client_cpu: f64,
}

impl SelfTestFigures {
    /// Chunks a second when all streams run.
    pub fn chunks_per_second(&self) -> f64 {
        if self.itl_ms > 0.0 { self.streams as f64 * 1e3 / self.itl_ms } else { 0.0 }
    }

    /// Why they are not to be believed (metrics.md, rule 8): a client that uses more than `busy` of
    /// a processor, or is off by too much.
    pub fn doubts(&self, busy: f64) -> Vec<String> {
        let figures = [self.ttft.p50, self.ttft.p99, self.itl.p50, self.itl.p99];
        let errors = figures.into_iter().flatten().map(|told| told.error().abs());
        let worst = errors.fold(0.0, f64::max);
        let off = (worst > MAX_ERROR_MS).then(|| format!("figures are off by up to {worst:.1} ms"));
        let cpu = self.client_cpu;
        let busy =
            (cpu > busy).then(|| format!("the client used {:.0} % of a processor", cpu * 100.0));
        off.into_iter().chain(busy).collect()
    }
}

/// What a trial of requests to such a server found.
pub fn self_test_figures(trial: &Trial) -> SelfTestFigures {
    let (mut ttft, mut itl, mut late): (Pair, Pair, Vec<f64>) = Default::default();
    let (mut together, mut chunks) = (0, 0);
    let (default, ms) = (Requests::default(), |ns: u64| ns as f64 / 1e6);
    let load = trial.load().unwrap_or(&default);
    for (request, emitted) in load.requests.iter().zip(&load.emitted_ns) {
        let stamps = &request.chunks_ns;
        if !request.is_ok() || emitted.len() != stamps.len() {
            continue;
        }
        chunks += stamps.len();
        together += stamps.windows(2).filter(|pair| pair[0] == pair[1]).count();
        for (at, ttft, itl) in [
            (stamps, &mut ttft.measured, &mut itl.measured),
            (emitted, &mut ttft.truth, &mut itl.truth),
        ] {
            ttft.extend(at.first().map(|first| ms(first.saturating_sub(request.sent_ns))));
            itl.extend(at.windows(2).map(|pair| ms(pair[1].saturating_sub(pair[0]))));
        }
        let pairs = stamps.iter().zip(emitted);
        late.extend(pairs.map(|(stamp, truth)| ms(stamp.saturating_sub(*truth))));
    }
    late.sort_by(f64::total_cmp);
    SelfTestFigures {
        streams: trial.count("concurrency"),
        itl_ms: trial.params.get("itl_ms").and_then(|ms| ms.as_f64()).unwrap_or(0.0),
        requests: load.requests.len(),
        failed: load.requests.iter().filter(|request| !request.is_ok()).count(),
        ttft: ttft.percentiles(),
        itl: itl.percentiles(),
        late: Percentiles { p50: at(&late, 0.5), p99: at(&late, 0.99) },
        together: together as f64 / chunks.max(1) as f64,
        client_cpu: load.client.as_ref().map_or(0.0, |client| client.cpu_share()),
    }
}

/// Values by the client, and in truth.
#[derive(Default)]
struct Pair {
    measured: Vec<f64>,
    truth: Vec<f64>,
}

impl Pair {
    fn percentiles(mut self) -> Percentiles<Told> {
        self.measured.sort_by(f64::total_cmp);
        self.truth.sort_by(f64::total_cmp);
        let told = |p| Some(Told { measured: at(&self.measured, p)?, truth: at(&self.truth, p)? });
        Percentiles { p50: told(0.5), p99: told(0.99) }
    }
}

/// A percentile of sorted values that are enough for its interval.
fn at(values: &[f64], p: f64) -> Option<f64> {
    stats::supported_quantile(values, p, stats::CONFIDENCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, Measured, Request};

    const MS: u64 = 1_000_000;

    #[test]
    fn an_error_or_a_busy_client_is_told() {
        let doubts = |measured, client_cpu| {
            let ttft = Percentiles { p50: Some(Told { measured, truth: 50.0 }), p99: None };
            SelfTestFigures { ttft, client_cpu, ..SelfTestFigures::default() }
                .doubts(0.8)
                .join("; ")
        };
        assert_eq!(doubts(50.9, 0.7), "");
        assert_eq!(doubts(48.5, 0.0), "figures are off by up to 1.5 ms");
        assert_eq!(doubts(50.0, 0.93), "the client used 93 % of a processor");
    }

    #[test]
    fn a_client_that_stamps_late_is_off_by_that() {
        // Written at 50, 100 and 150 ms after each request was sent; stamped 2 ms later, the last
        // two together.
        let requests: Vec<Request> = (0..20)
            .map(|i| Request {
                sent_ns: i * 10 * MS,
                chunks_ns: [52, 152, 152].map(|ms| (i * 10 + ms) * MS).to_vec(),
                ..Request::default()
            })
            .collect();
        let emitted_ns =
            (0..20).map(|i| [50, 100, 150].map(|ms| (i * 10 + ms) * MS).to_vec()).collect();
        let client = Some(Client { cpu_ns: 1, wall_ns: 4, ..Client::default() });
        let load = Requests { requests, emitted_ns, client, ..Requests::default() };
        let mut trial = Trial { measured: Measured::Requests(load), ..Trial::default() };
        trial.params.insert("concurrency".into(), 20.into());
        trial.params.insert("itl_ms".into(), 50.0.into());
        let found = self_test_figures(&trial);
        assert_eq!((found.requests, found.failed, found.client_cpu), (20, 0, 0.25));
        let ttft = found.ttft.p50.unwrap();
        assert_eq!((ttft.measured, ttft.truth, ttft.error()), (52.0, 50.0, 2.0));
        assert_eq!(found.ttft.p99, None, "20 requests bound no 99th percentile");
        assert_eq!((found.late.p50, found.chunks_per_second()), (Some(2.0), 400.0));
        assert!((found.together - 1.0 / 3.0).abs() < 1e-12);
    }
}
