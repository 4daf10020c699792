//! The experiment against the mock's virtual clock: every figure is exact.

use super::*;
use crate::METRICS;
use pacemark_backend::MockBackend;
use pacemark_record::Warmup;
use std::sync::atomic::Ordering;
use std::time::Duration;

const SETTINGS: Throughput = Throughput { repetitions: 3, warmup: true, seed: 1 };

/// A prompt token takes 1 ms, a generated one 5 ms.
fn mock() -> MockBackend {
    MockBackend::new(Duration::from_millis(1), Duration::from_millis(5))
}

fn params(n_prompt: u64, n_gen: u64, n_depth: u64) -> Params {
    let values = [("n_prompt", n_prompt), ("n_gen", n_gen), ("n_depth", n_depth)];
    values.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// Remembers all that it is told.
#[derive(Default)]
struct Log(Vec<String>);

impl Observer for Log {
    fn phase(&mut self, phase: Phase) {
        self.0.push(format!("{phase:?}"));
    }
    fn trial_finished(&mut self, trial: &Trial) {
        self.0.push(format!("{} done", trial.test_name()));
    }
}

fn run(n_prompt: u64, n_gen: u64, n_depth: u64) -> (Trial, Vec<String>) {
    let mut log = Log::default();
    let stop = AtomicBool::new(false);
    let trial = SETTINGS.run(&mock(), &params(n_prompt, n_gen, n_depth), &mut log, &stop).unwrap();
    (trial, log.0)
}

fn figure(trial: &Trial, name: &str) -> Option<f64> {
    (METRICS.iter().find(|m| m.name == name).unwrap().of)(trial)
}

#[test]
fn a_prompt_takes_its_tokens_time() {
    let (trial, log) = run(512, 0, 0);
    assert_eq!(trial.rates_ts(), [1000.0; 3]);
    assert_eq!(figure(&trial, "ttft_ms"), Some(512.0));
    assert_eq!(figure(&trial, "tpot_ms"), None);
    assert_eq!(log, ["Warmup(1)", "Warmup(2)", "Repetition(1)", "Repetition(2)", "Repetition(3)", "pp512 done"]);
}

#[test]
fn generation_starts_from_one_token() {
    // 128 forward passes: the first over the 1 ms prompt token, 127 of 5 ms.
    let (trial, _) = run(0, 128, 0);
    assert_eq!(trial.samples[0].elapsed_ns, (1 + 127 * 5) * 1_000_000);
    assert_eq!(trial.samples[0].gaps_ns, [5_000_000; 127]);
    assert_eq!(figure(&trial, "tpot_ms"), Some(5.0));
    assert_eq!(figure(&trial, "itl_ms_p99"), Some(5.0));
    assert_eq!(figure(&trial, "tpot_ms_p50"), None, "three repetitions do not bound a median");
    assert_eq!(trial.warmup, Warmup { n_tokens: 16, elapsed_ns: vec![76_000_000; 2], settled: true });
}

#[test]
fn prompt_then_generation_computes_all_tokens() {
    // 8 prompt tokens of 1 ms give the first token; four more forward passes of 5 ms.
    let (trial, _) = run(8, 4, 0);
    assert_eq!(trial.samples[0].elapsed_ns, (8 + 4 * 5) * 1_000_000);
    assert_eq!(trial.tokens_per_repetition(), 12);
    assert_eq!(trial.test_name(), "pp8+tg4");
}

#[test]
fn depth_is_filled_outside_the_time() {
    let (trial, log) = run(8, 0, 100);
    assert_eq!(trial.samples[0].elapsed_ns, 8_000_000);
    assert!(trial.samples.iter().all(|s| s.cached_tokens == 100));
    assert_eq!(figure(&trial, "cached_tokens"), Some(100.0));
    assert_eq!(log.iter().filter(|line| *line == "Depth").count(), 1, "the depth is computed once: {log:?}");
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
        fn generate(&self, request: pacemark_backend::GenerateRequest) -> pacemark_backend::EventStream<'_> {
            self.0.set(self.0.get() * 2);
            let mock = MockBackend::new(Duration::from_millis(self.0.get().into()), Duration::ZERO);
            Box::new(mock.generate(request).collect::<Vec<_>>().into_iter())
        }
    }
    let trial =
        SETTINGS.run(&Slowing(1.into()), &params(4, 0, 0), &mut Log::default(), &AtomicBool::new(false)).unwrap();
    assert_eq!((trial.warmup.elapsed_ns.len(), trial.warmup.settled, trial.warmup.drift()), (6, false, Some(1.0)));
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
    let cut = SETTINGS.run(&mock(), &params(8, 0, 0), &mut Interrupter(&stop), &stop).unwrap_err();
    assert_eq!(cut.error, BenchError::Interrupted);
    assert_eq!(cut.partial.unwrap().samples.len(), 2);
}

#[test]
fn a_refusal_is_an_error_and_leaves_nothing() {
    let cut = SETTINGS.run(&mock(), &params(5000, 0, 0), &mut Log::default(), &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(cut.error, BenchError::Backend(_)) && cut.partial.is_none());
}
