//! Pooling by hand beside [`pool`]: random splits of one load come back as that load.

use super::*;
use crate::rng::SplitMix64;
use crate::{Began, OffsetMethod, Request, Requests, stats};
use serde_json::json;
use std::collections::HashSet;

const MS: u64 = 1_000_000;

/// Requests of a load on one clock, which begins at `MS` on the axis.
fn requests(rng: &mut SplitMix64, n: u64) -> Vec<Request> {
    let one = |i: u64| {
        let mut below = |n: u64| rng.next_u64() % n;
        let sent_ns = 1000 * MS + i * 10 * MS + below(MS);
        let first = sent_ns + 20 * MS + below(50 * MS);
        let chunks_ns: Vec<u64> = (0..5).map(|k| first + k * (MS + below(MS))).collect();
        let end_ns = chunks_ns[4].max(first) + 1;
        Request {
            scheduled_ns: sent_ns,
            sent_ns,
            chunks_ns,
            end_ns,
            output_usage: Some(5),
            ..Request::default()
        }
    };
    (0..n).map(one).collect()
}

/// A worker's record of some of them: its own zero is `origin` on the axis, its clock is `ahead`
/// of the axis.
fn part(name: &str, of: &[Request], origin: u64, ahead: u64) -> Part {
    let shifted: Vec<Request> = of.iter().map(|request| earlier(request, origin)).collect();
    let began = Began {
        boot: Some(format!("boot of {ahead}")),
        monotonic_ns: origin + ahead,
        unix_ns: 1_700_000_000_000_000_000 + origin,
    };
    let load = Requests { requests: shifted, began: Some(began), ..Requests::default() };
    let params = json!({ "url": "http://x/v1", "concurrency": 2, "seed": ahead, "requests_wanted": of.len() });
    let trial = Trial {
        experiment: LOAD_EXPERIMENT.to_owned(),
        params: params.as_object().unwrap().clone(),
        measured: crate::Measured::Requests(load),
        ..Trial::default()
    };
    Part {
        name: name.to_owned(),
        sender: name.to_owned(),
        run: Run { trials: vec![trial], ..Run::default() },
        offset: None,
    }
}

fn earlier(request: &Request, by: u64) -> Request {
    Request {
        scheduled_ns: request.scheduled_ns - by,
        sent_ns: request.sent_ns - by,
        chunks_ns: request.chunks_ns.iter().map(|ns| ns - by).collect(),
        end_ns: request.end_ns - by,
        ..request.clone()
    }
}

/// The classical definition, written down again: the value between two neighbours of the sorted
/// sample, at `q` of the way from the first to the last.
fn percentile_by_hand(mut values: Vec<u64>, q: f64) -> f64 {
    values.sort_unstable();
    let at = q * (values.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at - at.floor());
    let high = (low + 1).min(values.len() - 1);
    values[low] as f64 + part * (values[high] - values[low]) as f64
}

#[test]
fn any_split_of_a_load_comes_back_as_that_load() {
    let mut rng = SplitMix64::new(20);
    for round in 0..40u64 {
        let whole = requests(&mut rng, 60);
        let n = 2 + rng.next_u64() % 4;
        let mut shares: Vec<Vec<Request>> = vec![Vec::new(); n as usize];
        for (i, request) in whole.iter().enumerate() {
            // Each has the first and the last requests' times in it, so that they overlap.
            let to = if (i as u64) < n || i as u64 >= 60 - n {
                i as u64 % n
            } else {
                rng.next_u64() % n
            };
            shares[to as usize].push(request.clone());
        }
        let parts: Vec<Part> = shares
            .iter()
            .enumerate()
            .map(|(i, share)| {
                // Clocks that are far apart, known exactly.
                let ahead = (i as u64) * (round + 1) * 1_000_000 * MS;
                let offset = Offset { offset_ns: ahead as i64, ..Offset::SAME_CLOCK };
                let origin = rng.next_u64() % (900 * MS);
                let part = part(&format!("w{i}"), share, origin, ahead);
                Part { offset: Some(Offset { method: OffsetMethod::RoundTrip, ..offset }), ..part }
            })
            .collect();
        let pooled = &pool(&parts).unwrap()[0];
        let mut found: Vec<Request> = pooled.requests().to_vec();
        let names: HashSet<_> =
            found.iter().map(|request| request.sender.clone().unwrap()).collect();
        assert_eq!(names.len() as u64, n);
        found.iter_mut().for_each(|request| request.sender = None);
        let zero = whole[0].sent_ns - found.iter().map(|request| request.sent_ns).min().unwrap();
        let mut expected: Vec<Request> = whole.iter().map(|r| earlier(r, zero)).collect();
        expected.sort_by_key(|request| request.end_ns);
        found.sort_by_key(|request| (request.end_ns, request.sent_ns));
        expected.sort_by_key(|request| (request.end_ns, request.sent_ns));
        assert_eq!(found, expected, "one axis, to the nanosecond");
        // Percentiles: by our code of the pooled record, and by hand of the raw samples.
        let ttft: Vec<u64> = whole.iter().map(|r| r.chunks_ns[0] - r.sent_ns).collect();
        let mut ours: Vec<f64> =
            pooled.requests().iter().filter_map(|r| Some(r.ttft_ns()? as f64)).collect();
        ours.sort_by(f64::total_cmp);
        for q in [0.0, 0.5, 0.9, 0.95, 0.99, 1.0] {
            let by_hand = percentile_by_hand(ttft.clone(), q);
            assert_eq!(stats::quantile(&ours, q), Some(by_hand), "p{}", q * 100.0);
        }
        assert_eq!(pooled.count("concurrency"), 2 * n);
        assert_eq!(pooled.count("requests_wanted"), 60);
    }
}

#[test]
fn clocks_are_the_same_or_believed() {
    let whole = requests(&mut SplitMix64::new(1), 20);
    let (a, b) = whole.split_at(0);
    assert!(a.is_empty() && b.len() == 20);
    let halves = |k: usize| whole.iter().skip(k).step_by(2).cloned().collect::<Vec<_>>();
    let sends = |trial: &Trial| {
        let mut sends: Vec<u64> = trial.requests().iter().map(|request| request.sent_ns).collect();
        sends.sort_unstable();
        sends.iter().map(|at| at - sends[0]).collect::<Vec<_>>()
    };
    let expected: Vec<u64> = whole.iter().map(|r| r.sent_ns - whole[0].sent_ns).collect();
    let one_boot = [part("a", &halves(0), 5 * MS, 7), part("b", &halves(1), 900 * MS, 7)];
    let trial = &pool(&one_boot).unwrap()[0];
    assert_eq!(sends(trial), expected);
    let senders = &trial.load().unwrap().senders;
    assert_eq!(senders[1].clock, Some(Offset::SAME_CLOCK));
    assert_eq!((senders[0].began_ns, senders[1].began_ns), (0, 895 * MS));
    // Another machine: the wall clocks say how they are apart, and nothing how well.
    let two = [part("a", &halves(0), 5 * MS, 7), part("b", &halves(1), 900 * MS, 4000 * MS)];
    let trial = &pool(&two).unwrap()[0];
    assert_eq!(sends(trial), expected);
    let clock = trial.load().unwrap().senders[1].clock.unwrap();
    assert_eq!((clock.method, clock.error_ns), (OffsetMethod::WallClock, None));
    assert_eq!(clock.offset_ns, (4000 * MS - 7) as i64);
    assert_eq!(trial.load().unwrap().began.as_ref().unwrap().boot, None);
    // What was put together is put together with a third.
    let part_of = |trial: &Trial| Part {
        name: "ab".into(),
        sender: "ab".into(),
        run: Run { trials: vec![trial.clone()], ..Run::default() },
        offset: None,
    };
    let again = [part_of(trial), part("a", &whole[3..9], 100 * MS, 9)];
    let names: Vec<String> =
        pool(&again).unwrap()[0].load().unwrap().senders.iter().map(|s| s.name.clone()).collect();
    assert_eq!(names, ["a", "b", "a (2)"]);
}

#[test]
fn what_is_no_load_together_is_refused_by_name() {
    let whole = requests(&mut SplitMix64::new(1), 20);
    let a = part("a.json", &whole[..12], 0, 1);
    let b = || part("b.json", &whole[8..], 0, 1);
    let said = |other: Part| pool(&[a.clone(), other]).unwrap_err().to_string();
    assert_eq!(pool(&[]), Err(PoolError::Nothing));
    assert!(pool(std::slice::from_ref(&a)).is_ok(), "the only one of them that is left");
    assert_eq!(
        said(a.clone()),
        "a.json: expected another record, found the requests of a.json again"
    );
    let mut other = b();
    other.run.trials[0].params["url"] = "http://y/v1".into();
    assert_eq!(
        said(other),
        "b.json: trials[0].params.url: expected \"http://x/v1\" as in a.json, found \"http://y/v1\""
    );
    let mut other = b();
    other.run.trials[0].params.shift_remove("concurrency");
    assert_eq!(
        said(other),
        "b.json: trials[0].params.concurrency: expected 2 as in a.json, found none"
    );
    let mut other = b();
    other.run.trials[0].params.insert("rate".into(), 3.into());
    assert!(said(other).contains("params.rate: expected none as in a.json, found 3"));
    let mut other = b();
    other.run.trials.push(other.run.trials[0].clone());
    assert_eq!(said(other), "b.json: trials: expected 1 as in a.json, found 2");
    let mut other = b();
    other.run.trials[0].experiment = "doctor".into();
    assert_eq!(said(other), "b.json: trials[0].experiment: expected load, found doctor");
    let mut other = b();
    other.run.trials[0].load_mut().unwrap().began.as_mut().unwrap().monotonic_ns += 60_000 * MS;
    assert!(
        said(other).starts_with(
            "b.json: trials[0]: expected requests at the same time as those of a.json"
        )
    );
}

#[test]
fn names_are_told_apart() {
    let mut taken = Names::new();
    let names = ["a", "a", "a (2)", "a", "b"].map(|name| unused(name, &mut taken));
    assert_eq!(names, ["a", "a (2)", "a (2) (2)", "a (3)", "b"]);
}
