//! Made-up devices under the mock backend.

use super::*;
use crate::experiment::{Case, How, Subject};
use crate::{Batched, Experiment, Repetitions, Silent, Throughput, Warmups};
use pacemark_backend::{Backend, MockBackend};
use pacemark_devices::{Identity, Meter, Reading};
use pacemark_record::Run;
use pacemark_report::{Page, render, render::find};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Each reading is 2 J more; lost after so many.
struct Counter {
    identity: Identity,
    n_read: usize,
    lost_after: usize,
}

impl Counter {
    fn of(kind: Kind, lost_after: usize) -> Box<dyn Meter> {
        let (name, at, total_bytes) = match kind {
            Kind::Package => ("package-0", "intel-rapl:0", None),
            Kind::Graphics => ("A card", "NVML device 0", Some(24 << 30)),
        };
        let identity = Identity { name: name.into(), at: at.into(), kind, total_bytes };
        Box::new(Counter { identity, n_read: 0, lost_after })
    }
}

impl Meter for Counter {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn read(&mut self, pid: Option<u32>) -> Result<Reading, String> {
        self.n_read += 1;
        if self.n_read > self.lost_after {
            return Err("it fell off the bus".into());
        }
        let is_card = self.identity.kind == Kind::Graphics;
        let energy_j = Some(2.0 * self.n_read as f64);
        if !is_card {
            return Ok(Reading { energy_j, ..Reading::default() });
        }
        Ok(Reading {
            utilisation: Some(0.5),
            memory_bytes: Some(3 << 30),
            process_bytes: pid.map(|pid| u64::from(pid) << 20),
            power_w: Some(70.0),
            clock_mhz: Some(2000),
            energy_j,
            throttled: vec!["power limit".into()],
            ..Reading::default()
        })
    }
}

fn measured(
    experiment: &dyn Experiment,
    test: Test,
    meters: Vec<Box<dyn Meter>>,
    pids: &[Option<u32>],
) -> Vec<Trial> {
    let step = Duration::from_micros(50);
    let mocks: Vec<MockBackend> = pids.iter().map(|_| MockBackend::new(step, step)).collect();
    let backends: Vec<&dyn Backend> = mocks.iter().map(|mock| mock as &dyn Backend).collect();
    let sampler = Sampler::new(meters);
    let mut silent = Silent;
    let mut metered = Metered::new(&mut silent, &sampler, pids.to_vec());
    let mut how = How {
        repetitions: Repetitions::exactly(3),
        warmup: Warmups::Exactly(1),
        seed: 0,
        observer: &mut metered,
        stop: &AtomicBool::new(false),
    };
    let case = Case::Test(test);
    let mut subject = Subject::Backends(&backends);
    let mut trials = experiment.measure(&case, &mut subject, &mut how).unwrap();
    metered.attach(&mut trials);
    trials
}

fn test() -> Test {
    Test { n_prompt: 8, n_gen: 0, ..Test::default() }
}

#[test]
fn each_counted_repetition_has_its_energy() {
    let meters =
        vec![Counter::of(Kind::Graphics, usize::MAX), Counter::of(Kind::Package, usize::MAX)];
    let trials = measured(&Throughput, test(), meters, &[Some(5)]);
    let [card, package] = &trials[0].devices[..] else { panic!("{:?}", trials[0].devices) };
    assert_eq!((card.repetitions.len(), package.repetitions.len()), (3, 3));
    // Beginning and end are a reading each, and the thread may have made others between.
    for span in card.repetitions.iter().chain(&package.repetitions) {
        assert!(span.energy_j.unwrap() >= 2.0 && span.from_ns < span.to_ns, "{span:?}");
    }
    assert!(card.repetitions.is_sorted_by(|a, b| a.to_ns <= b.from_ns));
    // The reading of an end is within.
    assert!(card.samples.len() >= 3 && card.has_counter);
    let within = |t_ns: u64| card.repetitions.iter().any(|s| (s.from_ns..=s.to_ns).contains(&t_ns));
    assert!(card.samples.iter().all(|sample| within(sample.t_ns)));
    assert_eq!((card.peak_process_bytes, package.peak_process_bytes), (Some(5 << 20), None));
    let by_hand: f64 =
        package.repetitions.iter().filter_map(|span| span.energy_j).sum::<f64>() / 24.0;
    let per_token = trials[0].joules_per_token(DeviceKind::Package);
    assert!((per_token.iter().sum::<f64>() / 3.0 - by_hand).abs() < 1e-12, "8 tokens, 3 times");
    assert_eq!(trials[0].notes, ["A card was held back in 100 % of the samples: power limit"]);
}

#[test]
fn whose_turn_it_is_has_the_energy() {
    let meters = vec![Counter::of(Kind::Graphics, usize::MAX)];
    let trials = measured(&Throughput, test(), meters, &[Some(5), Some(9)]);
    let peaks: Vec<_> = trials.iter().map(|trial| trial.devices[0].peak_process_bytes).collect();
    assert_eq!(peaks, [Some(5 << 20), Some(9 << 20)]);
    let from = |trial: usize, i: usize| trials[trial].devices[0].repetitions[i].from_ns;
    assert!(
        from(0, 0) < from(1, 0) && from(1, 1) < from(0, 1) && from(0, 2) < from(1, 2),
        "A B B A"
    );
    let meters = vec![Counter::of(Kind::Graphics, usize::MAX)];
    let trials = measured(&Throughput, test(), meters, &[Some(5), Some(5)]);
    assert!(
        trials.iter().all(|trial| trial.devices[0].peak_process_bytes.is_none()),
        "one process"
    );
}

#[test]
fn a_card_that_is_lost_leaves_the_repetitions_before() {
    let meters = vec![Counter::of(Kind::Graphics, 0), Counter::of(Kind::Package, usize::MAX)];
    let trials = measured(&Throughput, test(), meters, &[None]);
    assert_eq!(trials[0].samples().len(), 3, "it is measured all the same");
    assert_eq!(trials[0].devices[0].lost.as_deref(), Some("it fell off the bus"));
    assert!(trials[0].joules_per_token(DeviceKind::Graphics).is_empty());
    assert_eq!(trials[0].joules_per_token(DeviceKind::Package).len(), 3);
    assert_eq!(trials[0].notes, ["A card cannot be read any more: it fell off the bus"]);
}

#[test]
fn without_devices_nothing_is_said() {
    let batch = Test { n_prompt: 4, n_gen: 2, n_parallel: Some(2), ..Test::default() };
    let trials = measured(&Batched, batch.clone(), Vec::new(), &[Some(1)]);
    assert!(trials[0].devices.is_empty() && trials[0].notes.is_empty());
    let run = Run { trials, ..Run::default() };
    assert!(table(&Batched, &run).is_none());
    let meters = vec![Counter::of(Kind::Package, usize::MAX)];
    let trials = measured(&Batched, batch, meters, &[Some(1)]);
    let used: f64 = trials[0].devices[0].repetitions[0].energy_j.unwrap();
    assert_eq!(trials[0].joules_per_token(DeviceKind::Package)[0], used / 12.0, "2 x (4 + 2)");
}

/// A run whose figures are known: 100 J in 2 s for ten tokens, three times.
fn known() -> Run {
    let span = |i: u64| Span {
        from_ns: i * 3_000_000_000,
        to_ns: i * 3_000_000_000 + 2_000_000_000,
        energy_j: Some(100.0),
    };
    let repetitions: Vec<Span> = (0..3).map(span).collect();
    let sample = DeviceSample {
        utilisation: Some(0.75),
        memory_bytes: Some(3 << 30),
        clock_mhz: Some(2040),
        ..DeviceSample::default()
    };
    let card = DeviceUse {
        name: "A card".into(),
        kind: DeviceKind::Graphics,
        samples: vec![sample],
        repetitions: repetitions.clone(),
        peak_process_bytes: Some(2 << 30),
        ..DeviceUse::default()
    };
    let package = DeviceUse { name: "package-0".into(), repetitions, ..DeviceUse::default() };
    let second = Sample { elapsed_ns: 2_000_000_000, ..Sample::default() };
    let mut trial = Trial {
        experiment: "throughput".into(),
        measured: vec![second; 3].into(),
        devices: vec![card, package],
        ..Trial::default()
    };
    trial.params.insert("n_gen".into(), 10.into());
    Run { trials: vec![trial], ..Run::default() }
}

#[test]
fn figures_and_table_by_hand() {
    let run = known();
    let figure = |name: &str| {
        let (metric, part) = pacemark_record::column(Throughput.metrics(), name).unwrap();
        metric.of(&run.trials[0]).part(part)
    };
    for (name, expected) in [
        ("j_per_token", 20.0),
        ("cpu_j_per_token", 10.0),
        ("gpu_j_per_token", 10.0),
        ("cpu_power_w", 50.0),
        ("gpu_power_w", 50.0),
        ("peak_device_bytes", (2_u64 << 30) as f64),
    ] {
        assert_eq!(figure(name), Some(expected), "{name}");
    }
    let table = table(&Throughput, &run).unwrap();
    let document = pacemark_report::Document { tables: vec![table], ..Default::default() };
    insta::assert_snapshot!("devices", render(&document, find("md").unwrap(), &Page::default()));
}

#[test]
fn facts_name_what_was_looked_for_and_what_mends_it() {
    let facts = serde_json::json!({
        "devices": [{ "name": "A card", "at": "NVML device 0", "kind": "graphics", "total_bytes": 1_u64 << 30 }],
        "devices_absent": [{ "what": "energy of processors", "cause": "/sys/x may not be read by this user",
            "remedy": "sudo chmod o+r /sys/x" }],
    });
    let said: Vec<(String, String)> =
        told(facts.as_object().unwrap()).into_iter().filter_map(|fact| fact.told).collect();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        said,
        [
            pair("graphics device", "A card (NVML device 0, 1.00 GiB)"),
            pair("energy", "- (/sys/x may not be read by this user; sudo chmod o+r /sys/x)"),
        ]
    );
    assert!(told(&serde_json::Map::new()).is_empty());
}
