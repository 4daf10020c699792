//! The experiment against the mock's virtual clock: every figure is exact.

use super::*;
use crate::Silent;
use crate::Warmups;
use crate::testing::Repeated;
use pacemark_backend::{BackendInfo, Capabilities, EventStream, MockBackend};
use std::time::Duration;

const SETTINGS: Repeated<'static> = Repeated(&Batched, 5, Warmups::UntilSettled);

fn mock(per_token_ms: u64) -> MockBackend {
    MockBackend::new(Duration::from_millis(1), Duration::from_millis(per_token_ms))
}

fn test(n_prompt: usize, n_gen: usize, n_parallel: usize) -> Test {
    Test { n_prompt, n_gen, n_parallel: Some(n_parallel), ..Test::default() }
}

#[test]
fn times_and_speeds_are_those_of_the_table() {
    let stop = AtomicBool::new(false);
    let trials = SETTINGS.run(&[&mock(5)], &test(8, 4, 3), &mut Silent, &stop).unwrap();
    // 24 prompt tokens of 1 ms, then 4 steps of 5 ms with 3 tokens each.
    let times = trials[0].batch_times().unwrap();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{times:?}");
    near(times.t_pp, 0.024);
    near(times.speed_pp, 1000.0);
    near(times.t_tg, 0.020);
    near(times.speed_tg, 600.0);
    near(times.t, 0.044);
    near(times.speed, 36.0 / 0.044);
    assert_eq!(trials[0].samples()[0].gaps_ns, [5_000_000; 12]);
    assert_eq!(trials[0].samples()[0].early_tokens, 0);
    assert_eq!(trials[0].test_name(), "pp8+tg4 x3");
    assert_eq!(trials[0].warmup.n_tokens, 36);
}

#[test]
fn two_backends_are_compared_by_each_speed() {
    let (fast, slow, stop) = (mock(5), mock(10), AtomicBool::new(false));
    let trials = SETTINGS.run(&[&fast, &slow], &test(8, 4, 2), &mut Silent, &stop).unwrap();
    let ratios: Vec<_> = Batched.against_first(&trials)[1]
        .iter()
        .map(|c| (c.metric, (c.ratio * 1e6).round() / 1e6))
        .collect();
    // 16 + 20 against 16 + 40 ms.
    assert_eq!(
        ratios,
        [("speed_pp", 1.0), ("speed_tg", 2.0), ("speed", (56.0_f64 / 36.0 * 1e6).round() / 1e6)]
    );
}

#[test]
fn without_generation_there_is_no_rate_of_it() {
    let stop = AtomicBool::new(false);
    let trials = SETTINGS.run(&[&mock(5)], &test(8, 0, 2), &mut Silent, &stop).unwrap();
    let times = trials[0].batch_times().unwrap();
    assert_eq!((times.t_tg, times.speed_tg, trials[0].decode_rates_ts()), (0.0, 0.0, vec![]));
}

#[test]
fn tokens_within_the_prompt_phase_are_not_credited_to_generation() {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    // The first sequence generates two more tokens before the second has its first.
    let found = sample(
        start,
        &[vec![at(10), at(12), at(14), at(30)], vec![at(20), at(25), at(30), at(40)]],
    );
    assert_eq!(
        (found.elapsed_ns, found.ttft_ns, found.early_tokens),
        (40_000_000, Some(20_000_000), 2)
    );
    let mut trial = Trial { params: test(8, 3, 2).params(), ..Trial::default() };
    trial.samples_mut().unwrap().push(found);
    assert_eq!(trial.decode_rates_ts(), [4.0 / 0.020]);
    assert_eq!(trial.batch_times().unwrap().speed_tg.round(), 200.0);
}

#[test]
fn a_backend_without_batches_and_an_interrupt() {
    struct Single;
    impl Backend for Single {
        fn info(&self) -> BackendInfo {
            mock(1).info()
        }
        fn capabilities(&self) -> Capabilities {
            Capabilities { batch: false, ..mock(1).capabilities() }
        }
        fn generate(&self, _: GenerateRequest) -> EventStream<'_> {
            Box::new(std::iter::empty())
        }
    }
    let stop = AtomicBool::new(false);
    let cut = SETTINGS.run(&[&Single], &test(8, 4, 2), &mut Silent, &stop).unwrap_err();
    assert_eq!(cut.error, BenchError::NoBatches { backend: "mock".into() });
    stop.store(true, Ordering::Relaxed);
    let cut = SETTINGS.run(&[&mock(5)], &test(8, 4, 2), &mut Silent, &stop).unwrap_err();
    assert_eq!((cut.error, cut.partial.len()), (BenchError::Interrupted, 0));
}
