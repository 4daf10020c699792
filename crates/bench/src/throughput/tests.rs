//! The experiment against the mock's virtual clock: every figure is exact.

use super::*;
use crate::Warmups;
use crate::testing::Repeated;
use crate::{BenchError, Observer, Phase, Test};
use pacemark_backend::{Backend, BackendInfo, MockBackend};
use pacemark_record::{Verdict, Warmup};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SETTINGS: Repeated<'static> = Repeated(&Throughput, 3, Warmups::UntilSettled);

/// A prompt token takes 1 ms, a generated one 5 ms.
fn mock() -> MockBackend {
    MockBackend::new(Duration::from_millis(1), Duration::from_millis(5))
}

fn test(n_prompt: usize, n_gen: usize, n_depth: usize) -> Test {
    Test { n_prompt, n_gen, n_depth, ..Test::default() }
}

/// Remembers all that it is told.
#[derive(Default)]
struct Log(Vec<String>);

impl Observer for Log {
    fn turn(&mut self, backend: &str) {
        self.0.push(format!("{backend}:"));
    }
    fn phase(&mut self, phase: Phase) {
        self.0.push(format!("{phase:?}"));
    }
    fn trial_finished(&mut self, trial: &Trial) {
        self.0.push(format!("{} done", trial.test_name()));
    }
}

fn run(n_prompt: usize, n_gen: usize, n_depth: usize) -> (Trial, Vec<String>) {
    let mut log = Log::default();
    let stop = AtomicBool::new(false);
    let trials =
        SETTINGS.run(&[&mock()], &test(n_prompt, n_gen, n_depth), &mut log, &stop).unwrap();
    (trials.into_iter().next().unwrap(), log.0)
}

fn figure(trial: &Trial, name: &str) -> Option<f64> {
    METRICS.iter().find(|metric| metric.name() == name).unwrap().of(trial).value
}

#[test]
fn a_prompt_takes_its_tokens_time() {
    let (trial, log) = run(512, 0, 0);
    assert_eq!(trial.rates_ts(), [1000.0; 3]);
    assert_eq!(figure(&trial, "ttft_ms"), Some(512.0));
    assert_eq!(figure(&trial, "tpot_ms"), None);
    assert_eq!(
        log,
        ["Warmup(1)", "Warmup(2)", "Repetition(1)", "Repetition(2)", "Repetition(3)", "pp512 done"]
    );
}

#[test]
fn generation_starts_from_one_token() {
    // 128 forward passes: the first over the 1 ms prompt token, 127 of 5 ms.
    let (trial, _) = run(0, 128, 0);
    assert_eq!(trial.samples()[0].elapsed_ns, (1 + 127 * 5) * 1_000_000);
    assert_eq!(trial.samples()[0].gaps_ns, [5_000_000; 127]);
    assert_eq!(figure(&trial, "tpot_ms"), Some(5.0));
    assert_eq!(figure(&trial, "itl_ms_p99"), Some(5.0));
    assert_eq!(figure(&trial, "tpot_ms_p50"), None, "three repetitions do not bound a median");
    assert_eq!(
        trial.warmup,
        Warmup { n_tokens: 16, elapsed_ns: vec![76_000_000; 2], settled: true }
    );
}

#[test]
fn prompt_then_generation_computes_all_tokens() {
    // 8 prompt tokens of 1 ms give the first token; four more forward passes of 5 ms.
    let (trial, _) = run(8, 4, 0);
    assert_eq!(trial.samples()[0].elapsed_ns, (8 + 4 * 5) * 1_000_000);
    assert_eq!(trial.tokens_per_repetition(), 12);
    assert_eq!(trial.test_name(), "pp8+tg4");
}

#[test]
fn depth_is_filled_outside_the_time() {
    let (trial, log) = run(8, 0, 100);
    assert_eq!(trial.samples()[0].elapsed_ns, 8_000_000);
    assert!(trial.samples().iter().all(|s| s.cached_tokens == 100));
    assert_eq!(figure(&trial, "cached_tokens"), Some(100.0));
    assert_eq!(
        log.iter().filter(|line| *line == "Depth").count(),
        1,
        "the depth is computed once: {log:?}"
    );
    assert_eq!(log.last().unwrap(), "pp8 @ d100 done");
}

#[test]
fn a_warm_up_that_does_not_settle_is_bounded_and_says_so() {
    // Each request finds the clock twice as slow as the one before.
    struct Slowing(std::cell::Cell<u32>);
    impl Backend for Slowing {
        fn info(&self) -> BackendInfo {
            mock().info()
        }
        fn capabilities(&self) -> pacemark_backend::Capabilities {
            mock().capabilities()
        }
        fn generate(
            &self,
            request: pacemark_backend::GenerateRequest,
        ) -> pacemark_backend::EventStream<'_> {
            self.0.set(self.0.get() * 2);
            let mock = MockBackend::new(Duration::from_millis(self.0.get().into()), Duration::ZERO);
            Box::new(mock.generate(request).collect::<Vec<_>>().into_iter())
        }
    }
    let (slowing, stop) = (Slowing(1.into()), AtomicBool::new(false));
    let trial = &SETTINGS.run(&[&slowing], &test(4, 0, 0), &mut Log::default(), &stop).unwrap()[0];
    assert_eq!(
        (trial.warmup.elapsed_ns.len(), trial.warmup.settled, trial.warmup.drift()),
        (6, false, Some(1.0))
    );
}

#[test]
fn an_interrupt_keeps_what_was_measured() {
    struct Interrupter<'a>(&'a AtomicBool);
    impl Observer for Interrupter<'_> {
        fn phase(&mut self, phase: Phase) {
            self.0.store(phase == Phase::Repetition(3), Ordering::Relaxed);
        }
    }
    let stop = AtomicBool::new(false);
    let cut = SETTINGS.run(&[&mock()], &test(8, 0, 0), &mut Interrupter(&stop), &stop).unwrap_err();
    assert_eq!(cut.error, BenchError::Interrupted);
    assert_eq!(cut.partial[0].samples().len(), 2);
}

#[test]
fn a_refusal_is_an_error_and_leaves_nothing() {
    let cut = SETTINGS
        .run(&[&mock()], &test(5000, 0, 0), &mut Log::default(), &AtomicBool::new(false))
        .unwrap_err();
    assert!(matches!(cut.error, BenchError::Backend(_)) && cut.partial.is_empty());
}

#[test]
fn two_backends_take_turns_and_are_compared() {
    let slow = MockBackend::new(Duration::from_millis(2), Duration::from_millis(5));
    let (fast, mut log, stop) = (mock(), Log::default(), AtomicBool::new(false));
    let settings = Repeated(&Throughput, 5, Warmups::None);
    let trials = settings.run(&[&fast, &slow], &test(8, 4, 0), &mut log, &stop).unwrap();
    let turns: String = log.0.join(" ").replace("mock: Repetition", "");
    // One of each before the first repetition; a turn each in the order A B B A A B B A A B.
    assert_eq!(
        turns,
        "mock: mock: (1) (1) (2) (2) (3) (3) (4) (4) (5) (5) pp8+tg4 done pp8+tg4 done"
    );
    assert!(
        trials.iter().all(|trial| trial.samples().len() == 5 && trial.peak_rss_bytes.is_none())
    );
    let found = Throughput.against_first(&trials);
    assert!(found[0].is_empty());
    // 8 + 20 against 16 + 20 ms; the prompt alone 8 against 16; generated tokens alike.
    let expected = [
        ("avg_ts", 36.0 / 28.0, Verdict::Faster),
        ("ttft_ms", 0.5, Verdict::Faster),
        ("tpot_ms", 1.0, Verdict::NotDistinguishable),
    ];
    for (comparison, (metric, ratio, verdict)) in found[1].iter().zip(expected) {
        assert_eq!((comparison.metric, comparison.verdict), (metric, verdict));
        assert!((comparison.ratio - ratio).abs() < 1e-9 && comparison.pairs == 5, "{comparison:?}");
        assert_eq!(
            (comparison.first.as_str(), comparison.second.as_str()),
            ("mock (1)", "mock (2)")
        );
    }
}

#[test]
fn the_order_is_a_b_b_a() {
    /// Writes down when it is asked.
    struct Named<'a>(&'static str, MockBackend, &'a std::cell::RefCell<String>);
    impl Backend for Named<'_> {
        fn info(&self) -> BackendInfo {
            BackendInfo { backend: self.0.into(), ..self.1.info() }
        }
        fn capabilities(&self) -> pacemark_backend::Capabilities {
            self.1.capabilities()
        }
        fn generate(
            &self,
            request: pacemark_backend::GenerateRequest,
        ) -> pacemark_backend::EventStream<'_> {
            self.2.borrow_mut().push_str(self.0);
            self.1.generate(request)
        }
    }
    let order = std::cell::RefCell::default();
    let (a, b, c) =
        (Named("A", mock(), &order), Named("B", mock(), &order), Named("C", mock(), &order));
    let settings = Repeated(&Throughput, 4, Warmups::None);
    settings
        .run(&[&a, &b, &c], &test(8, 0, 0), &mut Log::default(), &AtomicBool::new(false))
        .unwrap();
    assert_eq!(order.take(), "ABCCBAABCCBA");
}

#[test]
fn so_many_runs_are_not_counted_as_were_asked_for() {
    let mock = MockBackend::new(Duration::from_millis(1), Duration::from_millis(1));
    for n in [0, 1, 3, 9] {
        let settings = Repeated(&Throughput, 2, Warmups::Exactly(n));
        let trials = settings
            .run(&[&mock], &test(4, 2, 0), &mut crate::Silent, &AtomicBool::new(false))
            .unwrap();
        assert_eq!((trials[0].warmup.elapsed_ns.len(), trials[0].samples().len()), (n, 2));
    }
}
