//! How far this client's stamps are off: requests to a mock server that tells, in each chunk, when
//! it wrote it. What the figures make of it: [`pacemark_record::self_test_figures`].

use crate::plan::{PlanError, now_unix_s};
use crate::prompt::{Cache, Synthetic, SyntheticOptions};
use crate::{Bounds, Endpoint, Lengths, Measured, Settings, Shape, Target, Watch, run};
use pacemark_record::{Requests, SELF_TEST_EXPERIMENT, Trial};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Time to the first token in milliseconds, and between two tokens of a stream at least.
const TICK_MS: f64 = 50.0;

/// Tokens of an answer.
const TOKENS: u64 = 20;

/// Requests of a row: enough for a median with one stream, for a p99 with a hundred.
const REQUESTS: u64 = 40;
const ROUNDS: u64 = 3;

/// One number of streams, and what the mock server is to do for them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfTest {
    /// Streams at once; the server must have room for them.
    pub streams: usize,
    /// Time to the first token in milliseconds.
    pub ttft_ms: f64,
    /// Time between two tokens of a stream in milliseconds.
    pub itl_ms: f64,
    /// The kernel stamps what arrives, where it does; else this process.
    pub kernel_stamps: bool,
}

impl SelfTest {
    /// For so many streams; slower where they would come to more than `chunks_a_second`, because
    /// server and client share a machine and the server's lateness is not the client's error.
    pub fn new(streams: usize, chunks_a_second: u32, kernel_stamps: bool) -> SelfTest {
        let itl_ms = (streams as f64 * 1e3 / f64::from(chunks_a_second.max(1))).max(TICK_MS);
        SelfTest { streams, ttft_ms: TICK_MS, itl_ms, kernel_stamps }
    }

    /// Loads the mock at `target` with all its streams; [`None`] where that was stopped.
    pub fn measure(
        &self,
        target: Target,
        watch: &mut dyn Watch,
        stop: &AtomicBool,
    ) -> Result<Option<Trial>, PlanError> {
        let SelfTest { streams, ttft_ms, itl_ms, kernel_stamps } = *self;
        let mut settings = Settings::new(target, Endpoint::Completions, "mock".to_owned());
        settings.kernel_stamps = kernel_stamps;
        let options = json!({ "include_usage": true, "emitted_ns": true });
        settings.extra_body.insert("stream_options".to_owned(), options);
        let requests = REQUESTS.max(ROUNDS * streams as u64);
        let bounds = Bounds { requests: Some(requests), ..Bounds::default() };
        watch.begin(&format!("{streams} streams"), bounds);
        let started_unix_s = now_unix_s();
        let mut source = Synthetic::new(prompts(), None)?;
        let shape = Shape::Closed { concurrency: streams };
        let measured = run(&settings, shape, bounds, &mut source, None, watch, stop)?;
        if stop.load(Relaxed) {
            return Ok(None);
        }
        let params = json!({ "concurrency": streams, "ttft_ms": ttft_ms, "itl_ms": itl_ms, "tokens": TOKENS });
        Ok(Some(Trial {
            experiment: SELF_TEST_EXPERIMENT.to_owned(),
            started_unix_s,
            params: params.as_object().cloned().unwrap_or_default(),
            repetitions: requests as usize,
            measured: pacemark_record::Measured::Requests(told(measured)?),
            ..Trial::default()
        }))
    }
}

fn prompts() -> SyntheticOptions {
    SyntheticOptions {
        input: Lengths::Fixed(16),
        output: Some(Lengths::Fixed(TOKENS)),
        cache: Cache::Cold,
        turns: 1,
        ids: true,
        special: false,
        seed: 0,
        nonce: 0,
    }
}

/// The server's times on the client's scale, where it tells them.
fn told(measured: Measured) -> Result<Requests, PlanError> {
    let Measured { requests, emitted_ns, client, origin_ns, .. } = measured;
    let untold = |(request, emitted): (&pacemark_record::Request, &Vec<u64>)| {
        request.is_ok() && request.chunks_ns.len() != emitted.len()
    };
    if requests.iter().zip(&emitted_ns).any(untold) {
        return Err(PlanError::NoTimes);
    }
    let since = |at: Vec<u64>| at.into_iter().map(|ns| ns.saturating_sub(origin_ns)).collect();
    let emitted_ns = emitted_ns.into_iter().map(since).collect();
    Ok(Requests { requests, emitted_ns, client: Some(client), ..Requests::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_streams_tick_more_slowly() {
        assert_eq!(SelfTest::new(1, 20_000, true).itl_ms, 50.0);
        assert_eq!(SelfTest::new(2000, 20_000, true).itl_ms, 100.0);
    }
}
