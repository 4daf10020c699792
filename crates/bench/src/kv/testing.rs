//! A study with made-up numbers, for tests of what is shown of one.

use super::method::{Group, Method};
use super::study::Study;
use pacemark_backend::{Backend, MockBackend};
use pacemark_record::{Continued, Held, Measured, Sample, ScoredText, Texts, Trial};
use pacemark_setup::CacheTypes;
use std::time::Duration;

/// Two stretches of 600 tokens, of which the first was continued twice; a baseline, a policy, and
/// one that has no perplexity.
pub(crate) fn trials() -> Vec<Trial> {
    let method = |name: &str, kv: &str, group, why: Option<&str>| Method {
        name: name.into(),
        kv: kv.into(),
        cache: CacheTypes::default(),
        group,
        unscored: why.map(str::to_owned),
    };
    let why = "no perplexity: it works when a prompt ends";
    let methods = vec![
        method("baseline", "full", Group::Baseline, None),
        method("streaming_128", "streaming:4+124", Group::Streaming, None),
        method("snapkv_128", "snapkv:128", Group::Other, Some(why)),
    ];
    let study = Study { methods, n_samples: 2, n_tokens: 600, n_gen: 100, ..Study::default() };
    let info = MockBackend::new(Duration::ZERO, Duration::ZERO).info();
    let mut trials = study.trials(&info, 3);
    for (turn, (trial, kept)) in trials.iter_mut().zip([600, 128, 227]).enumerate() {
        let scored = trial.notes.is_empty();
        let text = |(at, index): (usize, u64)| ScoredText {
            logprobs: if scored && at < 2 { vec![-2.5 - turn as f32; 599] } else { Vec::new() },
            hits: if scored && at < 2 { vec![true; 599] } else { Vec::new() },
            index,
            continued: Some(continued(turn as u64, kept)),
            ..ScoredText::default()
        };
        let texts = [0, 1, 0].into_iter().enumerate().map(text).collect();
        trial.measured = Measured::Texts(Texts { texts });
    }
    trials
}

/// A prompt in half a second, then tokens 10 ms apart; less where less is kept.
fn continued(turn: u64, kept: u64) -> Continued {
    let gap = 10_000_000 - 1_000_000 * turn;
    let sample = Sample {
        elapsed_ns: 500_000_000 + 99 * gap,
        ttft_ns: Some(500_000_000),
        gaps_ns: vec![gap; 99],
        ..Sample::default()
    };
    let held = Held {
        lane_tokens: 90 * kept,
        n_lanes: 90,
        most_tokens: kept,
        resident_bytes: 23_040 * kept,
        page_bytes: 23_040 * kept.next_multiple_of(16),
    };
    Continued { sample, held: Some(held), peak_rss_bytes: Some(1 << 28) }
}
