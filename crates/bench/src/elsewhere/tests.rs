//! Made-up machines.

use super::*;
use crate::Throughput;
use pacemark_record::{Measured, Run, Sample, Trial};

/// `tg10` in so many milliseconds a token; with a worker where its computing is given.
fn trial(ms: [u64; 6], computing_ms: Option<u64>) -> Trial {
    let samples: Vec<Sample> =
        ms.iter().map(|ms| Sample { elapsed_ns: ms * 10_000_000, ..Sample::default() }).collect();
    let turns = |ms: u64| Turns {
        sent_bytes: 10 * 4096,
        received_bytes: 10 * 1024,
        round_trips: 10,
        graphs: 10,
        // All but 2 ms a token.
        turn_ns: (ms - 2) * 10_000_000,
        computing_ns: computing_ms.map(|ms| ms * 10_000_000),
    };
    let away = |ms: &u64| Away { away_ns: turns(*ms).turn_ns, workers: vec![turns(*ms)] };
    let mut trial = Trial {
        experiment: "throughput".into(),
        measured: Measured::Repetitions { samples },
        repetitions: 6,
        ..Trial::default()
    };
    trial.params.insert("n_prompt".into(), 0.into());
    trial.params.insert("n_gen".into(), 10.into());
    trial.params.insert("n_gpu_layers".into(), if computing_ms.is_some() { 99 } else { 0 }.into());
    if computing_ms.is_some() {
        trial.away = ms.iter().map(away).collect();
        trial.workers = vec![Worker {
            name: "10.0.0.2:50052".into(),
            round_trip_ns: 3_000_000,
            sent_bytes_per_s: 125e6,
            received_bytes_per_s: 125e6,
        }];
    }
    trial
}

fn run(trials: Vec<Trial>) -> Run {
    Run { trials, varied: vec!["n_gpu_layers".into()], ..Run::default() }
}

#[test]
fn where_the_time_went() {
    let table = table::table(&Throughput, &run(vec![trial([20; 6], Some(14))])).unwrap();
    let texts: Vec<Vec<String>> =
        table.rows.iter().map(|row| row.cells.iter().map(|cell| cell.text()).collect()).collect();
    let told: Vec<&[String]> = texts.iter().map(|row| &row[2..]).collect();
    assert_eq!(told[0], ["here", "2.000", "-", "-", "-", "-", "-"]);
    // A turn of 18 ms, 14 of them computed; 3 ms there and back, 5 KiB at 125 MB/s.
    let worker = "10.0.0.2:50052 (3.00 ms, 1000 Mbit/s)";
    assert_eq!(told[1], [worker, "14.000", "4.000", "3.041", "4.0", "1.0", "1.00"]);
    assert_eq!(told[2][..2], ["together: 95.2 % of 20.000 ms".to_owned(), "16.000".to_owned()]);
    assert!(table::table(&Throughput, &run(vec![trial([20; 6], None)])).is_none());
}

#[test]
fn what_follows_is_told_with_its_cause() {
    let said = |alone: [u64; 6], with: [u64; 6], computing| {
        let run = run(vec![trial(alone, None), trial(with, Some(computing))]);
        let said = advice(&Throughput, &run);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(Throughput.notes(&run).contains(&said[0]), "{said:?}");
        said[0].clone()
    };
    let around = |ms: u64| [ms, ms + 1, ms, ms + 1, ms, ms + 1];
    let slow = said(around(15), around(20), 14);
    for words in ["one machine is faster: 15.", "the way to the workers takes 4.", "not speed"] {
        assert!(slow.contains(words), "{words}: {slow}");
    }
    assert!(!slow.contains("for what this machine computes"), "{slow}");
    let weak = said(around(8), around(20), 17);
    assert!(
        weak.contains("the workers take 17.000 ms for what this machine computes in 6."),
        "{weak}"
    );
    let fast = said(around(40), around(20), 14);
    assert!(fast.contains("the workers are worth it") && fast.contains("1.98 times"), "{fast}");
    let even = said([10, 30, 10, 30, 10, 30], around(20), 14);
    assert!(even.contains("no difference is shown"), "{even}");
    let alone = advice(&Throughput, &run(vec![trial([20; 6], Some(14))]));
    assert!(alone[0].contains("would take 16.000 if it computed as fast"), "{alone:?}");
}
