//! Names as people write them, and figures by hand.

use super::*;
use pacemark_record::{Request, Sample};
use serde_json::json;

const MS: u64 = 1_000_000;

fn value(name: &str, trial: &Trial) -> Option<f64> {
    Named::parse(name).unwrap().of(trial)?.measure.figure.value
}

/// Six repetitions of 8 tokens after a prompt of 100: the first token after 200 ms, then 7 gaps.
fn repetitions(n_prompt: u64) -> Trial {
    let sample = |gap: u64| Sample {
        elapsed_ns: (200 + 7 * gap) * MS,
        ttft_ns: Some(200 * MS),
        gaps_ns: vec![gap * MS; 7],
        ..Sample::default()
    };
    let mut trial = Trial {
        experiment: "throughput".into(),
        measured: [20, 21, 19, 20, 22, 18].map(sample).to_vec().into(),
        peak_rss_bytes: Some(3 << 29),
        ..Trial::default()
    };
    trial.params.insert("n_prompt".into(), n_prompt.into());
    trial.params.insert("n_gen".into(), 8.into());
    trial
}

#[test]
fn every_column_has_its_name_in_every_spelling() {
    for experiment in EXPERIMENTS {
        for metric in experiment.metrics() {
            let name = metric.name();
            let found = Named::parse(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(found.metric(*experiment).unwrap().name(), name);
        }
    }
    for (one, other) in [
        ("ttft_ms.p95", "ttft_ms_p95"),
        ("itl_ms.p99.9", "itl_ms_p99_9"),
        ("tokens_per_second", "decode_tps"),
        ("memory_gb", "peak_memory_gb"),
    ] {
        assert_eq!(Named::parse(one).unwrap(), Named::parse(other).unwrap(), "{one}");
    }
}

#[test]
fn an_unknown_name_gets_the_nearest() {
    let error = Named::parse("ttft_sm.p95").unwrap_err();
    assert_eq!(error, "unknown metric \"ttft_sm.p95\", did you mean ttft_ms_p95?");
    let error = Named::parse(&"x".repeat(100_000)).unwrap_err();
    assert!(error.starts_with("unknown metric") && error.len() < 600, "{error}");
    for wrong in ["", "p95", "ttft_ms.p0", "ttft_ms.p100", "ttft_ms.px", "ttft_ms."] {
        assert!(Named::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn one_name_in_two_kinds_of_measurement() {
    let trial = repetitions(100);
    assert_eq!(value("ttft_ms", &trial), Some(200.0));
    assert_eq!(value("ttft_ms.p50", &trial), Some(200.0));
    assert_eq!(value("ttft_ms.p95", &trial), None, "six do not bound it");
    assert_eq!(value("tpot_ms.max", &trial), Some(22.0));
    assert_eq!(value("e2e_ms.min", &trial), Some(326.0));
    assert_eq!(value("prefill_tps", &trial), Some(500.0));
    assert_eq!(value("memory_gb", &trial), Some(1.5));
    let decode = value("decode_tps", &trial).unwrap();
    let by_hand =
        [20.0, 21.0, 19.0, 20.0, 22.0, 18.0].map(|gap| 1e3 / gap).iter().sum::<f64>() / 6.0;
    assert!((decode - by_hand).abs() < 1e-9, "{decode}");
    // Without a prompt: all tokens over all the time.
    let alone = value("decode_tps.max", &repetitions(0)).unwrap();
    assert!((alone - 8.0 / 0.326).abs() < 1e-9, "{alone}");

    let request = |gap: u64| Request {
        sent_ns: 5 * MS,
        chunks_ns: (0..8).map(|i| (105 + i * gap) * MS).collect(),
        output_usage: Some(8),
        ..Request::default()
    };
    let requests: Vec<Request> = [10, 10, 10, 10, 10, 20].map(request).into();
    let load = Trial { experiment: "load".into(), measured: requests.into(), ..Trial::default() };
    assert_eq!(value("ttft_ms", &load), Some(100.0));
    assert_eq!(value("decode_tps.max", &load), Some(100.0));
    assert_eq!(value("request_rate", &load).map(f64::round), Some(25.0));
    assert_eq!(value("avg_ts", &load), None);
    let found = Named::parse("ttft_ms.p99").unwrap().of(&load).unwrap();
    assert_eq!((found.measure.runs, found.measure.needs), (6, Some(299)));
}

#[test]
fn what_other_tools_found() {
    let facts = json!({
        "ttft_ms": [100, 110, 90, 105, 95, 100, "x"],
        "tpot_ms_mean": 20.5,
        "tpot_ms_p99": 31.0,
        "request_rate": 4.0,
    });
    let Value::Object(facts) = facts else { panic!() };
    let trial = Trial {
        experiment: "load".into(),
        measured: Measured::Facts { facts },
        ..Trial::default()
    };
    let ttft = Named::parse("ttft_ms").unwrap().of(&trial).unwrap();
    assert_eq!((ttft.measure.figure.value, ttft.measure.runs), (Some(100.0), 6));
    assert!(ttft.measure.figure.interval.is_some() && ttft.better == Better::Lower);
    assert_eq!(value("tpot_ms", &trial), Some(20.5));
    assert_eq!(value("tpot_ms.p99", &trial), Some(31.0));
    assert_eq!(value("request_rate", &trial), Some(4.0));
    assert_eq!(value("tpot_ms.p50", &trial), None);
    assert!(Named::parse("tpot_ms").unwrap().of(&trial).unwrap().measure.figure.interval.is_none());
}
