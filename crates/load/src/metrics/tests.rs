//! Figures of a small load by hand, and against NumPy.

use super::*;
use pacemark_record::{Failure, FailureKind, Request, Trial, Unit};

/// The figure of that name.
fn figure(trial: &Trial, name: &str) -> Option<f64> {
    let parts = METRICS.iter().flat_map(|m| m.columns().into_iter().map(move |c| (m, c)));
    let found = parts.into_iter().find(|(_, column)| column.name == name);
    let (metric, column) = found.unwrap_or_else(|| panic!("{name}"));
    metric.of(trial).part(column.part)
}

/// Forty requests: request i is due at 10 i ms, sent 1 ms later, has its first token 20 + 37 i mod
/// 41 ms after that, and then four more every 5 + i mod 3 ms.
fn trial() -> Trial {
    let ms = |ms: u64| ms * 1_000_000;
    let request = |i: u64| {
        let first = 10 * i + 1 + 20 + 37 * i % 41;
        let chunks_ns = (0..5).map(|k| ms(first + k * (5 + i % 3))).collect::<Vec<_>>();
        Request {
            scheduled_ns: ms(10 * i),
            sent_ns: ms(10 * i + 1),
            end_ns: chunks_ns[4] + ms(1),
            chunks_ns,
            output_usage: Some(5),
            output_wanted: Some(5),
            prompt_usage: Some(8),
            ..Request::default()
        }
    };
    let mut trial =
        Trial { measured: (0..40).map(request).collect::<Vec<_>>().into(), ..Trial::default() };
    trial.params.insert("slo".into(), "ttft:p90<50ms".into());
    trial
}

#[test]
fn as_numpy_has_them() {
    // NumPy 2 (ddof=1 for deviations): ttft = 20 + 37 i % 41, tpot = 5 + i % 3, for i = 0 … 39; e2e
    // = ttft + 4 tpot; quantiles by the default method.
    let trial = trial();
    for (name, expected) in [
        ("requests", NUMPY.requests),
        ("ttft_ms_mean", NUMPY.ttft_mean),
        ("ttft_ms_p50", NUMPY.ttft_p50),
        ("ttft_ms_p90", NUMPY.ttft_p90),
        ("ttft_scheduled_ms_p50", NUMPY.ttft_p50 + 1.0),
        ("tpot_ms_mean", NUMPY.tpot_mean),
        ("itl_ms_p95", NUMPY.itl_p95),
        ("e2e_ms_p50", NUMPY.e2e_p50),
        ("e2e_scheduled_ms_p50", NUMPY.e2e_p50 + 1.0),
        ("decode_ts_p50", 1000.0 / 6.0),
        ("itl_ms_max", 7.0),
        ("good_share", NUMPY.good / 40.0),
        ("stream_end_ms_p50", NUMPY.e2e_p50 + 1.0),
        ("late_ms_p50", 1.0),
        ("duration_ms", NUMPY.duration),
        ("output_ts_total", 200.0 / NUMPY.duration * 1e3),
        ("output_ts_decode", 1000.0 / NUMPY.tpot_mean),
        ("ttft_ms_sd", NUMPY.ttft_sd),
        ("decode_ts_min", 1000.0 / 7.0),
        ("together_share", 0.0),
        ("goodput", NUMPY.good / NUMPY.duration * 1e3),
        ("input_tokens", 320.0),
    ] {
        let found = figure(&trial, name).unwrap_or_else(|| panic!("{name} is absent"));
        assert!(
            (found - expected).abs() < 1e-9 * expected.max(1.0),
            "{name}: {found}, expected {expected}"
        );
    }
    let mut unsent = trial.clone();
    unsent.load_mut().unwrap().unsent_requests = 16;
    assert_eq!(figure(&unsent, "good_share"), Some(0.5), "who was not sent is not good");
    assert_eq!(figure(&trial, "ttft_ms_p99"), None, "40 requests do not bound it");
    assert_eq!(figure(&trial, "icl_ms_p50"), None, "each chunk is a token");
}

struct Numpy {
    requests: f64,
    ttft_mean: f64,
    ttft_sd: f64,
    ttft_p50: f64,
    ttft_p90: f64,
    tpot_mean: f64,
    itl_p95: f64,
    e2e_p50: f64,
    duration: f64,
    good: f64,
}

const NUMPY: Numpy = Numpy {
    requests: 40.0,
    ttft_mean: 40.4,
    ttft_sd: 11.851_214_370_320_116,
    ttft_p50: 40.5,
    ttft_p90: 56.1,
    tpot_mean: 5.975,
    itl_p95: 7.0,
    e2e_p50: 64.5,
    duration: 440.0,
    good: 28.0,
};

#[test]
fn failures_count_where_they_must() {
    let mut trial = trial();
    let before = figure(&trial, "goodput").unwrap();
    for request in &mut trial.load_mut().unwrap().requests[..10] {
        request.failure = Some(Failure { kind: FailureKind::Cut, message: "cut".into() });
    }
    assert_eq!((figure(&trial, "requests"), figure(&trial, "failed")), (Some(40.0), Some(10.0)));
    assert_eq!(figure(&trial, "output_tokens"), Some(150.0));
    assert!(figure(&trial, "goodput").unwrap() < before);
    // One answer of two tokens a chunk: gaps between chunks are no longer gaps between tokens.
    trial.load_mut().unwrap().requests[20].output_usage = Some(10);
    assert_eq!(
        (figure(&trial, "itl_ms_p50"), figure(&trial, "output_length_disagrees")),
        (None, Some(1.0))
    );
    assert!(figure(&trial, "icl_ms_p50").is_some());
}

#[test]
fn nothing_measured_gives_nothing_and_no_panic() {
    let empty = Trial::default();
    for metric in METRICS {
        let found = metric.of(&empty).value;
        let is_count = metric.unit() == Unit::Count;
        assert!(found.is_none() || is_count, "{}: {found:?}", metric.name());
    }
    let columns = METRICS.iter().flat_map(Metric::columns);
    let mut names: Vec<_> = columns.map(|column| column.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    assert!(METRICS.iter().map(Metric::help).all(|help| help.len() <= 100 && !help.ends_with('.')));
}
